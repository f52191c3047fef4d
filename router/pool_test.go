package router

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
)

var (
	_ chat.Model     = (*Pool)(nil)
	_ chat.Lister    = (*Pool)(nil)
	_ chat.Embedder  = (*Pool)(nil)
	_ chat.Reranker  = (*Pool)(nil)
	_ chat.Tokenizer = (*Pool)(nil)
)

// Whatever stands behind a Pool, it is a Model: alone, after a failure, in a
// race that either side wins, and when an answer is gone on with.
func TestPoolContract(t *testing.T) {
	good := chattest.Script("你\n好\n!sleep 1ms\n。\n")
	slow := chattest.Script("!sleep 5ms\n你\n好\n!sleep 1ms\n。\n")
	bad := chattest.Script("!fail unavailable try again\n")
	half := chattest.Script("你\n!fail bad-backend broken\n")
	patient := func(b *Backend) *Backend { // it fails all the time here, and is to be asked all the same
		b.breaker.Failures, b.breaker.seen = 1<<30, -1<<30
		return b
	}
	prefill := func(b *Backend) *Backend { b.Prefill = true; return b }
	tests := map[string]PoolOptions{
		"alone":               {Tiers: tiers(inside("a", good))},
		"after a failure":     {Tiers: tiers(patient(inside("a", bad)), inside("b", good))},
		"the first wins":      {Tiers: tiers(inside("a", slow), inside("b", chattest.Script("!sleep 1s\nno\n"))), Hedge: true},
		"the hedge wins":      {Tiers: tiers(inside("a", chattest.Script("!sleep 10s\nno\n")), inside("b", slow)), Hedge: true},
		"the first fails":     {Tiers: tiers(patient(inside("a", chattest.Script("!sleep 3ms\n!fail unavailable no\n"))), inside("b", slow)), Hedge: true},
		"the hedge fails":     {Tiers: tiers(inside("a", slow), patient(inside("b", bad))), Hedge: true},
		"it is gone on with":  {Tiers: tiers(patient(inside("a", half)), prefill(inside("b", good))), Continue: true},
		"with all its limits": {Tiers: tiers(inside("a", good)), Total: time.Minute, FirstToken: time.Minute},
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			o.Budget = room()
			p, _ := newPool(t, o)
			train(p.backends[0], time.Millisecond)
			chattest.Contract(t, p, ask)
			idle(t, p)
		})
	}
	t.Run("behind a route", func(t *testing.T) {
		p, _ := newPool(t, PoolOptions{Tiers: tiers(patient(inside("a", bad)), inside("b", good)), Budget: room()})
		r, err := New([]Offer{{ModelInfo: chat.ModelInfo{ID: "m"}, Model: p}}, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		chattest.Contract(t, r, ask)
		for ev := range r.Chat(t.Context(), ask()) {
			if ev.Backend != "b" {
				t.Errorf("the answer is said to be of %q", ev.Backend)
			}
		}
		if got := r.Models(); len(got) != 1 || got[0].ID != "m" {
			t.Errorf("it lists %v", got)
		}
	})
}

