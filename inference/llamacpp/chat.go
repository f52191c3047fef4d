package llamacpp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"bendi/chat"
	"bendi/internal/life"
)

// Models lists the base model, then its adapters. Where the window was left to
// the worker, it is not known before one has been ready.
func (w *Worker) Models() []chat.ModelInfo {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Clone(w.models)
	for i := range all {
		all[i].State = w.residence()
		if w.window > 0 {
			all[i].Context = w.window
		}
	}
	return all
}

// models returns what the worker offers.
func (c Config) models() []chat.ModelInfo {
	base := chat.ModelInfo{ID: c.Name, OwnedBy: "local", Context: c.Context}
	if file, err := os.Stat(c.Model); err == nil {
		base.Created = file.ModTime().Unix()
	}
	all := []chat.ModelInfo{base}
	for _, adapter := range slices.Sorted(maps.Keys(c.Adapters)) {
		info := base
		info.ID = c.Name + ":" + adapter
		all = append(all, info)
	}
	return all
}

// Chat streams the worker's answer. While the worker is loading, or has to be
// loaded or restarted first, it waits for it, ReadyWait at most. When the worker dies, a request
// that it had taken ends with an error, since it may have died of it; one that
// it had not taken waits for the next.
func (w *Worker) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return relay(ctx, w, func(ctx context.Context, m chat.Model) iter.Seq2[chat.Event, error] { return m.Chat(ctx, req) })
}

// relay passes on what begin asks of the process, as [Worker.Chat] says.
func relay[T any](ctx context.Context, w *Worker, begin func(context.Context, chat.Model) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		w.come()
		defer w.part()
		w.mu.Lock()
		patience := time.After(w.cfg.ReadyWait)
		w.mu.Unlock()
		for {
			p, err := w.await(ctx, patience)
			if err != nil {
				yield(*new(T), err)
				return
			}
			if !attempt(ctx, p, begin, yield) {
				return
			}
		}
	}
}

// await waits for a process that can answer, and has the model loaded where
// nobody has asked before.
func (w *Worker) await(ctx context.Context, patience <-chan time.Time) (*process, error) {
	var mine *trial
	for {
		w.mu.Lock()
		if mine != nil && mine.err != nil {
			w.mu.Unlock()
			return nil, mine.err
		}
		w.call()
		mine = w.trial
		state, changed, p, refusal := w.state, w.changed, w.proc, w.refusal()
		w.mu.Unlock()
		switch state {
		case ready:
			return p, nil
		case failed, closed:
			return nil, refusal
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the engine of model %s: %w", w.cfg.Name, context.Cause(ctx))
		case <-patience:
			w.mu.Lock()
			defer w.mu.Unlock()
			if err := w.condition(); err != nil {
				err.RetryAfter = 5 * time.Second
				return nil, err
			}
			return w.proc, nil
		}
	}
}

// attempt passes on the process's answer. It returns true when the process had
// died before it took the request, so that another may be asked.
func attempt[T any](ctx context.Context, p *process, begin func(context.Context, chat.Model) iter.Seq2[T, error], yield func(T, error) bool) (again bool) {
	inner, over := p.Request(ctx)
	defer over()
	begun := false
	for ev, err := range begin(inner, p.Model) {
		if err != nil {
			free, limit := !begun && notTaken(err), life.Moment
			if free {
				limit = patient
			}
			switch {
			case !p.Broke(ctx, err, limit):
			case free:
				return true
			default:
				err = p.Fate()
			}
			yield(*new(T), err)
			return false
		}
		begun = true
		if !yield(ev, nil) {
			return false
		}
	}
	return false
}

// patient is how long a request that the process has not taken waits for the
// news of its death: it takes a large process a while to go.
const patient = 5 * time.Second

// notTaken reports whether err means that the process had not read the
// request. A unix socket says "connection reset" only where something was
// left unread; a process that dies of a request it has read ends the stream,
// and that request is not put to the next process.
func notTaken(err error) bool {
	for _, no := range []error{syscall.ENOENT, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}
