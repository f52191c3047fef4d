package conversation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bendi/chat"
)

// A request that names its place, see [chat.Turn], goes on from one turn of its
// session, whichever came later. Nothing is merged: what it has is new. A
// session may have many branches so; each turn leads back to the first by its
// parents.

// path returns the turns that lead to the one with an id, from the first. It
// reports false where that is not there.
func (s *Session) path(id string) ([]Turn, bool) {
	at := make(map[string]int, len(s.Turns))
	for i := range s.Turns {
		at[s.Turns[i].ID] = i
	}
	var path []Turn
	for id != "" {
		i, ok := at[id]
		if !ok || len(path) == len(s.Turns) {
			return nil, false
		}
		path = append(path, s.Turns[i])
		id = s.Turns[i].Parent
	}
	slices.Reverse(path)
	return path, true
}

// Path returns the turns of the branch in use, from the first.
func (s *Session) Path() []Turn {
	path, ok := s.path(s.Head)
	if !ok {
		return s.Turns
	}
	return path
}

// Turn returns a turn by its id.
func (s *Session) Turn(id string) (*Turn, bool) {
	for i := range s.Turns {
		if s.Turns[i].ID == id {
			return &s.Turns[i], true
		}
	}
	return nil, false
}

// place reads the session of a turn that says where it goes on from. Of those
// that go on from its end, there is one at a time.
func (t *turn) place(ctx context.Context, req *chat.Request) error {
	m, p := t.memory, req.Turn
	var err error
	if p.Begins() || p.Head {
		t.claim, t.session, err = m.enter(ctx, t.key, &t.budget, p.Begins())
	} else {
		t.session, err = m.use(ctx, &t.budget, t.key)
	}
	if p.Begins() && errors.Is(err, ErrNotFound) {
		t.session, err = &Session{Key: t.key, Created: time.Now()}, nil
	}
	if _, failed := errors.AsType[*storeError](err); failed {
		if p.Begins() && !p.Silent && m.Down == Stateless {
			t.withoutMemory(ctx, err)
			return nil
		}
		m.Observe.Turn("failed")
		if e := asError(unavailable(err)); e.Code == CodeUnread {
			return e
		}
		return &chat.Error{Kind: chat.Unavailable, Code: CodeStoreDown, RetryAfter: restTime, Err: err, Param: t.param(),
			Msg: "The memory of conversations cannot be reached. Try again, or send the whole conversation in 'input'."}
	}
	if errors.Is(err, ErrNotFound) {
		return noTurn(p)
	}
	if err != nil {
		return err
	}
	if t.session.size > m.MaxSize && !p.Forget {
		return &chat.Error{Kind: chat.Invalid, Code: CodeTooLarge, Param: t.param(),
			Msg: fmt.Sprintf("The conversation has grown to %d bytes, and at most %d are kept. Begin another.", t.session.size, m.MaxSize)}
	}
	from := p.Parent
	if p.Head {
		from = t.session.Head
	}
	turns, ok := t.session.path(from)
	if !ok {
		return noTurn(p)
	}
	t.path = turns
	t.merged.system, t.merged.input = req.Messages[:p.Front:p.Front], req.Messages[p.Front:]
	for i := range turns {
		t.merged.body = append(t.merged.body, turns[i].messages()...)
	}
	t.merged.body = append(t.merged.body, t.merged.input...)
	if len(t.merged.body) == 0 && !p.Silent {
		return chat.BadParam("input", "'input' is empty, and so is what the request goes on from; it needs at least one item.")
	}
	return nil
}

// noTurn is the error of a turn that is not there, or is somebody else's:
// nobody learns which.
func noTurn(p *chat.Turn) error {
	if p.Head {
		return &chat.Error{Kind: chat.NotFound, Code: CodeNoConversation, Param: "conversation",
			Msg: "You have no such conversation: it may have expired. Begin another."}
	}
	return &chat.Error{Kind: chat.Invalid, Code: CodeNoPrevious, Param: "previous_response_id",
		Msg: "You have no such response: it may have expired, or been asked for with \"store\": false. Send the conversation in 'input'."}
}

// before returns the turns that the request goes on from.
func (t *turn) before() []Turn {
	if t.request.Turn != nil {
		return t.path
	}
	return t.session.Turns[:t.merged.keep]
}

