package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
)

func fail(kind chat.Kind, again time.Duration) error {
	return &chat.Error{Kind: kind, Msg: "scripted", RetryAfter: again}
}

func code(kind chat.Kind, code string) error {
	return &chat.Error{Kind: kind, Code: code, Msg: "scripted"}
}

// A mortalError is one that the backend may have failed of the request with.
type mortalError struct{ e *chat.Error }

func (e mortalError) Error() string { return e.e.Error() }
func (e mortalError) Unwrap() error { return e.e }
func (mortalError) Deadly() bool    { return true }

// What backends can do wrong, one row each, and what the client sees of it. The
// backends a and b are tiers; the rows of the fault catalogue that are about the
// wire are tested where that is read.
func TestFaults(t *testing.T) {
	reasoning := chat.Event{Reasoning: "hm"}
	call := chat.Event{ToolCall: &chat.ToolCallDelta{ID: "c", Name: "f"}}
	role := chat.Event{}
	ok := scene("b1", "b2")
	tests := []struct {
		name   string
		a, b   []any // b nil: there is a alone
		again  []any // what a plays when it is asked again; nil: the same
		o      func(*PoolOptions)
		idle   time.Duration // of the backends
		text   string
		kind   chat.Kind
		code   string
		failed bool
		trace  string
	}{
		{name: "nothing is wrong", a: scene("a1", role, "a2"), b: ok,
			text: "a1a2", trace: "asked a; committed a; done a"},
		{name: "an answer without a word", a: scene(role), b: ok,
			text: "", trace: "asked a; committed a; done a"},

		{name: "it fails inside, maybe of this request", a: scene(mortalError{&chat.Error{Kind: chat.BadBackend}}),
			failed: true, kind: chat.BadBackend, trace: "asked a; failed a; asked a; failed a; gave up (tries)"},

		// 1, 2: the backend breaks off in the midst.
		{name: "end of stream after a token", a: scene("a1", eof), b: ok,
			text: "a1", failed: true, kind: chat.BadBackend, trace: "asked a; committed a; failed a"},
		{name: "connection reset after a token", a: scene("a1", fail(chat.BadBackend, 0)), b: ok,
			text: "a1", failed: true, kind: chat.BadBackend, trace: "asked a; committed a; failed a"},
		{name: "finish without usage", a: scene("a1", chat.Event{Finish: chat.Stop}, eof), b: ok,
			text: "a1", failed: true, kind: chat.BadBackend, trace: "asked a; committed a; failed a"},
		{name: "it goes on after the finish", a: scene("a1", chat.Event{Finish: chat.Stop}, "a2"), b: ok,
			text: "a1", failed: true, kind: chat.BadBackend, trace: "asked a; committed a; failed a"},
		{name: "it goes on after the usage", a: scene("a1", chat.Event{Finish: chat.Stop}, chat.Event{Usage: &chat.Usage{}}, "a2", io.ErrUnexpectedEOF), b: ok,
			text: "a1", trace: "asked a; committed a; done a"},
		{name: "a choice nobody asked for", a: scene("a1", chat.Event{Choice: 3, Text: "x"}), b: ok,
			text: "a1", failed: true, kind: chat.BadBackend, trace: "asked a; committed a; failed a"},

		// 3: silence in the midst.
		{name: "silence after a token", a: scene("a1", hang), b: ok, idle: time.Minute,
			text: "a1", failed: true, kind: chat.Timeout, code: CodeBackendTimeout, trace: "asked a; committed a; failed a"},
		{name: "pauses that are short enough", a: scene("a1", 50*time.Second, "a2", 50*time.Second, "a3"), b: ok, idle: time.Minute,
			text: "a1a2a3", trace: "asked a; committed a; done a"},

		// 4: no first token.
		{name: "no first token", a: scene(hang), b: ok, o: func(o *PoolOptions) { o.Tiers[0][0].FirstToken = time.Minute },
			text: "b1b2", trace: "asked a; failed a; asked b; committed b; done b"},
		{name: "roles, but no first token", a: scene(role, time.Second, role, hang), b: ok, o: func(o *PoolOptions) { o.Tiers[0][0].FirstToken = time.Minute },
			text: "b1b2", trace: "asked a; failed a; asked b; committed b; done b"},
		{name: "no first token, and no time left", a: scene(hang), b: ok,
			failed: true, kind: chat.Timeout, code: CodeBackendTimeout, trace: "asked a; failed a; gave up (time)"},
		{name: "no first token, and it takes a while to hear of it", a: scene(deaf), b: ok, o: func(o *PoolOptions) { o.Tiers[0][0].FirstToken = time.Minute },
			text: "b1b2", trace: "asked a; failed a; asked b; committed b; done b"},
		{name: "the whole takes too long", a: scene("a1", hang), b: ok, o: func(o *PoolOptions) { o.Total = time.Hour },
			text: "a1", failed: true, kind: chat.Timeout, code: CodeBackendTimeout, trace: "asked a; committed a; gone a"},

		// 5: failures before the first token.
		{name: "502", a: scene(fail(chat.BadBackend, 0)), b: ok,
			text: "b1b2", trace: "asked a; failed a; asked b; committed b; done b"},
		{name: "503", a: scene(fail(chat.Unavailable, 0)), b: ok,
			text: "b1b2", trace: "asked a; failed a; asked b; committed b; done b"},
		{name: "504", a: scene(fail(chat.Timeout, 0)), b: ok,
			text: "b1b2", trace: "asked a; failed a; asked b; committed b; done b"},
		{name: "end of stream without a token", a: scene(role, eof), b: ok,
			text: "b1b2", trace: "asked a; failed a; asked b; committed b; done b"},
		{name: "alone, and better the second time", a: scene(fail(chat.BadBackend, 0)), again: scene("a1"),
			text: "a1", trace: "asked a; failed a; asked a; committed a; done a"},
		{name: "alone, and never better", a: scene(fail(chat.BadBackend, 0)),
			failed: true, kind: chat.BadBackend, trace: "asked a; failed a; asked a; failed a; asked a; failed a; gave up (tries)"},
		{name: "both, then the first again", a: scene(fail(chat.Unavailable, 0)), again: scene("a1"), b: scene(fail(chat.Timeout, 0)),
			text: "a1", trace: "asked a; failed a; asked b; failed b; asked a; committed a; done a"},
		{name: "500 is tried once more, not twice", a: scene(errors.New("bug")), b: scene(fail(chat.BadBackend, 0)),
			failed: true, kind: chat.BadBackend, trace: "asked a; failed a; asked b; failed b; gave up (tries)"},
		{name: "it died, maybe of the request", a: scene(code(chat.Unavailable, chat.CodeEngineFailed)), b: scene(code(chat.Unavailable, chat.CodeEngineFailed)),
			failed: true, kind: chat.Unavailable, code: chat.CodeEngineFailed, trace: "asked a; failed a; asked b; failed b; gave up (tries)"},
		{name: "it says when it is there again", a: scene(&chat.Error{Kind: chat.Unavailable, Code: chat.CodeEngineFailed, RetryAfter: 2 * time.Second}), again: scene("a1"),
			text: "a1", trace: "asked a; failed a; skipped (resting) a; waited (resting); asked a; committed a; done a"},
		{name: "and that is too late", a: scene(&chat.Error{Kind: chat.BadBackend, RetryAfter: time.Hour}),
			failed: true, kind: chat.BadBackend, trace: "asked a; failed a; skipped (resting) a; gave up (backend)"},

		// 6: failures after the first token, of each sort.
		{name: "failure after a thought", a: scene(role, reasoning, fail(chat.Unavailable, 0)), b: ok,
			failed: true, kind: chat.Unavailable, trace: "asked a; committed a; failed a"},
		{name: "failure after a refusal", a: scene(chat.Event{Refusal: "no"}, fail(chat.Unavailable, 0)), b: ok,
			failed: true, kind: chat.Unavailable, trace: "asked a; committed a; failed a"},
		{name: "failure in a tool call", a: scene(call, fail(chat.Unavailable, 0)), b: ok,
			failed: true, kind: chat.Unavailable, trace: "asked a; committed a; failed a"},

		// 8, 36: it has enough to do.
		{name: "429, elsewhere", a: scene(fail(chat.RateLimited, time.Minute)), b: ok,
			text: "b1b2", trace: "asked a; declined a; skipped (resting) a; asked b; committed b; done b"},
		{name: "429, and nobody else", a: scene(fail(chat.RateLimited, 2*time.Second)), again: scene("a1"),
			text: "a1", trace: "asked a; declined a; skipped (resting) a; waited (resting); asked a; committed a; done a"},
		{name: "429 for too long", a: scene(fail(chat.RateLimited, time.Minute)),
			failed: true, kind: chat.RateLimited, trace: "asked a; declined a; skipped (resting) a; gave up (backend)"},
		{name: "429 without an end", a: scene(fail(chat.RateLimited, 1<<60)), b: ok,
			text: "b1b2", trace: "asked a; declined a; skipped (resting) a; asked b; committed b; done b"},
		{name: "429 again and again", a: scene(fail(chat.RateLimited, 0)),
			failed: true, kind: chat.RateLimited, trace: "asked a; declined a; skipped (resting) a; waited (resting); asked a; declined a; skipped (resting) a; waited (resting); asked a; declined a; gave up (tries)"},
		{name: "503 of a full queue", a: scene(fail(chat.Unavailable, time.Second)), b: ok,
			text: "b1b2", trace: "asked a; declined a; skipped (resting) a; asked b; committed b; done b"},

		// 9: our key.
		{name: "401, elsewhere", a: scene(fail(chat.Unauthenticated, 0)), b: ok,
			text: "b1b2", trace: "asked a; failed a; skipped (failed) a; asked b; committed b; done b"},
		{name: "401 is not the client's", a: scene(fail(chat.Unauthenticated, 0)),
			failed: true, kind: chat.BadBackend, code: CodeBackendAuth, trace: "asked a; failed a; skipped (failed) a; gave up (backend)"},
		{name: "401 that the backend has told so", a: scene(code(chat.BadBackend, CodeBackendAuth)),
			failed: true, kind: chat.BadBackend, code: CodeBackendAuth, trace: "asked a; failed a; skipped (failed) a; gave up (backend)"},
		{name: "403 is not the client's", a: scene(fail(chat.Forbidden, 0)),
			failed: true, kind: chat.BadBackend, code: CodeBackendAuth, trace: "asked a; failed a; skipped (failed) a; gave up (backend)"},

		// What the client has to mend is not tried elsewhere.
		{name: "400", a: scene(chat.BadParam("n", "too many")), b: ok,
			failed: true, kind: chat.Invalid, code: chat.CodeInvalidValue, trace: "asked a; invalid a"},
		{name: "413", a: scene(fail(chat.TooLarge, 0)), b: ok,
			failed: true, kind: chat.TooLarge, trace: "asked a; invalid a"},
		{name: "too long, and nobody knows for whom not", a: scene(code(chat.Invalid, chat.CodeContextLength)), b: ok,
			failed: true, kind: chat.Invalid, code: chat.CodeContextLength, trace: "asked a; invalid a"},
		{name: "too long, but not for b", a: scene(code(chat.Invalid, chat.CodeContextLength)), b: ok,
			o:    func(o *PoolOptions) { o.Tiers[0][0].Window, o.Tiers[1][0].Window = 2048, 8192 },
			text: "b1b2", trace: "asked a; declined a; skipped (window) a; asked b; committed b; done b"},
		{name: "too long for b as well", a: scene(code(chat.Invalid, chat.CodeContextLength)), b: ok,
			o:      func(o *PoolOptions) { o.Tiers[0][0].Window, o.Tiers[1][0].Window = 2048, 2048 },
			failed: true, kind: chat.Invalid, code: chat.CodeContextLength, trace: "asked a; declined a; skipped (window) a; skipped (window) b; gave up (backend)"},
		{name: "404", a: scene(code(chat.NotFound, chat.CodeModelNotFound)), b: ok,
			text: "b1b2", trace: "asked a; declined a; skipped (failed) a; asked b; committed b; done b"},
		{name: "404 of a name that the operator gave", a: scene(code(chat.NotFound, chat.CodeModelNotFound)), o: func(o *PoolOptions) { o.Tiers[0][0].As = "x" },
			failed: true, kind: chat.BadBackend, trace: "asked a; declined a; skipped (failed) a; gave up (backend)"},
		{name: "the mask lets nothing out", a: scene(&chat.Error{Kind: chat.Invalid, Code: chat.CodeContentFilter, Filtered: &chat.Filtered{}}), b: ok,
			text: "b1b2", trace: "asked a; declined a; skipped (failed) a; asked b; committed b; done b"},

		// 13: a flood without a word.
		{name: "events without end", a: scene(flood()...), b: ok,
			text: "b1b2", trace: "asked a; failed a; asked b; committed b; done b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := plays(tt.a)
				if tt.again != nil {
					a = plays(tt.a, tt.again)
				}
				o := PoolOptions{Tiers: tiers(inside("a", a))}
				if tt.b != nil {
					o.Tiers = tiers(inside("a", a), inside("b", plays(tt.b)))
				}
				for _, tier := range o.Tiers {
					tier[0].Idle = tt.idle
				}
				if tt.o != nil {
					tt.o(&o)
				}
				p, tr := newPool(t, o)
				got := request(t, t.Context(), p, ask(), 0)
				if got.text != tt.text || (got.err != nil) != tt.failed {
					t.Errorf("the answer is %q, %v", got.text, got.err)
				}
				if tt.failed {
					if e, ok := errors.AsType[*chat.Error](got.err); !ok || e.Kind != tt.kind || e.Code != tt.code {
						t.Errorf("the error is %#v", got.err)
					} else if tt.code == CodeBackendAuth && !strings.Contains(e.Msg, `"a"`) {
						t.Errorf("the error does not name the backend: %s", e.Msg)
					}
				}
				if tr.String() != tt.trace {
					t.Errorf("it went\n     %s\nwant %s", tr, tt.trace)
				}
				idle(t, p)
			})
		})
	}
}

