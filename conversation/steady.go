package conversation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"bendi/chat"
)

// steady calls a store with a limit of time, and leaves one alone that is down.
// A call that is late says little: the machine may be busy. So it is a probe,
// with more time than any request has, that decides.
//
//	up       --mostFailures in a row--> doubted  (it is called all the same, and probed)
//	doubted  --the probe fails-->       down     (it is probed each second, and not called)
//	any      --a success-->             up
type steady struct {
	Store
	observe Observer

	ctx  context.Context // of probes
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex
	failures int // in a row
	probing  bool
	last     error
	down     error // why it is left alone; nil: it is not
}

const (
	mostFailures = 3
	restTime     = time.Second // between probes
	probeTime    = time.Second // that a probe may take
)

func newSteady(s Store, o Observer) *steady {
	ctx, stop := context.WithCancel(context.Background())
	return &steady{Store: s, observe: o, ctx: ctx, stop: stop}
}

// Close ends probes and closes the store.
func (s *steady) Close() error {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.wg.Wait()
	return s.Store.Close()
}

// A storeError is a failure of the store, not of a request.
type storeError struct {
	err    error
	unread bool // it answered, with what is no session that we can read
}

func (e *storeError) Error() string { return "the session store: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// call has the store do something within a limit.
func (s *steady) call(ctx context.Context, name string, limit time.Duration, do func(context.Context) error) error {
	_, err := s.within(ctx, name, limit, do)
	return err
}

// within is call, and returns how much of the limit was spent.
func (s *steady) within(ctx context.Context, name string, limit time.Duration, do func(context.Context) error) (spent time.Duration, err error) {
	if why := s.unreachable(); why != nil {
		return 0, &storeError{err: fmt.Errorf("it is down and probed each second: %w", why)}
	}
	begin := time.Now()
	p := newPatience(ctx, limit)
	err = do(p.ctx)
	late := p.ctx.Err() != nil
	spent = p.end()
	failed := err
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrConflict), errors.Is(err, ErrPlace):
		failed = nil
	case err != nil && ctx.Err() != nil:
		return spent, context.Cause(ctx) // whoever asked has left, which says nothing of the store
	case err != nil && late:
		err = &storeError{err: fmt.Errorf("no answer within %v: %w", limit.Round(time.Millisecond), err)}
	case err != nil:
		err = &storeError{err: err}
	}
	s.observe.Store(name, time.Since(begin), failed)
	s.report(failed)
	return spent, err
}

func (s *steady) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.failures, s.down = 0, nil
		return
	}
	s.last = err
	if s.failures++; s.failures >= mostFailures && !s.probing && s.ctx.Err() == nil {
		s.probing = true
		s.wg.Go(s.probe)
	}
}

// probe asks the store until it answers.
func (s *steady) probe() {
	for !s.judge(s.try()) {
		select {
		case <-time.After(restTime):
		case <-s.ctx.Done():
			return
		}
	}
}

// judge draws the conclusion from a probe, and reports whether it was the last.
func (s *steady) judge(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || s.failures < mostFailures { // a request was answered meanwhile
		s.failures, s.down, s.probing = 0, nil, false
		return true
	}
	s.last, s.down = err, err
	return false
}

// probeKey is that of a session which no client can name.
var probeKey = Key{Owner: "~", ID: "~probe"}

// try writes to the store: one that can be read alone is down as well.
func (s *steady) try() error {
	ctx, cancel := context.WithTimeout(s.ctx, probeTime)
	defer cancel()
	data, err := encode(&Session{Key: probeKey}, 1)
	if err != nil {
		return err
	}
	begin := time.Now()
	err = s.Store.Save(ctx, probeKey, 0, Value{1, data}, time.Minute)
	if errors.Is(err, ErrConflict) {
		err = nil
	}
	s.observe.Store("probe", time.Since(begin), err)
	return err
}

// unreachable returns why the store is left alone at the moment, or nil.
func (s *steady) unreachable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// later has the store do something that nobody waits for, unless it is down.
func (s *steady) later(do func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil || s.ctx.Err() != nil {
		return
	}
	s.wg.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, probeTime)
		defer cancel()
		do(ctx)
	})
}

// A budget is how long a request may still wait for the store.
type budget struct {
	whole, left time.Duration
}

// spend calls the store within a part of the budget.
func (s *steady) spend(ctx context.Context, b *budget, part time.Duration, name string, do func(context.Context) error) error {
	if part = min(part, b.left); part <= 0 {
		return &storeError{err: fmt.Errorf("no time is left to %s: the request has waited %v for it", name, b.whole)}
	}
	spent, err := s.within(ctx, name, part, do)
	b.left -= spent
	return err
}

// unavailable is what a client is told of a failing store.
func unavailable(err error) error {
	if e, ok := errors.AsType[*storeError](err); ok && e.unread {
		return &chat.Error{Kind: chat.Unavailable, Code: CodeUnread, Err: err,
			Msg: "What is stored of the session cannot be read; the log of the server says why. Begin another session, or delete this one."}
	}
	return &chat.Error{Kind: chat.Unavailable, Code: CodeStoreDown, RetryAfter: restTime, Err: err,
		Msg: "The memory of sessions cannot be reached. Try again, or send the whole conversation without session_id."}
}

// Codes that clients act on.
const (
	CodeStoreDown = "session_store_unavailable"
	CodeUnread    = "session_unreadable"
	CodeBusy      = "session_busy"
	CodeChanged   = "session_changed"
	CodeTooLarge  = "session_too_large"

	CodeNoConversation = "conversation_not_found"
	CodeNoPrevious     = "previous_response_not_found"
)
