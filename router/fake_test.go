package router

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
)

// A fake plays a scene for each request, the last one again and again. The
// steps of a scene:
//
//	string          a delta of text
//	late            one that is under way when the context ends
//	chat.Event      itself
//	time.Duration   wait, or until the context ends
//	error           end with it
//	hang            wait for the context to end
//	eof             end, whatever there was
//
// A scene that comes to its end has a Finish and the usage.
type fake struct {
	mu     sync.Mutex
	scenes [][]any
	reqs   []chat.Request
	asking int // now
}

type (
	order uint8
	late  string
)

const (
	hang order = iota
	eof
	deaf // as hang, but it takes half a second to hear
)

func plays(scenes ...[]any) *fake { return &fake{scenes: scenes} }

func scene(steps ...any) []any { return steps }

func (f *fake) begin(req *chat.Request) []any {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reqs = append(f.reqs, *req)
	f.asking++
	return f.scenes[min(len(f.reqs), len(f.scenes))-1]
}

func (f *fake) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.reqs)
}

// busy returns how often it is being asked now.
func (f *fake) busy() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asking
}

func (f *fake) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		steps := f.begin(req)
		defer func() { f.mu.Lock(); f.asking--; f.mu.Unlock() }()
		n := 0
		for _, step := range steps {
			if _, under := step.(late); ctx.Err() != nil && !under {
				yield(chat.Event{}, context.Cause(ctx))
				return
			}
			switch step := step.(type) {
			case late:
				if !yield(chat.Event{Text: string(step)}, nil) {
					return
				}
			case string:
				n++
				if !yield(chat.Event{Text: step}, nil) {
					return
				}
			case chat.Event:
				if !yield(step, nil) {
					return
				}
			case time.Duration:
				sleep(ctx, step)
			case error:
				yield(chat.Event{}, step)
				return
			case order:
				switch step {
				case eof:
					return
				case deaf:
					<-ctx.Done()
					time.Sleep(500 * time.Millisecond)
				}
				<-ctx.Done()
			case func():
				step()
			}
		}
		if ctx.Err() != nil {
			yield(chat.Event{}, context.Cause(ctx))
			return
		}
		for i := range max(req.N, 1) {
			if !yield(chat.Event{Choice: i, Finish: chat.Stop}, nil) {
				return
			}
		}
		yield(chat.Event{Usage: &chat.Usage{PromptTokens: 7, CompletionTokens: n}}, nil)
	}
}

// inside returns a backend of the house.
func inside(name string, m chat.Model) *Backend {
	return NewBackend(BackendOptions{Name: name, Model: m, Zone: Inside})
}

// tiers puts each backend into a tier of its own.
func tiers(backends ...*Backend) [][]*Backend {
	var out [][]*Backend
	for _, b := range backends {
		out = append(out, []*Backend{b})
	}
	return out
}

// A trace keeps steps and checks, as they come, what holds of any request.
type trace struct {
	t     *testing.T
	pool  *Pool
	mu    sync.Mutex
	steps []Step
	peak  int64 // of active requests
}

func (tr *trace) note(s Step) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.steps = append(tr.steps, s)
	b := tr.pool.Budget
	tr.peak = max(tr.peak, b.active.Load())
	if n := b.retries.Load(); float64(n) >= max(budgetLeast, budgetShare*float64(tr.peak))+1 {
		tr.t.Errorf("%d retries of %d requests at most", n, tr.peak)
	}
}

// whats tells the steps in short.
func (tr *trace) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var b strings.Builder
	for _, s := range tr.steps {
		if s.What == Waited && s.Reason == BackOff {
			continue
		}
		fmt.Fprintf(&b, "; %s", s.What)
		if s.Reason != "" {
			fmt.Fprintf(&b, " (%s)", s.Reason)
		}
		if s.Backend != "" {
			fmt.Fprintf(&b, " %s", s.Backend)
		}
	}
	return strings.TrimPrefix(b.String(), "; ")
}

func newPool(t *testing.T, o PoolOptions) (*Pool, *trace) {
	t.Helper()
	tr := &trace{t: t}
	o.ID, o.Observe = "m", tr.note
	p, err := NewPool(o)
	if err != nil {
		t.Fatal(err)
	}
	tr.pool = p
	return p, tr
}

func ask() *chat.Request {
	return &chat.Request{ID: "r", Model: "m", N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "你好")}}
}

// An end is how a request ended.
type end struct {
	text string
	err  error // nil: a whole answer, or the client left
	left bool
	took time.Duration
}

// request sends a request and leaves after so many events; 0: it does not. It
// checks what holds of any request: one ending, and nothing left behind.
func request(t *testing.T, ctx context.Context, p *Pool, req *chat.Request, leave int) end {
	t.Helper()
	begun := time.Now()
	var e end
	n := 0
	_, e.err = chattest.Collect(func(yield func(chat.Event, error) bool) {
		for ev, err := range p.Chat(ctx, req) {
			e.text += ev.Text
			if !yield(ev, err) {
				return
			}
			if n++; n == leave {
				e.left = true
				begun = time.Now()
				break
			}
		}
	}, req.N)
	if e.left {
		e.err = nil
	}
	e.took = time.Since(begun)
	return e
}

// idle checks that nothing is under way.
func idle(t *testing.T, p *Pool) {
	t.Helper()
	for _, b := range p.backends {
		if n := b.outstanding.Load(); n != 0 {
			t.Errorf("%s has %d requests outstanding", b.Name, n)
		}
		if f, ok := b.Model.(*fake); ok && f.busy() != 0 {
			t.Errorf("%s is being asked %d times", b.Name, f.busy())
		}
	}
	if n := p.Budget.active.Load(); n != 0 && n != roomy || p.Budget.retries.Load() != 0 {
		t.Errorf("the budget has %d active and %d retries", p.Budget.active.Load(), p.Budget.retries.Load())
	}
}

// room returns a budget that has a place for everybody.
func room() *Budget {
	b := new(Budget)
	b.active.Store(roomy)
	return b
}

const roomy = 1000

// train gives a backend's first tokens a history.
func train(b *Backend, d time.Duration) {
	for range 2 * latencyLeast {
		b.first.add(d)
	}
}
