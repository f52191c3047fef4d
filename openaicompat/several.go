package openaicompat

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"sync"

	"bendi/chat"
)

// several has m answer requests side by side, as if they were one: the choices
// of each come behind those of the one before it. All of it ends with the first
// that fails. Its goroutines have ended when it has.
func several(ctx context.Context, m chat.Model, reqs []*chat.Request) iter.Seq2[chat.Event, error] {
	if len(reqs) == 1 {
		return m.Chat(ctx, reqs[0])
	}
	return func(yield func(chat.Event, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		steps := make(chan step)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel(errGone)
		first := 0
		for _, req := range reqs {
			from := first
			first += req.N
			wg.Go(func() { pass(ctx, m, req, from, steps) })
		}
		var usage chat.Usage
		for left := len(reqs); left > 0; {
			var s step
			select {
			case s = <-steps:
			case <-ctx.Done():
				yield(chat.Event{}, context.Cause(ctx))
				return
			}
			if s.err != nil {
				yield(chat.Event{}, s.err)
				return
			}
			if u := s.ev.Usage; u != nil {
				left--
				usage.PromptTokens += u.PromptTokens
				usage.CachedTokens += u.CachedTokens
				usage.CompletionTokens += u.CompletionTokens
				usage.ReasoningTokens += u.ReasoningTokens
				usage.Partial = usage.Partial || u.Partial
				if s.ev.Usage = nil; left == 0 {
					s.ev.Usage = &usage
				}
			}
			if !yield(s.ev, nil) {
				return
			}
		}
	}
}

// A step is an event of one of several answers, or its failure.
type step struct {
	ev  chat.Event
	err error
}

// pass passes on one of several answers.
func pass(ctx context.Context, m chat.Model, req *chat.Request, from int, steps chan<- step) {
	send := func(s step) bool {
		select {
		case steps <- s:
			return true
		case <-ctx.Done():
			return false
		}
	}
	defer func() {
		if p := recover(); p != nil { // nothing else would, in a goroutine
			send(step{err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())})
		}
	}()
	for ev, err := range held(m.Chat(ctx, req), req.N) {
		ev.Choice += from
		if !send(step{ev, err}) {
			return
		}
	}
}
