package conversation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"bendi/chat"
)

// A turn is one that is being answered.
//
//	new      --recall-->  open      (the session is the turn's)
//	new      --recall-->  stateless (the store is down, and that is allowed)
//	open     --store-->   stored
//	any      --end-->     over      (the session is free)
type turn struct {
	memory *Memory
	route  *remembered
	key    Key

	budget    budget
	claim     *claim // nil: there is none
	session   *Session
	merged    merged
	path      []Turn        // that a request with a place goes on from
	cuts      []int         // where the conversation may be cut
	at        int           // where it is, of those
	tries     int           // times that a model has found it too long
	request   *chat.Request // as it came through the filter; nil: it did not come
	summary   *Summary      // of the session from this turn on
	told      chat.Memory
	stateless bool
	stored    bool
}

// turnKey is that of the turn in the context of a request.
type turnKey struct{}

func turnOf(ctx context.Context) *turn {
	t, _ := ctx.Value(turnKey{}).(*turn)
	return t
}

// recall enters the session and reads it. Where the store is down and that is
// allowed, the turn becomes stateless.
func (t *turn) recall(ctx context.Context, req *chat.Request) error {
	m := t.memory
	t.request = req
	t.budget = budget{m.Limit, m.Limit}
	if req.Turn != nil {
		return t.place(ctx, req)
	}
	var err error
	t.claim, t.session, err = m.enter(ctx, t.key, &t.budget, false)
	_, failed := errors.AsType[*storeError](err)
	switch {
	case errors.Is(err, ErrNotFound):
		t.session = &Session{Key: t.key, Created: time.Now()}
	case failed && m.Down == Stateless:
		t.withoutMemory(ctx, err)
		return nil
	case failed:
		m.Observe.Turn("failed")
		return unavailable(err)
	case err != nil:
		return err
	case t.session.size > m.MaxSize && t.route.trim() == TrimError:
		return &chat.Error{Kind: chat.Invalid, Code: CodeTooLarge, Param: "session_id",
			Msg: fmt.Sprintf("The session has grown to %d bytes, and at most %d are kept. Delete it or begin another, or have the operator set sessions.trim to oldest or summary.", t.session.size, m.MaxSize)}
	}
	t.merged = merge(t.session, req.Messages)
	if t.summary = t.session.Summary; t.summary != nil && t.summary.Messages > t.kept() {
		t.summary = nil // what it stands for is dropped
	}
	return nil
}

// withoutMemory has the turn be answered as it came.
func (t *turn) withoutMemory(ctx context.Context, why error) {
	t.stateless, t.told.Stateless = true, true
	t.end(ctx) // there is nothing to wait for
	t.memory.Observe.Turn("stateless")
	t.memory.Log.WarnContext(ctx, "sessions: answered without memory", "request", t.request.ID, "err", why)
}

// kept returns how many messages of the conversation are history.
func (t *turn) kept() int { return len(t.merged.body) - len(t.merged.input) }

// compose returns the request to put to the model, with as much of the history
// as the policy and the window let in.
func (t *turn) compose(ctx context.Context, next chat.Model) *chat.Request {
	if t.stateless {
		return bare(t.request)
	}
	own := *bare(t.request)
	for _, before := range t.before() {
		own.Classes = union(own.Classes, before.Classes)
		own.Inside = own.Inside || before.Inside
	}
	trim := t.trim()
	if trim == TrimError {
		t.cuts = []int{0}
		return t.cut(ctx, own)
	}
	t.cuts = cuts(t.merged.body, t.kept())
	share := 1.0
	if trim == TrimSummary {
		share = summaryShare
		if t.summary != nil {
			if t.at = slices.Index(t.cuts, t.summary.Messages); t.at < 0 {
				t.summary, t.at = nil, 0
			}
		}
	}
	t.at += fit(ctx, next, &own, t.merged.system, t.merged.body, t.cuts[t.at:], share)
	return t.cut(ctx, own)
}

// shorter returns a request with less of the history than the last, or nil
// where nothing can be left out any more. Each leaves out more at once.
func (t *turn) shorter(ctx context.Context, last *chat.Request) *chat.Request {
	if t.stateless || t.at == len(t.cuts)-1 {
		return nil
	}
	t.tries++
	t.at = min(t.at+1<<t.tries-1, len(t.cuts)-1)
	return t.cut(ctx, *last)
}

// cut makes own the request whose conversation begins where the turn says.
func (t *turn) cut(ctx context.Context, own chat.Request) *chat.Request {
	start := t.cuts[t.at]
	if t.trim() == TrimSummary {
		t.summarise(ctx, &own, start)
	}
	rest, left := from(t.merged.body, start)
	t.told = chat.Memory{Kept: t.kept() - left, LeftOut: left, Summarised: left > 0 && t.summary != nil}
	own.Messages = slices.Clone(t.merged.system)
	if t.told.Summarised {
		own.Messages = append(own.Messages, t.summary.told())
	}
	own.Messages = append(own.Messages, rest...)
	return &own
}

// summarise has a summary stand for what is before a start. Where none can be
// had, nothing stands for it.
func (t *turn) summarise(ctx context.Context, own *chat.Request, start int) {
	was := Summary{}
	if t.summary != nil {
		was = *t.summary
	}
	if start <= was.Messages {
		return
	}
	text, err := t.memory.summarise(ctx, own, was.Text, t.merged.body[was.Messages:start])
	if err != nil {
		t.summary = nil
		t.memory.Log.WarnContext(ctx, "sessions: no summary could be written, what is left out has none", "request", own.ID, "err", err)
		return
	}
	t.summary = &Summary{Messages: start, Text: text}
}