func flood() []any {
	steps := make([]any, 1<<12)
	for i := range steps {
		steps[i] = chat.Event{LogProbs: []chat.TokenLogProbs{{}}}
	}
	return steps
}

// 15: a client that leaves, in every phase. The backend is let go within a
// second, and it is no news about it.
func TestClientsThatLeave(t *testing.T) {
	gone := errors.New("the client has left")
	tests := []struct {
		name  string
		a     []any
		after time.Duration
		trace string
	}{
		{"while it waits for the first token", scene(hang), time.Second, "asked a; gone a"},
		{"with a backend that is slow to hear", scene(deaf), time.Second, "asked a; gone a"},
		{"in the midst", scene("a1", hang), time.Second, "asked a; committed a; gone a"},
		{"while it waits to try again", scene(fail(chat.RateLimited, 3*time.Second)), time.Second, "asked a; declined a; skipped (resting) a; waited (resting); gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(tt.after, func() { cancel(gone) })
				p, tr := newPool(t, PoolOptions{Tiers: tiers(inside("a", plays(tt.a)))})
				got := request(t, ctx, p, ask(), 0)
				if !errors.Is(got.err, gone) {
					t.Errorf("the error is %v", got.err)
				}
				if late := got.took - tt.after; late > time.Second {
					t.Errorf("it took %v more", late)
				}
				if tr.String() != tt.trace {
					t.Errorf("it went %s, want %s", tr, tt.trace)
				}
				if s := p.backends[0].Status(); s.State != "closed" || len(s.Faults) > 0 {
					t.Errorf("the backend is blamed: %+v", s)
				}
				idle(t, p)
			})
		})
	}
	t.Run("out of the loop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, tr := newPool(t, PoolOptions{Tiers: tiers(inside("a", plays(scene("a1", "a2", hang))))})
			if got := request(t, t.Context(), p, ask(), 2); got.text != "a1a2" || got.took > time.Second {
				t.Errorf("got %+v", got)
			}
			if want := "asked a; committed a; gone a"; tr.String() != want {
				t.Errorf("it went %s, want %s", tr, want)
			}
			idle(t, p)
		})
	})
}