// The first token decides a race, the loser is cancelled at once, and only its
// winner is heard.
func TestHedge(t *testing.T) {
	s := func(d time.Duration, rest ...any) []any { return append([]any{d}, rest...) }
	bad := fail(chat.BadBackend, 0)
	tests := []struct {
		name   string
		a, b   []any
		o      func(*PoolOptions)
		text   string
		took   time.Duration // about
		failed bool
		trace  string
	}{
		{name: "in time", a: s(500*time.Millisecond, "a1", 10*time.Second, "a2"), b: s(0, "b1"),
			text: "a1a2", took: 10500 * time.Millisecond, trace: "asked a; committed a; done a"},
		{name: "the hedge is faster", a: s(10*time.Second, "a1"), b: s(time.Second, "b1", time.Second, "b2"),
			text: "b1b2", took: 3024 * time.Millisecond, trace: "asked a; hedged b; committed b; lost a; done b"},
		{name: "the first is, after all", a: s(2*time.Second, "a1", time.Second, "a2"), b: s(5*time.Second, "b1"),
			text: "a1a2", took: 3 * time.Second, trace: "asked a; hedged b; committed a; done a; lost b"},
		{name: "the first fails", a: s(2*time.Second, bad), b: s(5*time.Second, "b1"),
			text: "b1", took: 6024 * time.Millisecond, trace: "asked a; hedged b; failed a; committed b; done b"},
		{name: "the hedge fails", a: s(2*time.Second, "a1"), b: s(0, bad),
			text: "a1", took: 2 * time.Second, trace: "asked a; hedged b; committed a; done a; failed b"},
		{name: "both fail, then the first does not", a: s(2*time.Second, bad), b: s(2*time.Second, bad),
			text: "again", took: 3036 * time.Millisecond, trace: "asked a; hedged b; failed a; failed b; asked a; committed a; done a"},
		{name: "the hedge wins and fails", a: s(5*time.Second, "a1"), b: s(0, "b1", bad),
			text: "b1", failed: true, took: 1024 * time.Millisecond, trace: "asked a; hedged b; committed b; lost a; failed b"},
		{name: "the request is at fault", a: s(2*time.Second, chat.BadParam("n", "no")), b: s(5*time.Second, "b1"),
			failed: true, took: 2 * time.Second, trace: "asked a; hedged b; invalid a; lost b"},
		{name: "the first hears late that it lost", a: s(0, deaf), b: s(0, "b1"),
			text: "b1", took: 1524 * time.Millisecond, trace: "asked a; hedged b; committed b; lost a; done b"},
		{name: "the hedge panics", a: s(2*time.Second, "a1"), b: s(0, func() { panic("no") }),
			text: "a1", took: 2 * time.Second, trace: "asked a; hedged b; committed a; done a; failed b"},
		{name: "not to a backend that is recovering", a: s(2*time.Second, "a1"), b: s(0, "b1"),
			o:    func(o *PoolOptions) { o.Tiers[1][0].breaker.enter(open) },
			text: "a1", took: 2 * time.Second, trace: "asked a; committed a; done a"},
		{name: "not without a place in the budget", a: s(2*time.Second, "a1"), b: s(0, "b1"),
			o:    func(o *PoolOptions) { o.Budget = new(Budget); o.Budget.retries.Add(budgetLeast) },
			text: "a1", took: 2 * time.Second, trace: "asked a; committed a; done a"},
		{name: "not beyond the tries", a: s(2*time.Second, "a1"), b: s(0, "b1"), o: func(o *PoolOptions) { o.Tries = 1 },
			text: "a1", took: 2 * time.Second, trace: "asked a; committed a; done a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := PoolOptions{Tiers: tiers(inside("a", plays(tt.a, scene("again"))), inside("b", plays(tt.b))), Hedge: true}
				if tt.o != nil {
					tt.o(&o)
				}
				p, tr := newPool(t, o)
				train(p.backends[0], time.Second) // it is told as 1.024 s
				got := request(t, t.Context(), p, ask(), 0)
				if got.text != tt.text || (got.err != nil) != tt.failed {
					t.Errorf("the answer is %q, %v", got.text, got.err)
				}
				if d := got.took - tt.took; d.Abs() > 60*time.Millisecond {
					t.Errorf("it took %v, want %v", got.took, tt.took)
				}
				skip := func(s string) string { return strings.ReplaceAll(s, "; skipped (open) b", "") }
				if skip(tr.String()) != tt.trace {
					t.Errorf("it went\n     %s\nwant %s", tr, tt.trace)
				}
				if o.Budget == nil {
					idle(t, p)
				}
			})
		})
	}

	t.Run("clients that leave", func(t *testing.T) {
		for _, events := range []int{0, 1, 2} {
			synctest.Test(t, func(t *testing.T) {
				p, _ := newPool(t, PoolOptions{Tiers: tiers(inside("a", plays(scene(hang))), inside("b", plays(scene("b1", "b2", hang)))), Hedge: true})
				train(p.backends[0], time.Second)
				ctx, cancel := context.WithCancel(t.Context())
				if events == 0 {
					time.AfterFunc(time.Second, cancel)
				}
				if got := request(t, ctx, p, ask(), events); got.took > time.Second {
					t.Errorf("after %d events it took %v", events, got.took)
				}
				cancel()
				idle(t, p)
			})
		}
	})
}