// trim returns what is done about a history that does not fit.
func (t *turn) trim() Trim {
	switch p := t.request.Turn; {
	case p == nil:
		return t.route.trim()
	case p.Trim:
		return TrimOldest
	}
	return TrimError
}

// param names the field of the request that says what it goes on from.
func (t *turn) param() string {
	switch p := t.request.Turn; {
	case p == nil:
		return "session_id"
	case p.Head:
		return "conversation"
	}
	return "previous_response_id"
}

// bare returns a request without its place, and without what is kept alone.
func bare(req *chat.Request) *chat.Request {
	if req.Turn == nil {
		return req
	}
	own := *req
	if len(req.Turn.Aside) > 0 {
		own.Extra = maps.Clone(req.Extra)
		for _, key := range req.Turn.Aside {
			delete(own.Extra, key)
		}
	}
	own.Turn = nil
	return &own
}

// mostTries is how often a turn is added to a session that others add to.
const mostTries = 8

// add adds a turn to the session, beside what others have added meanwhile.
func (t *turn) add(ctx context.Context, turn Turn) error {
	p, s := t.request.Turn, t.session
	head := s.Head
	turn.ID, turn.Parent = p.ID, p.Parent
	if p.Head {
		turn.Parent = head
	}
	if p.Note != nil {
		turn.Note = p.Note(t.request)
	}
	if p.Silent {
		turn.Output = nil
	}
	for tries := 1; ; tries++ {
		next := *s
		next.Turns, next.Used = append(slices.Clone(s.Turns), turn), turn.Time
		if !p.Branch {
			next.Head = turn.ID
		}
		err := t.save(ctx, &next, s.version, false)
		if !errors.Is(err, ErrConflict) || tries == mostTries {
			return err
		}
		if s, err = t.again(ctx); err != nil {
			return err
		}
		if _, there := s.Turn(turn.Parent); !there && turn.Parent != "" || p.Head && s.Head != head {
			return ErrConflict
		}
	}
}

// again reads the session again.
func (t *turn) again(ctx context.Context) (*Session, error) {
	s, err := t.memory.fetch(ctx, &t.budget, t.budget.left, t.key, 0)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrConflict // it was deleted
	}
	return s, err
}

// An Eraser is a [Store] that has to be told that what it stored before is to
// be gone from its files.
type Eraser interface {
	// Erase returns when no file holds a byte of what was replaced.
	Erase(ctx context.Context) error
}

// Forget forgets a turn of a session, and reports whether there was one. What
// went on from it goes on from the turn before it, and keeps what the filter has
// learnt about it, for it may say the same again. The session goes with its last
// turn.
func (m *Memory) Forget(ctx context.Context, key Key, id string) (bool, error) {
	for tries := 1; ; tries++ {
		was, err := m.forget(ctx, key, id)
		if !errors.Is(err, ErrConflict) || tries == mostTries {
			return was, told(err)
		}
	}
}

func (m *Memory) forget(ctx context.Context, key Key, id string) (bool, error) {
	s, err := m.load(ctx, key, m.patient(), 0)
	if errors.Is(err, ErrNotFound) {
		return m.Delete(ctx, key) // its first turn may be being answered
	}
	if err != nil {
		return false, err
	}
	gone, there := s.Turn(id)
	switch {
	case !there:
		return false, nil
	case len(s.Turns) == 1:
		return m.Delete(ctx, key)
	}
	next := *s
	next.Turns = nil
	for _, t := range s.Turns {
		if t.Parent == id {
			t.Parent = gone.Parent
			t.inherit(gone)
		}
		if t.ID != id {
			next.Turns = append(next.Turns, t)
		}
	}
	if s.Head == id {
		next.Head = gone.Parent
	}
	v, err := m.pack(&next, false)
	if err != nil {
		return false, err
	}
	err = m.store.call(ctx, "save", m.patient(), func(ctx context.Context) error { return m.Store.Save(ctx, key, s.version, v, m.TTL) })
	m.recent.forget(key)
	if err != nil {
		return false, err
	}
	if e, ok := m.Store.(Eraser); ok {
		err = m.store.call(ctx, "delete", m.patient(), e.Erase)
	}
	return true, err
}
