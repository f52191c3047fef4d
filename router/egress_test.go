package router

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
)

func TestJudge(t *testing.T) {
	e := Egress{
		Route:      Allowed,
		Principals: map[string]Permission{"intern": Never, "app": Masked, "*": Allowed},
		Classes:    map[string]Permission{"pii": Masked, "pii.phone": Never, "pii.name": Allowed, "fraud": Never},
	}
	masked := e
	masked.Route = Masked
	strict := e
	strict.Classes = map[string]Permission{"*": Never, "pii": Allowed}
	tests := []struct {
		e       Egress
		a       asker
		want    Permission
		because []string
	}{
		{e, asker{}, Allowed, nil},
		{Egress{}, asker{}, Never, []string{"the route"}},
		{masked, asker{}, Masked, []string{"the route"}},
		{masked, asker{principal: "intern"}, Never, []string{"the key"}},
		{masked, asker{principal: "app"}, Masked, []string{"the route", "the key"}},
		{e, asker{principal: "other"}, Allowed, nil},
		{e, asker{anonymous: true}, Never, []string{"keys, and this is asked without one"}},
		{e, asker{classes: []string{"pii.email"}}, Masked, []string{"pii.email"}},
		{e, asker{classes: []string{"pii.email", "pii.phone"}}, Never, []string{"pii.phone"}},
		{e, asker{classes: []string{"pii.phone", "pii.email", "fraud.loan"}}, Never, []string{"pii.phone", "fraud.loan"}},
		{e, asker{classes: []string{"pii.name", "piii", "news"}}, Allowed, nil},
		{e, asker{classes: []string{"pii.email"}, inside: true}, Never, []string{"the filter"}},
		{e, asker{tokens: true}, Never, []string{"classes of data, which cannot be told in tokens"}},
		{Egress{Route: Allowed}, asker{tokens: true}, Allowed, nil},
		{strict, asker{classes: []string{"news"}}, Never, []string{"news"}},
		{strict, asker{classes: []string{"pii.phone"}}, Allowed, nil},
	}
	for _, tt := range tests {
		if got := tt.e.judge(&tt.a); got.Permission != tt.want || !slices.Equal(got.because, tt.because) {
			t.Errorf("%+v of %+v: %v because of %q, want %v because of %q", tt.e, tt.a, got.Permission, got.because, tt.want, tt.because)
		}
	}
}

func TestDeadEnds(t *testing.T) {
	e := Egress{Route: Allowed, Principals: map[string]Permission{"app": Masked}, Classes: map[string]Permission{"pii": Never}}
	out := NewBackend(BackendOptions{Name: "cloud", Model: plays()})
	masked := NewBackend(BackendOptions{Name: "masked", Model: plays(), Masked: true})
	if got := e.DeadEnds("x", out, masked, inside("a", plays())); len(got) > 0 {
		t.Errorf("with one inside there are %q", got)
	}
	want := []string{`x: data of the class "pii" may go outside "never", and there is no backend for that: such requests are refused with 503`}
	if got := e.DeadEnds("x", out, masked); !slices.Equal(got, want) {
		t.Errorf("with a mask there are %q", got)
	}
	if got := e.DeadEnds("x", out); len(got) != 2 {
		t.Errorf("with neither there are %q", got)
	}
}

func TestNoAllowedBackend(t *testing.T) {
	out := NewBackend(BackendOptions{Name: "cloud", Model: plays(scene("a"))})
	p, tr := newPool(t, PoolOptions{Tiers: tiers(out), Egress: Egress{Route: Allowed, Classes: map[string]Permission{"pii": Never}}})
	req := ask()
	req.Classes, req.Messages[0] = []string{"pii.phone"}, chat.TextMessage(chat.User, "13800138000")
	got := request(t, t.Context(), p, req, 0)
	e, ok := errors.AsType[*chat.Error](got.err)
	want := "None of the 1 backends may answer: the request must stay inside the house, and no backend of this model is inside (because of pii.phone). Ask a model that runs here."
	if !ok || e.Kind != chat.Unavailable || e.Code != CodeNoAllowedBackend || e.Msg != want || e.RetryAfter != 0 {
		t.Errorf("got %#v", got.err)
	}
	if want := "skipped (egress) cloud; gave up (backend)"; tr.String() != want || !slices.Equal(tr.steps[0].Because, req.Classes) {
		t.Errorf("it went %s because of %q", tr, tr.steps[0].Because)
	}
}

// A world is a Pool of random backends that behave at random.
type world struct {
	pool *Pool
	rand *rand.Rand
	tr   *trace
}