// A backend with a name of its own for the model is asked by that, and nobody's
// request changes.
func TestNamesOfBackends(t *testing.T) {
	a, b := plays(scene(fail(chat.BadBackend, 0))), plays(scene("b"))
	remote := NewBackend(BackendOptions{Name: "b", Zone: Inside, Model: b, As: "qwen-max"})
	p, _ := newPool(t, PoolOptions{Tiers: tiers(inside("a", a), remote)})
	req := ask()
	request(t, t.Context(), p, req, 0)
	if a.reqs[0].Model != "m" || b.reqs[0].Model != "qwen-max" || req.Model != "m" {
		t.Errorf("they were asked for %q and %q; the request has %q", a.reqs[0].Model, b.reqs[0].Model, req.Model)
	}
}

func TestFaultyPools(t *testing.T) {
	a := inside("a", plays(scene("a")))
	out := NewBackend(BackendOptions{Name: "cloud", Model: plays(scene("c"))})
	masked := NewBackend(BackendOptions{Name: "cloud", Model: plays(scene("c")), Masked: true})
	tests := []struct {
		name string
		o    PoolOptions
		want string
	}{
		{"nothing", PoolOptions{}, "model m: there are 0 backends; it needs 1 to 64"},
		{"an empty tier", PoolOptions{Tiers: [][]*Backend{{a}, {}}}, "model m: tier 2 has no backend"},
		{"no name", PoolOptions{Tiers: tiers(inside("", plays(nil)))}, "model m: backend 1 has no name or nothing that answers"},
		{"twice", PoolOptions{Tiers: tiers(a, a)}, `model m: backend "a" is there twice`},
		{"negative", PoolOptions{Tiers: tiers(a), Tries: -1}, "model m: a limit is negative"},
		{"a zone that nobody gave", PoolOptions{Tiers: tiers(a, out)}, `model m: backend "cloud" is outside of the house, where the route says "never": take it out of the path, or let the route send masked data out`},
		{"a mask does not help there", PoolOptions{Tiers: tiers(a, masked)}, `model m: backend "cloud" is outside of the house, where the route says "never": take it out of the path, or let the route send masked data out`},
		{"no mask", PoolOptions{Tiers: tiers(a, out), Egress: Egress{Route: Masked}}, `model m: backend "cloud" is outside of the house, where the route says "masked": take it out of the path, mask what it is sent, or let the route send everything out`},
		{"a mask", PoolOptions{Tiers: tiers(a, masked), Egress: Egress{Route: Masked}}, ""},
	}
	for _, tt := range tests {
		tt.o.ID = "m"
		_, err := NewPool(tt.o)
		if got := errorText(err); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// gifted can do what a fake cannot.
type gifted struct {
	chattest.Gifts
	name *string
	fail error
}

func (g gifted) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return chat.Fail(errors.New("no chat"))
}

func (g gifted) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	if *g.name = req.Model; g.fail != nil {
		return nil, g.fail
	}
	return g.Gifts.Embed(ctx, req)
}

