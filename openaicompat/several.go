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
		var last chat.Event // the one with the usage, which waits until all are over
		for left := len(reqs); left > 0; {
			var s step
			select {
			case s = <-steps:
			case <-ctx.Done():
				yield(chat.Event{}, context.Cause(ctx))
				return
			}
			switch {
			case s.err != nil:
				yield(chat.Event{}, s.err)
				return
			case s.over:
				left--
				continue
			case s.ev.Usage != nil:
				add(&usage, s.ev.Usage)
				s.ev, last = last, s.ev
				if s.ev.Usage == nil {
					continue // it was the first
				}
				s.ev.Usage = nil
			}
			if !yield(s.ev, nil) {
				return
			}
		}
		last.Usage = &usage
		yield(last, nil)
	}
}

func add(sum, u *chat.Usage) {
	sum.PromptTokens += u.PromptTokens
	sum.CachedTokens += u.CachedTokens
	sum.CompletionTokens += u.CompletionTokens
	sum.ReasoningTokens += u.ReasoningTokens
	sum.Partial = sum.Partial || u.Partial
}

// A step is an event of one of several answers, its failure, or its end.
type step struct {
	ev   chat.Event
	err  error
	over bool
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
		if !send(step{ev: ev, err: err}) || err != nil {
			return
		}
	}
	send(step{over: true})
}