// store keeps the turn.
func (t *turn) store(ctx context.Context, a *answer, interrupted bool) error {
	if t.session == nil || t.stateless || t.stored {
		return nil
	}
	if p := t.request.Turn; p != nil && p.Forget {
		return nil
	}
	output, some := a.message(interrupted, t.memory.Reasoning)
	if !some && interrupted {
		return nil // the client has seen nothing, and asks again
	}
	t.stored = true
	turn := t.made(a, interrupted)
	if some {
		turn.Output = []chat.Message{output}
	}
	ctx = context.WithoutCancel(ctx)
	var err error
	if t.request.Turn != nil {
		err = t.add(ctx, turn)
	} else {
		err = t.save(ctx, t.next(turn), t.session.version, t.trim() != TrimError)
	}
	switch {
	case err != nil:
		t.memory.Observe.Turn("lost")
	case interrupted:
		t.memory.Observe.Turn("interrupted")
	default:
		t.memory.Observe.Turn("stored")
	}
	return err
}

// save stores a session in place of the version that was.
func (t *turn) save(ctx context.Context, s *Session, was uint64, shrink bool) error {
	m := t.memory
	v, err := m.pack(s, shrink)
	if err != nil {
		return err
	}
	era := m.recent.begin()
	if t.claim != nil {
		err = t.claim.save(ctx, &t.budget, was, v)
	} else {
		err = m.store.spend(ctx, &t.budget, t.budget.left, "save", func(ctx context.Context) error {
			return m.Store.Save(ctx, t.key, was, v, m.TTL)
		})
	}
	if err != nil {
		m.recent.forget(t.key)
		return err
	}
	m.changed(s, v, era)
	return nil
}

// made returns what the request and its answer become, but for what was said.
func (t *turn) made(a *answer, interrupted bool) Turn {
	return Turn{
		ID: "turn_" + strings.ToLower(rand.Text()), Time: time.Now(), Input: t.lean(t.merged.input),
		Model: t.request.Model, Backend: a.backend, Arm: a.arm, Finish: a.finish, Interrupted: interrupted, Usage: a.usage, AIGC: a.aigc,
		Classes: union(slices.Clone(t.request.Classes), a.classes), Inside: t.request.Inside,
	}
}

// next returns the session with the turn.
func (t *turn) next(turn Turn) *Session {
	next := *t.session
	next.Turns = slices.Clone(t.session.Turns[:t.merged.keep])
	next.Used, next.Summary, next.Resends = turn.Time, t.summary, t.session.Resends || t.merged.resent
	if n := len(next.Turns); n > 0 {
		turn.Parent = next.Turns[n-1].ID
	}
	if t.merged.fresh && !slices.EqualFunc(next.system(), t.merged.system, same) {
		turn.System = t.merged.system
	}
	next.Turns, next.Head = append(next.Turns, turn), turn.ID
	return &next
}

// lean returns messages as they are kept.
func (t *turn) lean(messages []chat.Message) []chat.Message {
	out := slices.Clone(messages)
	for i := range out {
		if !t.memory.Reasoning {
			out[i].Reasoning = ""
		}
	}
	return out
}

// lost is what a client is told whose answer could not be stored, or nil where
// the policy is to go on.
func (t *turn) lost(ctx context.Context, err error) error {
	if errors.Is(err, ErrConflict) { // somebody wanted it so
		t.memory.Log.InfoContext(ctx, "sessions: a turn was answered and is not stored: the session was deleted, or went on elsewhere, meanwhile", "request", t.request.ID)
		return &chat.Error{Kind: chat.Conflict, Code: CodeChanged, Param: t.param(), Err: err,
			Msg: "The answer is whole, and is not part of the session: that was deleted, or went on elsewhere, meanwhile. Read it with GET /v1/sessions/{id}, or ask again."}
	}
	t.memory.Log.ErrorContext(ctx, "sessions: a turn was answered and could not be stored", "request", t.request.ID, "err", err)
	if t.memory.Down == Stateless {
		return nil
	}
	return &chat.Error{Kind: chat.Unavailable, Code: CodeStoreDown, Err: err, RetryAfter: restTime,
		Msg: "The answer is whole, and could not be stored in the session: its memory cannot be reached. Ask again, or go on with the whole conversation and no " + t.param() + "."}
}

// explain adds to the error of a model what the session has to do with it.
func (t *turn) explain(err error) error {
	if !tooLong(err) || t.session == nil || t.kept() == 0 {
		return err
	}
	e := *asError(err)
	e.Msg += fmt.Sprintf(" %d messages of it are the history of the session. ", t.told.Kept)
	if t.request.Turn != nil {
		e.Msg += "Begin another conversation, or send \"truncation\": \"auto\", which leaves the oldest turns out."
		return &e
	}
	e.Msg += "Delete the session or begin another"
	if t.trim() == TrimError {
		e.Msg += ", or have the operator set sessions.trim to oldest or summary"
	}
	e.Msg += "."
	return &e
}

func asError(err error) *chat.Error {
	e, _ := errors.AsType[*chat.Error](err)
	return e
}

// tooLong reports whether a model says that a request is beyond its window.
func tooLong(err error) bool {
	e := asError(err)
	return e != nil && e.Code == chat.CodeContextLength
}

// end lets the next turn in.
func (t *turn) end(ctx context.Context) {
	if t.claim != nil {
		t.claim.leave(ctx, &t.budget)
		t.claim = nil
	}
}

// quiet is a log that nobody reads.
var quiet = slog.New(slog.DiscardHandler)