// What is asked beside chat goes to backends that can, to another where one
// fails, and to none that the policy forbids.
func TestGiftsOfBackends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked string
		can := NewBackend(BackendOptions{Name: "can", Zone: Inside, Model: gifted{name: &asked}, As: "bge"})
		fails := inside("fails", gifted{name: &asked, fail: fail(chat.BadBackend, 0)})
		cannot := inside("cannot", plays(scene("a")))
		cloud := NewBackend(BackendOptions{Name: "cloud", Model: gifted{name: &asked}})
		embed := func(p *Pool, inside bool) (*chat.Embeddings, error) {
			return p.Embed(t.Context(), &chat.EmbedRequest{Model: "m", Inputs: []chat.Input{{Text: "a"}, {Text: "b"}}, Inside: inside})
		}

		p, tr := newPool(t, PoolOptions{Tiers: [][]*Backend{{cannot}, {fails, can}}})
		fails.outstanding.Store(-10) // it is asked first
		out, err := embed(p, false)
		fails.outstanding.Store(0)
		if err != nil || out.Backend != "can" || asked != "bge" {
			t.Errorf("got %+v, %v, asked for %q", out, err, asked)
		}
		if want := "skipped (unable) cannot; asked fails; failed fails; skipped (unable) cannot; asked can; done can"; tr.String() != want {
			t.Errorf("it went\n     %s\nwant %s", tr, want)
		}
		idle(t, p)

		// Vectors of another model could not be compared with those of the first.
		p, _ = newPool(t, PoolOptions{Tiers: tiers(fails, can)})
		if out, err := embed(p, false); err == nil {
			t.Errorf("another model's vectors came from %s", out.Backend)
		}
		ranking, err := p.Rerank(t.Context(), &chat.RerankRequest{Model: "m", Query: "a", Documents: []string{"a", "b"}})
		if err != nil || ranking.Backend != "fails" {
			t.Errorf("got %+v, %v", ranking, err)
		}

		p, _ = newPool(t, PoolOptions{Tiers: tiers(cannot, cloud), Egress: Egress{Route: Allowed}})
		if out, err := embed(p, false); err != nil || out.Backend != "cloud" {
			t.Errorf("got %+v, %v", out, err)
		}
		e, _ := errors.AsType[*chat.Error](second(embed(p, true)))
		if e == nil || e.Code != CodeNoAllowedBackend {
			t.Errorf("what must stay inside ended with %v", e)
		}
		_, err = p.Detokenize(t.Context(), &chat.DetokenizeRequest{Model: "m", Tokens: []int{97}})
		if e, _ := errors.AsType[*chat.Error](err); e == nil || e.Code != CodeNoAllowedBackend {
			t.Errorf("tokens that nobody can look through ended with %v", err)
		}
		if tokens, err := p.Tokenize(t.Context(), &chat.TokenizeRequest{Model: "m", Text: "a"}); err != nil || tokens.Backend != "cloud" {
			t.Errorf("got %+v, %v", tokens, err)
		}

		// Tokens are counted by who would answer; vectors are not made by another.
		p, _ = newPool(t, PoolOptions{Tiers: tiers(cloud, can), Egress: Egress{Route: Allowed, Classes: map[string]Permission{"pii": Never}}})
		for classes, want := range map[string]string{"news": "cloud", "pii.phone": "can"} {
			tokens, err := p.Tokenize(t.Context(), &chat.TokenizeRequest{Model: "m", Text: "a", Classes: []string{classes}})
			if err != nil || tokens.Backend != want {
				t.Errorf("%s: got %+v, %v, want those of %s", classes, tokens, err, want)
			}
		}
		if out, err := embed(p, true); err == nil {
			t.Errorf("another model's vectors came from %s", out.Backend)
		}
		if out, err := p.Embed(t.Context(), &chat.EmbedRequest{Model: "m", Inputs: []chat.Input{{Tokens: []int{97}}}}); err == nil {
			t.Errorf("tokens, of which nobody knows the classes, went to %s", out.Backend)
		}

		p, _ = newPool(t, PoolOptions{Tiers: tiers(cannot)})
		if e, _ := errors.AsType[*chat.Error](second(embed(p, false))); e == nil || e.Code != chat.CodeUnsupported {
			t.Errorf("what nobody can ended with %v", e)
		}
	})

	var name string
	p, _ := newPool(t, PoolOptions{Tiers: tiers(inside("a", gifted{name: &name}))})
	chattest.EmbedderContract(t, p, func() *chat.EmbedRequest {
		return &chat.EmbedRequest{Model: "m", Inputs: []chat.Input{{Text: "ab"}, {Text: "cd"}}}
	})
	chattest.RerankerContract(t, p, func() *chat.RerankRequest {
		return &chat.RerankRequest{Model: "m", Query: "a", Documents: []string{"a", "b"}}
	})
	chattest.TokenizerContract(t, p, "m", "你好")
}

func second[T any](_ T, err error) error { return err }

