package main

import (
	"context"
	"iter"
	"sync"
	"time"

	"bendi/chat"
	"bendi/openaicompat"
)

// A gate is what requests go through, so that the program can end gracefully:
//
//	open     --drain-->            draining (new requests are refused)
//	draining --last answer ends--> shut
//	draining --time is up-->       shut (the answers left end with an error)
type gate struct {
	mu       sync.Mutex
	draining bool
	running  int
	idle     chan struct{} // closed when draining and nothing runs

	ctx   context.Context // ended with errShuttingDown when time is up
	abort context.CancelCauseFunc
}

var errShuttingDown = &chat.Error{
	Kind: chat.Unavailable, Code: chat.CodeShuttingDown, RetryAfter: 5 * time.Second,
	Msg: "the server is shutting down: try again in 5 s",
}

func newGate() *gate {
	g := &gate{idle: make(chan struct{})}
	g.ctx, g.abort = context.WithCancelCause(context.Background())
	return g
}

// A tower is what the gateway has for a route: a Model with all its gifts.
type tower interface {
	chat.Model
	chat.Lister
	chat.Embedder
	chat.Reranker
	chat.Tokenizer
	openaicompat.Resolver
}

// guard returns t behind the gate.
func (g *gate) guard(t tower) chat.Model { return guarded{t, g} }

// refused returns the error of requests that come too late, or nil.
func (g *gate) refused() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining {
		return errShuttingDown
	}
	return nil
}

// drain refuses new requests and waits until the running answers have ended.
// When ctx ends first, they are ended with an error. It returns how many that
// were.
func (g *gate) drain(ctx context.Context) (cut int) {
	g.mu.Lock()
	if !g.draining {
		g.draining = true
		if g.running == 0 {
			close(g.idle)
		}
	}
	g.mu.Unlock()
	select {
	case <-g.idle:
		return 0
	case <-ctx.Done():
	}
	g.mu.Lock()
	cut = g.running
	g.mu.Unlock()
	g.abort(errShuttingDown)
	select {
	case <-g.idle:
	case <-time.After(time.Second): // as long as a Model may take to stop
	}
	return cut
}

// count returns how many answers are running.
func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running
}

func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining {
		return errShuttingDown
	}
	g.running++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running--; g.running == 0 && g.draining {
		close(g.idle)
	}
}

// A guarded tower lists and resolves names as the tower does.
type guarded struct {
	tower
	gate *gate
}

func (m guarded) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		if err := m.gate.enter(); err != nil {
			yield(chat.Event{}, err)
			return
		}
		defer m.gate.leave()
		ctx, cancel := m.gate.until(ctx)
		defer cancel()
		m.tower.Chat(ctx, req)(yield)
	}
}

// until returns ctx for one answer. It also ends when time is up.
func (g *gate) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(g.ctx, func() { cancel(errShuttingDown) })
	return ctx, func() { stop(); cancel(nil) }
}

func (m guarded) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	return through(ctx, m.gate, req, m.tower.Embed)
}

func (m guarded) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	return through(ctx, m.gate, req, m.tower.Rerank)
}

func (m guarded) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	return through(ctx, m.gate, req, m.tower.Tokenize)
}

func (m guarded) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	return through(ctx, m.gate, req, m.tower.Detokenize)
}

// through has answer answer req, if the gate is open.
func through[Req, Answer any](ctx context.Context, g *gate, req *Req, answer func(context.Context, *Req) (*Answer, error)) (*Answer, error) {
	if err := g.enter(); err != nil {
		return nil, err
	}
	defer g.leave()
	ctx, cancel := g.until(ctx)
	defer cancel()
	return answer(ctx, req)
}
