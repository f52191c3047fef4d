package conversation

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"bendi/chat"
)

// A Memory keeps conversations in a [Store]. It may be used concurrently.
type Memory struct {
	Options
	store  *steady
	queue  queue
	recent recent
	shared bool   // other programs change what is stored
	name   string // of this gateway among those that share the store
}

// New returns a Memory. Closing it closes the store.
func New(o Options) *Memory {
	o.TTL = cmp.Or(o.TTL, time.Hour)
	o.Down = cmp.Or(o.Down, Fail)
	o.Limit = cmp.Or(o.Limit, o.Down.limit())
	o.Busy = cmp.Or(o.Busy, Wait)
	o.Patience = cmp.Or(o.Patience, 30*time.Second)
	o.MaxSize = cmp.Or(o.MaxSize, 4<<20)
	o.Trim = cmp.Or(o.Trim, TrimError)
	o.Log = cmp.Or(o.Log, quiet)
	if o.Observe == nil {
		o.Observe = nobody{}
	}
	m := &Memory{Options: o, store: newSteady(o.Store, o.Observe), name: rand.Text(), recent: recent{age: o.TTL / 2}}
	_, m.shared = o.Store.(Leaser)
	return m
}

// Close closes the store.
func (m *Memory) Close() error { return m.store.Close() }

// Unreachable returns why the store is left alone at the moment, or nil.
func (m *Memory) Unreachable() error { return m.store.unreachable() }

// load reads a session, renewed where a ttl is given.
func (m *Memory) load(ctx context.Context, key Key, limit, ttl time.Duration) (*Session, error) {
	var v Value
	err := m.store.call(ctx, "load", limit, func(ctx context.Context) (err error) {
		v, err = m.Store.Load(ctx, key, ttl)
		return err
	})
	if err != nil {
		return nil, err
	}
	return m.believe(key, v)
}

// fetch loads a session within a part of the budget of a request.
func (m *Memory) fetch(ctx context.Context, b *budget, part time.Duration, key Key, ttl time.Duration) (*Session, error) {
	var v Value
	err := m.store.spend(ctx, b, part, "load", func(ctx context.Context) (err error) {
		v, err = m.Store.Load(ctx, key, ttl)
		return err
	})
	if err != nil {
		return nil, err
	}
	return m.believe(key, v)
}

// use returns a session for a turn of it, which is kept for at least half its
// time from now on: the one at hand, or what is stored.
func (m *Memory) use(ctx context.Context, b *budget, key Key) (*Session, error) {
	if !m.shared && m.Unreachable() == nil {
		if s := m.recent.get(key); s != nil {
			return s, nil
		}
	}
	return m.fetch(ctx, b, b.whole/2, key, m.TTL)
}

// changed says that a session is stored as it was saved.
func (m *Memory) changed(s *Session, v Value, era int) {
	s.version, s.size = v.Version, len(v.Data)
	m.recent.keep(s, era)
}

// believe reads what the store says is a session, unless it is the version at
// hand. That it is none is a failure of the store, and no reason to leave it
// alone.
func (m *Memory) believe(key Key, v Value) (*Session, error) {
	if s := m.recent.get(key); s != nil && s.version == v.Version {
		return s, nil
	}
	s, err := m.read(key, v)
	if err != nil {
		return nil, &storeError{err: err, unread: true}
	}
	return s, nil
}

// read makes a session of what is stored.
func (m *Memory) read(key Key, v Value) (*Session, error) {
	text, err := m.Sealer.open(key, v.Version, v.Data)
	if err != nil {
		return nil, err
	}
	s, err := decode(key, v.Version, text)
	if err == nil {
		s.size = len(v.Data)
	}
	return s, err
}

// pack makes of a session what is stored. One that is too large loses its
// oldest turns, where it may.
func (m *Memory) pack(s *Session, shrink bool) (Value, error) {
	version := newVersion()
	text, err := encode(s, version)
	for err == nil && shrink && len(text) > m.MaxSize && len(s.Turns) > 1 {
		s.drop(max(1, len(s.Turns)/8))
		text, err = encode(s, version)
	}
	if err != nil {
		return Value{}, err
	}
	return Value{version, m.Sealer.seal(s.Key, version, text)}, nil
}

// drop forgets the first turns. What stands before the conversation stays, and
// so does what the filter has learnt: a summary or a later answer may say again
// what was said in them.
func (s *Session) drop(n int) {
	system := s.system()
	messages := 0
	gone := Turn{}
	for i := range n {
		messages += len(s.Turns[i].Input) + len(s.Turns[i].Output)
		gone.inherit(&s.Turns[i])
	}
	s.Turns = slices.Clone(s.Turns[n:])
	s.Turns[0].inherit(&gone)
	if s.system() == nil {
		s.Turns[0].System = system
	}
	s.Turns[0].Parent = ""
	if s.Summary != nil {
		if s.Summary.Messages < messages {
			s.Summary = nil
		} else {
			s.Summary = &Summary{s.Summary.Messages - messages, s.Summary.Text}
		}
	}
}