// Explain tells what a request would meet, and sends nothing.
func TestExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := inside("a", plays(scene("a"))), inside("b", plays(scene("b"))), NewBackend(BackendOptions{Name: "c", Model: plays(scene("c")), As: "gpt", Masked: true})
		p, tr := newPool(t, PoolOptions{
			Tiers: tiers(a, b, c), Hedge: true,
			Egress: Egress{Route: Masked, Classes: map[string]Permission{"pii": Never}},
		})
		train(b, time.Second)
		for range 5 {
			pass, _, _ := a.breaker.allow(time.Now())
			pass.fault(chat.Timeout, 0)
		}
		req := ask()
		req.Classes = []string{"fraud", "pii.phone"}
		r, err := New([]Offer{{ModelInfo: chat.ModelInfo{ID: "m"}, Model: p}}, "", map[string]string{"alias": "m"})
		if err != nil {
			t.Fatal(err)
		}
		req.Model = "alias"
		d, err := r.Explain(req)
		if err != nil || d.Model != "m" || d.Permission != Never || !slices.Equal(d.Because, []string{"pii.phone"}) || d.Err != nil {
			t.Errorf("got %+v, %v", d, err)
		}
		var got []string
		for _, k := range d.Candidates {
			got = append(got, k.Backend+" "+k.State+" "+string(k.Excluded)+" "+k.As+" "+k.Hedge.Round(10*time.Millisecond).String())
		}
		if want := []string{"b closed  m 1.02s", "a open open m 0s", "c closed egress gpt 0s"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if d.Candidates[1].Faults[chat.Timeout] != 5 || d.Candidates[1].Wait == 0 {
			t.Errorf("of a it is said %+v", d.Candidates[1])
		}
		for range 5 {
			pass, _, _ := b.breaker.allow(time.Now())
			pass.fault(chat.Timeout, 0)
		}
		d, _ = r.Explain(req)
		if want := "None of the 3 backends can answer now: 2 failed too often of late, 1 may not be asked (because of pii.phone). Try again in 1s."; errorText(d.Err) != want {
			t.Errorf("got %v\nwant %s", d.Err, want)
		}
		if len(tr.steps) > 0 {
			t.Errorf("it went %s", tr)
		}
		idle(t, p)
	})
}

// What comes at the very moment comes in time or too late, but not both.
func TestTies(t *testing.T) {
	seen := make(map[string]int)
	for i := range 200 {
		synctest.Test(t, func(t *testing.T) {
			a := inside("a", plays(scene(2024*time.Millisecond, late("a1"), time.Second, "a2")))
			b := inside("b", plays(scene(time.Second, late("b1"), time.Second, "b2")))
			o := PoolOptions{Tiers: tiers(a, b)}
			if i%2 == 0 {
				o.Hedge = true
			} else {
				a.FirstToken = 2024 * time.Millisecond
			}
			p, tr := newPool(t, o)
			train(a, time.Second)
			got := request(t, t.Context(), p, ask(), 0)
			if got.text != "a1a2" && got.text != "b1b2" || got.err != nil {
				t.Errorf("the answer is %q, %v; it went %s", got.text, got.err, tr)
			}
			seen[got.text]++
			idle(t, p)
		})
	}
	t.Logf("the answers were %v", seen)
}