var classes = []string{"pii.phone", "pii.name", "fraud", "news"}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{rand: rand.New(rand.NewPCG(seed, 1))}
	r := w.rand
	permission := func() Permission { return Permission(r.IntN(3)) }
	o := PoolOptions{
		Balance: Balance(r.IntN(3)), Tries: 1 + r.IntN(5), Hedge: r.IntN(2) == 0, Continue: r.IntN(2) == 0,
		FirstToken: time.Duration(1+r.IntN(20)) * time.Second, Total: time.Duration(r.IntN(3)) * 20 * time.Second,
		Egress: Egress{Route: permission(), Principals: map[string]Permission{"a": permission(), "*": permission()}, Classes: map[string]Permission{}},
	}
	for _, c := range append(classes, "pii", "*") {
		if r.IntN(2) == 0 {
			o.Egress.Classes[c] = permission()
		}
	}
	n := 0
	for range 1 + r.IntN(3) {
		var tier []*Backend
		for range 1 + r.IntN(3) {
			b := BackendOptions{
				Name: string(rune('a' + n)), Zone: Zone(r.IntN(2)), Masked: r.IntN(2) == 0, Prefill: r.IntN(2) == 0,
				Weight: r.IntN(3), Window: r.IntN(3) * 1024, Idle: time.Duration(r.IntN(2)) * 4 * time.Second,
				FirstToken: time.Duration(r.IntN(2)) * 3 * time.Second, Breaker: BreakerOptions{Failures: 1 + r.IntN(4)},
			}
			if (ruling{Permission: o.Egress.Route}).lets(&Backend{BackendOptions: b}) == false {
				b.Zone = Inside // what NewPool does not refuse
			}
			var scenes [][]any
			for range 1 + r.IntN(6) {
				scenes = append(scenes, w.scene(b.Name))
			}
			b.Model = plays(scenes...)
			tier = append(tier, NewBackend(b))
			n++
		}
		o.Tiers = append(o.Tiers, tier)
	}
	w.pool, w.tr = newPool(t, o)
	for _, b := range w.pool.backends {
		if r.IntN(2) == 0 {
			train(b, time.Duration(1+r.IntN(2000))*time.Millisecond)
		}
	}
	return w
}

// scene is what a backend does with a request. Its tokens tell whose they are
// and which: what is lost, or comes twice, is seen.
func (w *world) scene(name string) []any {
	r := w.rand
	var steps []any
	for i := range 1 + r.IntN(5) {
		if r.IntN(3) == 0 {
			steps = append(steps, time.Duration(r.IntN(5000))*time.Millisecond)
		}
		switch r.IntN(14) {
		case 0:
			steps = append(steps, chat.Event{}) // a role
		case 1:
			steps = append(steps, chat.Event{Reasoning: "hm"})
		case 2:
			steps = append(steps, chat.Event{ToolCall: &chat.ToolCallDelta{Name: "f"}})
		case 3:
			kind := chat.Kind(r.IntN(int(chat.Timeout) + 1))
			e := &chat.Error{Kind: kind, Msg: "random"}
			if r.IntN(2) == 0 {
				e.RetryAfter = time.Duration(r.IntN(5000)) * time.Millisecond
			}
			if kind == chat.Invalid && r.IntN(2) == 0 {
				e.Code = chat.CodeContextLength
			}
			return append(steps, e)
		case 4:
			return append(steps, [...]order{hang, eof, deaf}[r.IntN(3)])
		case 5:
			return append(steps, errors.New("bug"))
		default:
			steps = append(steps, fmt.Sprintf("<%s%d>", name, i))
		}
	}
	return steps
}

// request returns a random request, and what may be sent of it.
func (w *world) request() (*chat.Request, Permission) {
	r := w.rand
	req := ask()
	req.ID = fmt.Sprint(r.Uint64())
	req.N = 1 + r.IntN(2)*r.IntN(2)
	req.Principal = [...]string{"", "a", "b"}[r.IntN(3)]
	for _, c := range classes {
		if r.IntN(4) == 0 {
			req.Classes = append(req.Classes, c)
		}
	}
	req.Inside = r.IntN(6) == 0
	req.Messages[0] = chat.TextMessage(chat.User, fmt.Sprint(r.IntN(4)))
	if r.IntN(8) == 0 {
		req.Format = &chat.Format{Type: "json_object"}
	}
	if r.IntN(8) == 0 {
		req.Messages, req.Prompt = nil, &chat.Prompt{Tokens: []int{1, 2}}
	}

	// What may be sent, told once more in other words.
	e, least := w.pool.Egress, w.pool.Egress.Route
	p, ok := e.Principals[req.Principal]
	if !ok {
		p = e.Principals["*"]
	}
	least = min(least, p)
	for _, c := range req.Classes {
		for _, name := range []string{c, map[bool]string{true: "pii", false: "*"}[len(c) > 4 && c[:4] == "pii."], "*"} {
			if p, ok := e.Classes[name]; ok {
				least = min(least, p)
				break
			}
		}
	}
	if req.Prompt != nil {
		for _, p := range e.Classes {
			least = min(least, p)
		}
	}
	if req.Inside {
		least = Never
	}
	return req, least
}

