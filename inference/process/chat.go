package process

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"syscall"
	"time"

	"bendi/chat"
	"bendi/internal/life"
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
	return life.Once(ctx, p, req, chat.Embed, relay)
}

// Rerank has the server score the documents of req, likewise.
func (p *Process) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	return life.Once(ctx, p, req, chat.Rerank, relay)
}

// Tokenize has the server tokenize a text, likewise.
func (p *Process) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	return life.Once(ctx, p, req, chat.Tokenize, relay)
}

// Detokenize has the server turn tokens into text, likewise.
func (p *Process) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	return life.Once(ctx, p, req, chat.Detokenize, relay)
}

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
		inner, over := l.Request(ctx)
		defer over()
		for ev, err := range begin(inner, l.Model) {
			if err != nil {
				if l.Broke(ctx, err, life.Moment) {
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
func fate(l *life.Life, err error) error {
	e, ok := l.Fate().(*chat.Error)
	if !ok || !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOENT) {
		return l.Fate()
	}
	free := *e
	free.Code = ""
	return &free
}

// await waits for a server that can answer, and has it started where nobody
// has asked before.
func (p *Process) await(ctx context.Context) (*life.Life, error) {
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
			err := chat.Errorf(chat.Unavailable, "the server of backend %s was not ready after %v; it is still being started: ask again in a while", p.cfg.Name, life.Rough(wait))
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