// A backend that has lost is let go at once, and a request that is being
// answered takes no place of another's retry.
func TestFirstTokensSettleIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *Pool
		look := func() {
			for _, b := range p.backends {
				if f := b.Model.(*fake); b.Name == "b" && f.busy() > 0 {
					t.Error("the one that has lost is still asked")
				}
			}
			if n := p.Budget.retries.Load(); n > 0 {
				t.Errorf("%d places in the budget are taken", n)
			}
		}
		a := plays(scene(2*time.Second, "a1", time.Second, look, "a2"))
		p, _ = newPool(t, PoolOptions{Tiers: tiers(inside("a", a), inside("b", plays(scene(hang)))), Hedge: true})
		train(p.backends[0], time.Second)
		if got := request(t, t.Context(), p, ask(), 0); got.text != "a1a2" {
			t.Errorf("got %+v", got)
		}
		c := plays(scene("c1", time.Second, look, "c2"))
		p, _ = newPool(t, PoolOptions{Tiers: tiers(inside("a", plays(scene(fail(chat.BadBackend, 0)))), inside("c", c))})
		if got := request(t, t.Context(), p, ask(), 0); got.text != "c1c2" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestTally(t *testing.T) {
	end := chat.Event{Usage: &chat.Usage{}}
	finish := func(i int) chat.Event { return chat.Event{Choice: i, Finish: chat.Stop} }
	tests := []struct {
		name   string
		n      int
		events []chat.Event
		want   string
	}{
		{"whole", 1, []chat.Event{{Text: "a"}, finish(0), end}, ""},
		{"many choices", 66, append(finishes(66), end), ""},
		{"one is missing", 66, append(finishes(65), end), `The backend "a" broke off: 1 of 66 choices had not ended.`},
		{"one twice", 66, append(finishes(66), finish(65)), `The backend "a" went on with choice 66 when that was over.`},
		{"nothing", 2, nil, `The backend "a" broke off: 2 of 2 choices had not ended.`},
		{"no usage", 1, []chat.Event{finish(0)}, `The backend "a" broke off before it told the usage.`},
		{"negative", 1, []chat.Event{finish(-1)}, `The backend "a" answered choice 0 of a request for 1.`},
	}
	for _, tt := range tests {
		tl := newTally(inside("a", plays()), tt.n)
		var err error
		for i := range tt.events {
			if err = tl.take(&tt.events[i]); err != nil {
				break
			}
		}
		if err == nil {
			err = tl.end()
		}
		if errorText(err) != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

func finishes(n int) []chat.Event {
	var out []chat.Event
	for i := range n {
		out = append(out, chat.Event{Choice: i, Finish: chat.Stop})
	}
	return out
}

// lists is a model that knows its names.
type lists struct {
	*fake
	models []chat.ModelInfo
}

func (l lists) Models() []chat.ModelInfo { return l.models }

// A Pool lists what its backends do that go by the route's names, and its own
// where another can answer for it; windows are those of the lists.
func TestListing(t *testing.T) {
	base, adapter := chat.ModelInfo{ID: "m", Context: 2048, State: "loaded"}, chat.ModelInfo{ID: "m:service", Context: 2048}
	small := lists{plays(scene(code(chat.Invalid, chat.CodeContextLength))), []chat.ModelInfo{base, adapter}}
	large := lists{plays(scene("b")), []chat.ModelInfo{{ID: "qwen", Context: 8192}}}
	remote := NewBackend(BackendOptions{Name: "b", Zone: Inside, Model: large, As: "qwen"})
	names := func(p *Pool) []string {
		var out []string
		for _, m := range p.Models() {
			out = append(out, m.ID+" "+m.State)
		}
		return out
	}
	p, _ := newPool(t, PoolOptions{Tiers: tiers(inside("a", small), remote)})
	if got := names(p); !slices.Equal(got, []string{"m loaded", "m:service "}) {
		t.Errorf("it lists %q", got)
	}
	only, _ := newPool(t, PoolOptions{Tiers: tiers(remote)})
	if got := names(only); !slices.Equal(got, []string{"m "}) {
		t.Errorf("it lists %q", got)
	}
	if got := request(t, t.Context(), p, ask(), 0); got.text != "b" || got.err != nil {
		t.Errorf("what is too long for the first ended with %+v", got)
	}

	r, err := New([]Offer{{ModelInfo: base, Model: p}, {ModelInfo: chat.ModelInfo{ID: "m:*"}, Model: p}, {ModelInfo: chat.ModelInfo{ID: "plain"}, Backend: "x", Model: large.fake}}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	req := ask()
	req.Model = "m:service"
	if got := request(t, t.Context(), p, req, 0); got.text != "b" {
		t.Errorf("got %+v", got)
	}
	if d, err := r.Explain(req); err != nil || d.Model != "m:service" || len(d.Candidates) != 2 {
		t.Errorf("got %+v, %v", d, err)
	}
	req.Model = "plain"
	if d, err := r.Explain(req); err != nil || len(d.Candidates) != 1 || d.Candidates[0].Backend != "x" || d.Candidates[0].Zone != Outside {
		t.Errorf("got %+v, %v", d, err)
	}
	req.Model = "none"
	if _, err := r.Explain(req); err == nil {
		t.Error("a model that is not there is explained")
	}
}
