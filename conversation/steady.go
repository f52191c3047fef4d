package conversation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"bendi/chat"
)

// steady calls a store with a limit of time, and leaves one alone for a while
// that keeps failing.
//
//	up   --mostFailures in a row--> down
//	down --a second passes-->       one call may try
//	a call that succeeds -->        up
type steady struct {
	Store
	observe Observer

	mu       sync.Mutex
	failures int
	again    time.Time // when the next call may try; for failures at the most
	last     error
}

const (
	mostFailures = 3
	restTime     = time.Second
)

// A storeError is a failure of the store, not of a request.
type storeError struct{ err error }

func (e *storeError) Error() string { return "the session store: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// call has the store do something within a limit.
func (s *steady) call(ctx context.Context, name string, limit time.Duration, do func(context.Context) error) error {
	if err := s.allow(); err != nil {
		return err
	}
	begin := time.Now()
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := do(limited)
	failed := err
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrConflict):
		failed = nil
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx) // whoever asked has left, which says nothing of the store
	case err != nil:
		err = &storeError{err}
	}
	s.observe.Store(name, time.Since(begin), failed)
	s.report(failed)
	return err
}

func (s *steady) allow() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures < mostFailures {
		return nil
	}
	if now := time.Now(); now.After(s.again) {
		s.again = now.Add(restTime)
		return nil
	}
	return &storeError{fmt.Errorf("it failed %d times in a row and is tried again each second; last: %w", s.failures, s.last)}
}

func (s *steady) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.failures = 0
		return
	}
	s.last = err
	if s.failures++; s.failures >= mostFailures {
		s.again = time.Now().Add(restTime)
	}
}

// down returns why the store is left alone at the moment, or nil.
func (s *steady) down() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures < mostFailures {
		return nil
	}
	return s.last
}

// unavailable is what a client is told of a failing store.
func unavailable(err error) error {
	return &chat.Error{Kind: chat.Unavailable, Code: CodeStoreDown, RetryAfter: restTime, Err: err,
		Msg: "The memory of sessions cannot be reached. Try again, or send the whole conversation without session_id."}
}

// Codes that clients act on.
const (
	CodeStoreDown = "session_store_unavailable"
	CodeBusy      = "session_busy"
	CodeChanged   = "session_changed"
	CodeTooLarge  = "session_too_large"
)