// 38: a panic of the backend is its failure, one of the client's loop is not,
// and both leave nothing behind.
func TestPanics(t *testing.T) {
	boom := func() { panic("backend") }
	tests := []struct {
		name   string
		a      []any
		client bool
		faults uint64
	}{
		{"the backend before its first token", scene(boom), false, 1},
		{"with a hedge under way", scene(2*time.Second, boom), false, 1},
		{"the backend in the midst", scene("a1", boom), false, 1},
		{"the client", scene("a1", hang), true, 0},
		{"the client, when it hears of the hedge", scene(hang), true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := newPool(t, PoolOptions{Tiers: tiers(inside("a", plays(tt.a)), inside("b", plays(scene(3*time.Second, "b1")))), Hedge: true})
				train(p.backends[0], time.Second)
				func() {
					defer func() {
						if recover() == nil {
							t.Error("there was no panic")
						}
					}()
					for range p.Chat(t.Context(), ask()) {
						if tt.client {
							panic("client")
						}
					}
				}()
				idle(t, p)
				if n := p.backends[0].Status().Faults[chat.Internal]; n != tt.faults {
					t.Errorf("the backend has %d failures, want %d", n, tt.faults)
				}
			})
		})
	}
}

// 5: however much fails, there are at most a fifth more tries than requests.
func TestBudgetIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		a := plays(scene(time.Second, fail(chat.BadBackend, 0)))
		back := inside("a", a)
		back.breaker.Failures = 1 << 30
		p, _ := newPool(t, PoolOptions{Tiers: tiers(back)})
		done := make(chan end)
		for range n {
			go func() { done <- request(t, t.Context(), p, ask(), 0) }()
		}
		for range n {
			if e := <-done; e.err == nil {
				t.Error("an answer came")
			}
		}
		if most := n + n/5*2; a.calls() > most || a.calls() < n {
			t.Errorf("%d tries of %d requests, want at most %d", a.calls(), n, most)
		}
		idle(t, p)
	})
}