// Whatever backends do, whatever the policies are and wherever clients leave:
// each request has one ending, what the client hears is one backend's words in
// their order (or those of several, where answers are gone on with), nobody is
// asked after the first token, and nothing is left behind. And what may not
// leave the house does not: through no retry, fallback, hedge or continuation.
func checkWorld(t *testing.T, seed uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed)
		p := w.pool
		done := make(chan struct{})
		const n, patience = 6, 90 * time.Second
		may := make(map[string]Permission)
		type sent struct {
			req   *chat.Request
			leave int
			delay time.Duration
		}
		var all []sent
		for range n {
			req, least := w.request()
			may[req.ID] = least
			all = append(all, sent{req, max(0, w.rand.IntN(12)-6), time.Duration(w.rand.IntN(3)) * 5 * time.Second})
		}
		for _, s := range all {
			go func() {
				defer func() { done <- struct{}{} }()
				time.Sleep(s.delay)
				ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the client has lost patience"))
				defer cancel()
				got := request(t, ctx, p, s.req, s.leave)
				if got.left && got.took > time.Second {
					t.Errorf("seed %d: the client left %v before the end", seed, got.took)
				}
				if got.took > patience+time.Second {
					t.Errorf("seed %d: it took %v", seed, got.took)
				}
				w.checkText(t, seed, s.req, got)
			}()
		}
		for range n {
			<-done
		}
		synctest.Wait()
		idle(t, p)
		w.checkSteps(t, seed)
		for _, b := range p.backends {
			for _, req := range b.Model.(*fake).reqs {
				if least := may[req.ID]; !(ruling{Permission: least}).lets(b) {
					t.Errorf("seed %d: %s, which is %v and masked: %v, got a request that may leave %v", seed, b.Name, b.Zone, b.Masked, least)
				}
			}
		}
		if t.Failed() {
			t.Logf("seed %d: %+v", seed, p.PoolOptions)
		}
	})
}

// checkText checks that the tokens heard are runs of one backend each, in order
// and without one twice, and several runs only where that is the policy.
func (w *world) checkText(t *testing.T, seed uint64, req *chat.Request, got end) {
	t.Helper()
	last, index, runs := byte(0), -1, 0
	for text := got.text; text != ""; text = text[4:] {
		name, i := text[1], int(text[2]-'0')
		if name != last || i <= index {
			runs++
		}
		last, index = name, i
	}
	if runs > 1 && (!w.pool.Continue || req.N > 1 || req.Format != nil || req.Prompt != nil) {
		t.Errorf("seed %d: the client heard %q", seed, got.text)
	}
}

// checkSteps checks the order of the steps of each request.
func (w *world) checkSteps(t *testing.T, seed uint64) {
	t.Helper()
	committed, tries, ended := make(map[string]bool), make(map[string]int), make(map[string]bool)
	for _, s := range w.tr.steps {
		switch s.What {
		case Asked, Hedged:
			if tries[s.Request]++; committed[s.Request] || ended[s.Request] || tries[s.Request] > w.pool.Tries {
				t.Errorf("seed %d: %s was asked after the end or the first token, or it is try %d", seed, s.Backend, tries[s.Request])
			}
		case Committed:
			if committed[s.Request] {
				t.Errorf("seed %d: two backends answer", seed)
			}
			committed[s.Request] = true
		case Resumed:
			committed[s.Request] = false
			if !w.pool.Continue {
				t.Errorf("seed %d: an answer was gone on with", seed)
			}
		case Done, GaveUp: // Gone and Invalid are told of the hedge as well
			if ended[s.Request] {
				t.Errorf("seed %d: two endings, the second %q", seed, s.What)
			}
			ended[s.Request] = true
		}
	}
}

func TestRandomWorlds(t *testing.T) {
	n := uint64(400)
	if testing.Short() {
		n = 100
	}
	for seed := range n {
		checkWorld(t, seed)
	}
}

func FuzzWorlds(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed + 1<<32)
	}
	f.Fuzz(checkWorld)
}

// Where some may not be asked and the others cannot answer, nobody is told to
// come again.
func TestNobodyEver(t *testing.T) {
	able := struct {
		chat.Model
		chattest.Gifts
	}{Model: plays()}
	out := NewBackend(BackendOptions{Name: "cloud", Model: able})
	p, _ := newPool(t, PoolOptions{Tiers: [][]*Backend{{out}, {inside("here", able)}}, Egress: Egress{Route: Allowed}})
	_, err := p.Detokenize(t.Context(), &chat.DetokenizeRequest{Model: "m", Tokens: []int{1}})
	e, ok := errors.AsType[*chat.Error](err)
	want := "None of the 2 backends can answer this: 1 may not be asked (because of the filter), 1 cannot do this."
	if !ok || e.Code != CodeNoAllowedBackend || e.RetryAfter != 0 || e.Msg != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
