package ollama

import (
	"context"
	"errors"
	"iter"
	"maps"
	"sync"

	"bendi/chat"
)

// Chat streams the server's answer to req. Several choices are asked for side
// by side, each with a seed of its own.
func (m *Model) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		if ctx.Err() != nil {
			yield(chat.Event{}, m.failed(ctx, nil))
			return
		}
		left := false
		emit := func(ev chat.Event) bool {
			left = left || !yield(ev, nil)
			return !left
		}
		used, err := m.ask(ctx, req, emit)
		switch {
		case left:
		case err != nil:
			yield(chat.Event{}, m.failed(ctx, err))
		default:
			yield(chat.Event{Usage: &used}, nil)
		}
	}
}

// ask readies a request, and emits the answer to it.
func (m *Model) ask(ctx context.Context, req *chat.Request, emit func(chat.Event) bool) (chat.Usage, error) {
	offer, err := m.offer(req.Model)
	if err != nil {
		return chat.Usage{}, err
	}
	f, err := m.about(ctx, offer.Model)
	if err != nil {
		return chat.Usage{}, err
	}
	body, err := m.body(req, offer, f)
	if err != nil {
		return chat.Usage{}, err
	}
	a := asking{body: body, single: req.ParallelToolCalls != nil && !*req.ParallelToolCalls}
	if a.prompt, err = m.fit(ctx, body, f, req.MaxTokens); err != nil {
		return chat.Usage{}, err
	}
	if req.N <= 1 {
		used, _, err := m.answer(ctx, a, 0, emit)
		return used, err
	}
	return m.sideBySide(ctx, a, req.N, emit)
}

var errOther = errors.New("another choice of the answer failed")

// sideBySide asks for n choices at once. The goroutines have ended when it
// returns.
func (m *Model) sideBySide(ctx context.Context, a asking, n int, emit func(chat.Event) bool) (chat.Usage, error) {
	type step struct {
		event chat.Event
		used  *chat.Usage // of a choice that is whole
		err   error
	}
	ctx, cancel := context.WithCancelCause(ctx)
	steps := make(chan step)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(errOther)
	pass := func(s step) bool {
		select {
		case steps <- s:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for i := range n {
		own := a
		own.body = new(*a.body)
		own.body.Options = maps.Clone(a.body.Options)
		if seed, given := own.body.Options["seed"].(int64); given {
			own.body.Options["seed"] = fold(seed + int64(i))
		}
		wg.Go(func() {
			used, whole, err := m.answer(ctx, own, i, func(ev chat.Event) bool { return pass(step{event: ev}) })
			if whole || err != nil {
				pass(step{used: &used, err: err})
			}
		})
	}
	var sum chat.Usage
	for left := n; left > 0; {
		select {
		case s := <-steps:
			switch {
			case s.err != nil:
				return sum, s.err
			case s.used != nil:
				left--
				sum.PromptTokens = max(sum.PromptTokens, s.used.PromptTokens) // of one prompt, read once
				sum.CompletionTokens += s.used.CompletionTokens
			case !emit(s.event):
				return sum, nil
			}
		case <-ctx.Done():
			return sum, context.Cause(ctx)
		}
	}
	return sum, nil
}