// 35: who is sent away is told when to come again, and not all the same.
func TestNobodyIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := inside("a", plays(scene(fail(chat.BadBackend, 0))))
		back.breaker.Failures, back.breaker.Cooldown = 1, 10*time.Second
		p, tr := newPool(t, PoolOptions{Tiers: tiers(back), Tries: 1})
		request(t, t.Context(), p, ask(), 0)
		seen := make(map[time.Duration]bool)
		for range 20 {
			got := request(t, t.Context(), p, ask(), 0)
			e, ok := errors.AsType[*chat.Error](got.err)
			if !ok || e.Kind != chat.Unavailable || e.Code != CodeNoBackend || e.RetryAfter < 7*time.Second || e.RetryAfter > 16*time.Second {
				t.Fatalf("got %#v", got.err)
			}
			if want := "None of the 1 backends can answer now: 1 failed too often of late. Try again in "; !strings.HasPrefix(e.Msg, want) {
				t.Errorf("got %s", e.Msg)
			}
			seen[e.RetryAfter] = true
		}
		if len(seen) < 10 {
			t.Errorf("20 clients are told %d times", len(seen))
		}
		_ = tr
		idle(t, p)
	})
}

// Half an answer is gone on with by a backend that can, if it is of text alone.
func TestContinue(t *testing.T) {
	half := scene("a1", "a2", fail(chat.BadBackend, 0))
	tests := []struct {
		name   string
		a      []any
		req    func(*chat.Request)
		o      func(*PoolOptions)
		text   string
		failed bool
	}{
		{name: "text", a: half, text: "a1a2b1b2"},
		{name: "thoughts and text", a: scene(chat.Event{Reasoning: "hm"}, "a1", eof), text: "a1b1b2"},
		{name: "thoughts alone", a: scene(chat.Event{Reasoning: "hm"}, eof), failed: true},
		{name: "a tool call", a: scene("a1", chat.Event{ToolCall: &chat.ToolCallDelta{}}, eof), text: "a1", failed: true},
		{name: "finished", a: scene("a1", chat.Event{Finish: chat.Stop}, eof), text: "a1", failed: true},
		{name: "two choices", a: half, req: func(r *chat.Request) { r.N = 2 }, text: "a1a2", failed: true},
		{name: "JSON", a: half, req: func(r *chat.Request) { r.Format = &chat.Format{Type: "json_object"} }, text: "a1a2", failed: true},
		{name: "as long as it may be", a: half, req: func(r *chat.Request) { r.MaxTokens = 2 }, text: "a1a2", failed: true},
		{name: "without prefill", a: half, o: func(o *PoolOptions) { o.Tiers[1][0].Prefill = false }, text: "a1a2", failed: true},
		{name: "without the policy", a: half, o: func(o *PoolOptions) { o.Continue = false }, text: "a1a2", failed: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := plays(scene("b1", "b2"))
				o := PoolOptions{Tiers: tiers(inside("a", plays(tt.a)), inside("b", b)), Continue: true}
				o.Tiers[1][0].Prefill = true
				if tt.o != nil {
					tt.o(&o)
				}
				p, tr := newPool(t, o)
				req := ask()
				req.MaxTokens = 10
				if tt.req != nil {
					tt.req(req)
				}
				got := request(t, t.Context(), p, req, 0)
				if got.text != tt.text || (got.err != nil) != tt.failed {
					t.Errorf("the answer is %q, %v; it went %s", got.text, got.err, tr)
				}
				if tt.failed != (b.calls() == 0) {
					t.Errorf("b was asked %d times", b.calls())
				}
				idle(t, p)
			})
		})
	}

	t.Run("the answer says so", func(t *testing.T) {
		b := plays(scene("b1", "b2"))
		o := PoolOptions{Tiers: tiers(inside("a", plays(half)), inside("b", b)), Continue: true}
		o.Tiers[1][0].Prefill = true
		p, _ := newPool(t, o)
		req := ask()
		req.MaxTokens = 10
		var who []string
		var usage chat.Usage
		for ev, err := range p.Chat(t.Context(), req) {
			if err != nil {
				t.Fatal(err)
			}
			who = append(who, ev.Backend)
			if ev.Usage != nil {
				usage = *ev.Usage
			}
		}
		if got := fmt.Sprint(who); got != "[a a b b b b]" {
			t.Errorf("the events are of %s", got)
		}
		if want := (chat.Usage{PromptTokens: 7, CompletionTokens: 4, Partial: true}); usage != want {
			t.Errorf("the usage is %+v, want %+v", usage, want)
		}
		last := b.reqs[0].Messages[len(b.reqs[0].Messages)-1]
		if last.Role != chat.Assistant || last.Text() != "a1a2" || b.reqs[0].MaxTokens != 8 || len(req.Messages) != 1 {
			t.Errorf("b was asked %+v", b.reqs[0])
		}
	})
}

