// Package chattest holds what tests of a [chat.Model] share: the contract
// suite that every implementation runs, and a model that plays a script.
package chattest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"bendi/chat"
)

// stopLimit is how long a Model may go on after it was told to stop.
const stopLimit = time.Second

// Contract checks that m keeps the promises of [chat.Model]. Each call of ask
// returns a fresh request whose answer has at least three events.
func Contract(t *testing.T, m chat.Model, ask func() *chat.Request) {
	t.Run("a whole answer is well formed", func(t *testing.T) {
		req, before := ask(), ask()
		if _, err := Collect(m.Chat(t.Context(), req), req.N); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(req, before) {
			t.Errorf("Chat changed the request:\n got %+v\nwant %+v", req, before)
		}
	})

	t.Run("leaving early stops it, and it answers again", func(t *testing.T) {
		start := time.Now()
		for _, err := range m.Chat(t.Context(), ask()) {
			if err != nil {
				t.Fatal(err)
			}
			start = time.Now()
			break
		}
		if d := time.Since(start); d > stopLimit {
			t.Errorf("the loop was left %v ago and has only ended now", d)
		}
		if _, err := Collect(m.Chat(t.Context(), ask()), ask().N); err != nil {
			t.Errorf("the next request failed: %v", err)
		}
	})

	t.Run("ending the context stops it with the cause", func(t *testing.T) {
		cause := errors.New("the test has seen enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var start time.Time
		var last error
		for _, err := range m.Chat(ctx, ask()) {
			if err != nil {
				last = err
				continue
			}
			if start.IsZero() {
				start = time.Now()
				cancel(cause)
			}
		}
		switch {
		case start.IsZero():
			t.Fatalf("no event came, only the error %v", last)
		case last == nil:
			// A short answer may have been over before the news arrived.
		case !errors.Is(last, cause):
			t.Errorf("the error is %v, which does not wrap the cause", last)
		}
		if d := time.Since(start); d > stopLimit {
			t.Errorf("the context ended %v before the sequence", d)
		}
	})

	t.Run("an ended context begins nothing", func(t *testing.T) {
		cause := errors.New("too late")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		var n int
		for ev, err := range m.Chat(ctx, ask()) {
			n++
			if err == nil {
				t.Errorf("an event came: %+v", ev)
			} else if !errors.Is(err, cause) {
				t.Errorf("the error is %v, which does not wrap the cause", err)
			}
		}
		if n != 1 {
			t.Errorf("%d steps, want the error alone", n)
		}
	})

	t.Run("it answers concurrently", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				req := ask()
				if _, err := Collect(m.Chat(t.Context(), req), req.N); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// An Answer is what a whole sequence of events adds up to.
type Answer struct {
	Text   []string // by choice
	Finish []chat.Finish
	Usage  chat.Usage
	Events int
}

// Collect ranges over a sequence and adds it up. It returns the sequence's own
// error, or one that says which promise of [chat.Model] was broken.
func Collect(seq func(yield func(chat.Event, error) bool), n int) (*Answer, error) {
	n = max(n, 1)
	a := &Answer{Finish: make([]chat.Finish, n)}
	text := make([]strings.Builder, n)
	var failed error
	var ended bool
	for ev, err := range seq {
		switch {
		case failed != nil:
			return nil, fmt.Errorf("the sequence went on after its error %w", failed)
		case ended:
			return nil, fmt.Errorf("the sequence went on after the usage: %+v, %v", ev, err)
		case err != nil:
			if !reflect.DeepEqual(ev, chat.Event{}) {
				return nil, fmt.Errorf("the error %w came with an event: %+v", err, ev)
			}
			failed = err
			continue
		case ev.Choice < 0 || ev.Choice >= n:
			return nil, fmt.Errorf("choice %d of %d", ev.Choice, n)
		}
		a.Events++
		delta := ev.Text + ev.Reasoning + ev.Refusal
		if !utf8.ValidString(delta) {
			return nil, fmt.Errorf("a delta is not whole runes: %q", delta)
		}
		if done := a.Finish[ev.Choice]; done != "" && (delta != "" || ev.ToolCall != nil || ev.Finish != "") {
			return nil, fmt.Errorf("choice %d went on after it finished (%s): %+v", ev.Choice, done, ev)
		}
		text[ev.Choice].WriteString(ev.Text)
		if ev.Finish != "" {
			a.Finish[ev.Choice] = ev.Finish
		}
		if ev.Usage != nil {
			a.Usage, ended = *ev.Usage, true
		}
	}
	if failed != nil {
		return nil, failed
	}
	for i, f := range a.Finish {
		if f == "" {
			return nil, fmt.Errorf("the sequence ended and choice %d had not finished", i)
		}
		a.Text = append(a.Text, text[i].String())
	}
	if !ended {
		return nil, errors.New("the sequence ended without the usage")
	}
	return a, nil
}