// Session returns a session of an owner, or [ErrNotFound]. That does not renew
// it.
func (m *Memory) Session(ctx context.Context, key Key) (*Session, error) {
	s, err := m.load(ctx, key, m.patient(), 0)
	return s, told(err)
}

// List returns sessions of an owner, those used last first, and what to give as
// after for more; empty: there are none.
func (m *Memory) List(ctx context.Context, owner Owner, after string, limit int) (heads []Head, next string, err error) {
	err = m.store.call(ctx, "list", m.patient(), func(ctx context.Context) (err error) {
		heads, next, err = m.Store.List(ctx, owner, after, limit)
		return err
	})
	return heads, next, told(err)
}

// Delete forgets a session, and reports whether there was one. A turn of it
// that began before, and is being answered, is not stored, be it the first.
func (m *Memory) Delete(ctx context.Context, key Key) (was bool, err error) {
	m.queue.void(func(k Key) bool { return k == key })
	defer m.recent.forget(key)
	err = m.store.call(ctx, "delete", m.patient(), func(ctx context.Context) (err error) {
		was, err = m.Store.Delete(ctx, key)
		return err
	})
	return was, told(err)
}

// DeleteAll forgets all sessions of an owner, and returns how many those were.
// Turns that are being answered are not stored.
func (m *Memory) DeleteAll(ctx context.Context, owner Owner) (n int, err error) {
	m.queue.void(func(k Key) bool { return k.Owner == owner })
	defer m.recent.forgetAll(owner)
	err = m.store.call(ctx, "delete", time.Minute, func(ctx context.Context) (err error) {
		n, err = m.Store.DeleteAll(ctx, owner)
		return err
	})
	return n, told(err)
}

// patient is the limit of calls that no answer waits for.
func (m *Memory) patient() time.Duration { return max(m.Limit, 10*time.Second) }

// told makes an error of the store one that a client may see.
func told(err error) error {
	if e, ok := errors.AsType[*storeError](err); ok {
		return unavailable(e)
	}
	if errors.Is(err, ErrPlace) {
		return chat.BadParam("after", "'after' is not what a list of sessions was given as where it goes on.")
	}
	return err
}

// Reseal stores every session again that is not sealed by the first key, and
// returns how many those were and of how many. One that is being answered is
// left to its turn, which does the same.
func (m *Memory) Reseal(ctx context.Context) (resealed, all int, err error) {
	for key, err := range m.Store.All(ctx) {
		if err != nil {
			return resealed, all, err
		}
		all++
		done, err := m.reseal(ctx, key)
		if err != nil {
			return resealed, all, fmt.Errorf("after %d sessions: %w", all-1, err)
		}
		if done {
			resealed++
		}
	}
	return resealed, all, nil
}

// Verify reads every session and says what is wrong with the first that is not
// whole, or with the store. It returns how many it has read.
func (m *Memory) Verify(ctx context.Context) (n int, err error) {
	if v, ok := m.Store.(interface{ Verify(context.Context) error }); ok {
		if err := v.Verify(ctx); err != nil {
			return 0, err
		}
	}
	for key, err := range m.Store.All(ctx) {
		if err != nil {
			return n, err
		}
		v, err := m.Store.Load(ctx, key, 0)
		if errors.Is(err, ErrNotFound) {
			continue // it has expired, or was deleted
		}
		if err == nil {
			_, err = m.read(key, v)
		}
		if err != nil {
			return n, fmt.Errorf("session %s of %s: %w", key.ID, key.Owner, err)
		}
		n++
	}
	return n, nil
}

func (m *Memory) reseal(ctx context.Context, key Key) (bool, error) {
	v, err := m.Store.Load(ctx, key, 0)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case m.Sealer.current(v.Data):
		return false, nil
	}
	s, err := m.read(key, v)
	if err != nil {
		return false, err
	}
	rest := m.TTL - time.Since(s.Used)
	if rest <= 0 {
		rest = m.TTL / 2
	}
	next, err := m.pack(s, false)
	if err != nil {
		return false, err
	}
	err = m.Store.Save(ctx, key, v.Version, next, rest)
	m.recent.forget(key)
	if errors.Is(err, ErrConflict) {
		return false, nil // a turn was faster
	}
	return err == nil, err
}