// 14: a client that takes its time is no silence of the backend.
func TestSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := inside("a", plays(scene(chat.Event{}, "a1", 30*time.Second, "a2", 30*time.Second, "a3")))
		a.Idle = time.Minute
		p, _ := newPool(t, PoolOptions{Tiers: tiers(a)})
		n := 0
		for _, err := range p.Chat(t.Context(), ask()) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			time.Sleep(10 * time.Minute)
		}
		if n != 6 {
			t.Errorf("%d events came", n)
		}
		idle(t, p)
	})
}

// 35: of all who wait for a backend to recover, one finds out, and the others
// go elsewhere meanwhile. Tiers are taken in their order.
func TestNoHerd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		a, b := plays(scene(fail(chat.BadBackend, 0)), scene(fail(chat.BadBackend, 0)), scene(time.Second, "a1")), plays(scene("b1"))
		first := NewBackend(BackendOptions{Name: "a", Zone: Inside, Model: a, Breaker: BreakerOptions{Failures: 1, SlowStart: time.Nanosecond}})
		p, _ := newPool(t, PoolOptions{Tiers: tiers(first, inside("b", b)), Budget: room()})
		all := func() (byA, byB int) {
			beforeA, beforeB := a.calls(), b.calls()
			done := make(chan end)
			for range n {
				go func() { done <- request(t, t.Context(), p, ask(), 0) }()
			}
			for range n {
				if e := <-done; e.err != nil {
					t.Error(e.err)
				}
			}
			return a.calls() - beforeA, b.calls() - beforeB
		}
		request(t, t.Context(), p, ask(), 0) // opens it
		if byA, byB := all(); byA != 0 || byB != n {
			t.Errorf("while it is open, %d and %d were asked", byA, byB)
		}
		time.Sleep(2 * time.Second)
		if byA, byB := all(); byA != 1 || byB != n {
			t.Errorf("when it does not recover, %d and %d were asked", byA, byB)
		}
		time.Sleep(4 * time.Second)
		if byA, byB := all(); byA != 1 || byB != n-1 {
			t.Errorf("when it recovers, %d and %d were asked", byA, byB)
		}
		time.Sleep(time.Second)
		if byA, byB := all(); byA != n || byB != 0 {
			t.Errorf("when it has recovered, %d and %d were asked", byA, byB)
		}
		idle(t, p)
	})
}
