package process

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"syscall"
	"time"

	"bendi/chat"
)

// Chat streams the server's answer to req. Where the server does not run, it is
// started first, and the request waits for it, ReadyWait at most. When it dies,
// an answer that it was giving ends with an error.
func (p *Process) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return relay(ctx, p, func(ctx context.Context, m chat.Model) iter.Seq2[chat.Event, error] { return m.Chat(ctx, req) })
}

// Embed has the server embed the inputs of req. It waits for the server, and
// ends when that dies, as Chat does.
func (p *Process) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	return once(ctx, p, req, chat.Embed)
}

// Rerank has the server score the documents of req, likewise.
func (p *Process) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	return once(ctx, p, req, chat.Rerank)
}

// Tokenize has the server tokenize a text, likewise.
func (p *Process) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	return once(ctx, p, req, chat.Tokenize)
}

// Detokenize has the server turn tokens into text, likewise.
func (p *Process) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	return once(ctx, p, req, chat.Detokenize)
}

// once relays an answer that comes in one piece.
func once[Req, Answer any](ctx context.Context, p *Process, req *Req, ask func(context.Context, chat.Model, *Req) (*Answer, error)) (*Answer, error) {
	for answer, err := range relay(ctx, p, func(ctx context.Context, m chat.Model) iter.Seq2[*Answer, error] {
		return func(yield func(*Answer, error) bool) { yield(ask(ctx, m, req)) }
	}) {
		return answer, err
	}
	panic("a relay ends with an answer or an error")
}

var errLeft = errors.New("the answer is over")

// breakTime is how long the connections of a dead server may take to break.
const breakTime = 300 * time.Millisecond

// relay passes on what begin asks of the server.
func relay[T any](ctx context.Context, p *Process, begin func(context.Context, chat.Model) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		p.come()
		defer p.part()
		l, err := p.await(ctx)
		if err != nil {
			yield(*new(T), err)
			return
		}
		inner, cancel := context.WithCancelCause(ctx)
		defer cancel(errLeft)
		// The connection to a dead server breaks by itself, and how it breaks
		// says more. This is for one that does not.
		stop := context.AfterFunc(l.ctx, func() {
			time.AfterFunc(breakTime, func() { cancel(context.Cause(l.ctx)) })
		})
		defer stop()
		for ev, err := range begin(inner, l.client) {
			if err != nil {
				if ctx.Err() == nil && broken(err) && l.dies(ctx) {
					err = fate(l, err)
				}
				yield(*new(T), err)
				return
			}
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// fate is what a request of a server that has died is told. One that it had not
// taken cannot be what it died of, and any other server may be asked.
func fate(l *life, err error) error {
	e, ok := context.Cause(l.ctx).(*chat.Error)
	if !ok || !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOENT) {
		return context.Cause(l.ctx)
	}
	free := *e
	free.Code = ""
	return &free
}

// broken reports whether err may come from the death of the server.
func broken(err error) bool {
	e, ok := errors.AsType[*chat.Error](err)
	return ok && (e.Kind == chat.BadBackend || e.Kind == chat.Unavailable && e.Err != nil)
}

// dies waits a moment for the news that the server is dead, which its
// connections may tell before the system does.
func (l *life) dies(ctx context.Context) bool {
	select {
	case <-l.ctx.Done():
		return true
	case <-ctx.Done():
	case <-time.After(800 * time.Millisecond):
	}
	return false
}

// await waits for a server that can answer, and has it started where nobody
// has asked before.
func (p *Process) await(ctx context.Context) (*life, error) {
	p.mu.Lock()
	wait := p.cfg.ReadyWait
	p.mu.Unlock()
	patience := time.After(wait)
	var mine *trial
	for {
		p.mu.Lock()
		if mine != nil && mine.err != nil {
			p.mu.Unlock()
			return nil, mine.err
		}
		if p.state == stopped {
			p.trial = new(trial)
			p.enter(queued)
		}
		mine = p.trial
		state, changed, l := p.state, p.changed, p.life
		var refusal *chat.Error
		if state == failed || state == closed {
			refusal = p.refusal()
		}
		p.mu.Unlock()
		switch {
		case refusal != nil:
			return nil, refusal
		case state == ready:
			return l, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the server of backend %s: %w", p.cfg.Name, context.Cause(ctx))
		case <-patience:
			err := chat.Errorf(chat.Unavailable, "the server of backend %s was not ready after %v; it is still being started: ask again in a while", p.cfg.Name, rough(wait))
			err.RetryAfter = 5 * time.Second
			return nil, err
		}
	}
}

// come notes a request, so that the server is not stopped under it.
func (p *Process) come() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy++
}

// part notes its end.
func (p *Process) part() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy--; p.busy == 0 {
		p.used = time.Now()
	}
}
