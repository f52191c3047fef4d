package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bendi/chat"
	"bendi/ledger"
)

// A hall is a route, or an arm, that answers with its name and remembers what it
// was asked.
type hall struct {
	name string
	fail error

	mu    sync.Mutex
	asked []*chat.Request
	hold  chan struct{} // nil: it answers at once
}

func (h *hall) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		h.mu.Lock()
		h.asked = append(h.asked, req)
		h.mu.Unlock()
		if h.hold != nil {
			select {
			case <-h.hold:
			case <-ctx.Done():
				yield(chat.Event{}, context.Cause(ctx))
				return
			}
		}
		if h.fail != nil {
			yield(chat.Event{}, h.fail)
			return
		}
		if yield(chat.Event{Text: "I am " + h.name, Backend: h.name}, nil) &&
			yield(chat.Event{Finish: chat.Stop, Backend: h.name}, nil) {
			yield(chat.Event{Usage: &chat.Usage{PromptTokens: 3, CompletionTokens: 3}, Backend: h.name}, nil)
		}
	}
}

func (h *hall) requests() []*chat.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.asked)
}

func (h *hall) Models() []chat.ModelInfo                                            { return []chat.ModelInfo{{ID: "m"}} }
func (h *hall) Resolve(name string) (string, error)                                 { return cmp.Or(name, "m"), nil }
func (h *hall) Embed(context.Context, *chat.EmbedRequest) (*chat.Embeddings, error) { return nil, nil }
func (h *hall) Rerank(context.Context, *chat.RerankRequest) (*chat.Ranking, error)  { return nil, nil }
func (h *hall) Tokenize(context.Context, *chat.TokenizeRequest) (*chat.Tokens, error) {
	return nil, nil
}
func (h *hall) Detokenize(context.Context, *chat.DetokenizeRequest) (*chat.Text, error) {
	return nil, nil
}

// A bench is a lab with a route of one experiment.
type bench struct {
	dir     string
	lab     *Lab
	split   *Split
	route   *hall
	model   chat.Model // all of it, with the record of what the client sees
	entries []*ledger.Entry
	mu      sync.Mutex
}

func newBench(t testing.TB, dir string, p Plan, judge func(string) bool) *bench {
	t.Helper()
	b := &bench{dir: dir, route: &hall{name: "route"}}
	b.lab = New(Options{})
	var err error
	if b.split, err = b.lab.Split(dir, b.route, []Plan{p}, judge); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	if err := b.lab.Adopt([]Plan{p}); err != nil {
		t.Fatal(err)
	}
	b.model = ledger.Record(b.split, p.Route, func(e *ledger.Entry) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.entries) < 1000 {
			b.entries = append(b.entries, e)
		}
		b.lab.Observe(e)
	})
	return b
}

func (b *bench) close() {
	b.split.Close()
	b.lab.Close()
}

func plan(arms ...Arm) Plan {
	return Plan{Name: "x", Route: "/v1/chat", Model: "m", Seed: "x", By: []Unit{Session, Key}, Arms: arms, Control: arms[0].Name}
}

// ask asks and returns the text and the arm that the events name.
func (b *bench) ask(ctx context.Context, req *chat.Request) (text, arm string, err error) {
	if req.Model == "" {
		req.Model = "m"
	}
	for ev, e := range b.model.Chat(ctx, req) {
		text += ev.Text
		if ev.Arm != "" {
			arm = ev.Arm
		}
		err = e
	}
	return text, arm, err
}

func question(id, session string) *chat.Request {
	return &chat.Request{ID: id, AnswerID: "chatcmpl-" + id, N: 1, Session: session, Messages: []chat.Message{chat.TextMessage(chat.User, "你好")}}
}

func requests(s Status) map[string]int {
	n := make(map[string]int)
	for _, a := range s.Arms {
		n[a.Name] = a.Requests
	}
	return n
}

// Each request that counts is answered by the arm that it counts in, a session
// has the same arm for ever, and the others are answered by the control or the
// route.
func TestEachRequestCountsInOneArm(t *testing.T) {
	other := &hall{name: "other"}
	b := newBench(t, t.TempDir(), plan(Arm{Name: "control", Weight: 1}, Arm{Name: "new", Weight: 1, Model: other}), nil)
	arms := make(map[string]string)
	for i := range 200 {
		session := fmt.Sprint("s", i%50)
		text, arm, err := b.ask(t.Context(), question(fmt.Sprint(i), session))
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"x/control": "I am route", "x/new": "I am other"}[arm]; text != want {
			t.Errorf("the arm %q said %q", arm, text)
		}
		if was := arms[session]; was != "" && was != arm {
			t.Errorf("%s was in %s and is in %s", session, was, arm)
		}
		arms[session] = arm
	}
	n := requests(b.lab.Experiments()[0])
	if n["control"]+n["new"] != 200 || n["new"] < 40 || n["control"] < 40 {
		t.Errorf("counted %v of 200", n)
	}
	title := question("t", "s1")
	title.Messages = []chat.Message{chat.TextMessage(chat.User, "### Task:\nGenerate a concise, 3-5 word title\n### Guidelines:\n…\n### Output:\nJSON")}
	another := question("m", "s1")
	another.Model = "m2"
	for _, req := range []*chat.Request{title, another, question("nobody", "")} {
		if text, arm, _ := b.ask(t.Context(), req); arm != "" || text != "I am route" {
			t.Errorf("%s: arm %q said %q", req.ID, arm, text)
		}
	}
	s := b.lab.Experiments()[0]
	if got := requests(s); got["control"] != n["control"] || got["new"] != n["new"] {
		t.Errorf("counted %v after %v", got, n)
	}
	if s.Excluded[BackgroundOf] != 1 || s.Excluded[NoUnit] != 1 {
		t.Errorf("excluded %v", s.Excluded)
	}
}

// However a request ends, it is in the figures of its arm.
func TestErrorsAndThoseWhoLeaveCount(t *testing.T) {
	bad := &hall{name: "bad", fail: chat.Errorf(chat.BadBackend, "no")}
	b := newBench(t, t.TempDir(), plan(Arm{Name: "control", Weight: 0}, Arm{Name: "bad", Weight: 1, Model: bad}), nil)
	if _, _, err := b.ask(t.Context(), question("1", "s")); err == nil {
		t.Error("no error")
	}
	bad.hold = make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	b.ask(ctx, question("2", "s"))
	if n := requests(b.lab.Experiments()[0]); n["bad"] != 2 {
		t.Errorf("counted %v, want 2 of bad", n)
	}
	if e := b.entries[1]; e.Outcome != ledger.Gone || e.Arm != "x/bad" || e.Unit == "" {
		t.Errorf("entry = %+v", e)
	}
}

// What a shadow arm says reaches no client, whatever it does; it gets a copy of
// each request that counts, which is charged to nobody and bounded.
func TestShadow(t *testing.T) {
	shadow := &hall{name: "shadow"}
	p := plan(Arm{Name: "control", Weight: 1}, Arm{Name: "dark", Shadow: true, Model: Nameless(shadow), MaxTokens: 7})
	b := newBench(t, t.TempDir(), p, func(text string) bool { return strings.Contains(text, "shadow") })
	for i := range 20 {
		req := question(fmt.Sprint(i), "s")
		req.Principal = "alice"
		if text, arm, err := b.ask(t.Context(), req); text != "I am route" || arm != "x/control" || err != nil {
			t.Fatalf("%q by %q: %v", text, arm, err)
		}
	}
	for range 1000 { // until all copies have been answered
		s := b.lab.Experiments()[0]
		if requests(s)["dark"]+s.Excluded[ShadowBusy] == 20 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.close()
	for _, req := range shadow.requests() {
		if req.Principal != "" || req.Priority >= 0 || req.MaxTokens != 7 || req.Session != "" || !strings.HasPrefix(req.ID, shadowOf) {
			t.Errorf("a copy is %+v", req)
		}
	}
	again := newBench(t, b.dir, p, nil)
	s := again.lab.Experiments()[0]
	n := requests(s)
	if n["control"] != 20 || n["dark"] == 0 || n["dark"]+s.Excluded[ShadowBusy] != 20 {
		t.Errorf("counted %v, excluded %v", n, s.Excluded)
	}
}

// A copy tells nobody's loop that its events have come, nor which turn it is.
func TestCopiesAreAlone(t *testing.T) {
	req := question("1", "s")
	req.Turn, req.Waiting, req.Burst = new(chat.Turn), func(int, int) {}, func(bool) {}
	if c := new(Arm).copy(req); c.Turn != nil || c.Waiting != nil || c.Burst != nil {
		t.Errorf("a copy is %+v", c)
	}
}

// A text to be gone on with has no system message: where arms differ by that, it
// counts in none, and is answered as it stands.
func TestPromptsAndSystemMessages(t *testing.T) {
	b := newBench(t, t.TempDir(), plan(Arm{Name: "control", Weight: 1, System: "be brief"}, Arm{Name: "new", Weight: 1}), nil)
	req := question("1", "s")
	req.Messages, req.Prompt = nil, &chat.Prompt{Text: "once"}
	if text, arm, err := b.ask(t.Context(), req); text != "I am route" || arm != "" || err != nil {
		t.Errorf("the arm %q said %q, %v", arm, text, err)
	}
	if got := b.route.requests()[0]; len(got.Messages) > 0 || got.Prompt == nil {
		t.Errorf("the model was asked %+v", got)
	}
	if s := b.lab.Experiments()[0]; s.Excluded[NoMessages] != 1 {
		t.Errorf("excluded %v", s.Excluded)
	}
	b = newBench(t, t.TempDir(), plan(Arm{Name: "control", Weight: 1, Params: map[string]float64{"temperature": 0.5}}, Arm{Name: "new", Weight: 1}), nil)
	if _, arm, err := b.ask(t.Context(), req); arm == "" || err != nil {
		t.Errorf("without system messages it is in the arm %q, %v", arm, err)
	}
}

// A shadow that hangs delays nobody, and takes no more than its share.
func TestShadowThatHangs(t *testing.T) {
	shadow := &hall{name: "shadow", hold: make(chan struct{})}
	b := newBench(t, t.TempDir(), plan(Arm{Name: "control", Weight: 1}, Arm{Name: "dark", Shadow: true, Model: shadow}), nil)
	for i := range 50 {
		if text, _, err := b.ask(t.Context(), question(fmt.Sprint(i), "s")); text != "I am route" || err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	}
	if s := b.lab.Experiments()[0]; s.Excluded[ShadowBusy] != 50-mostCopies {
		t.Errorf("excluded %v, want all but %d", s.Excluded, mostCopies)
	}
	done := make(chan struct{})
	go func() { defer close(done); b.close() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the lab does not close while a copy hangs")
	}
}

// A request that some arm may not be told counts in none, and goes to the
// control; a shadow that may not be told it does not hear of it.
func TestWhatMayNotBeTold(t *testing.T) {
	away, dark := &hall{name: "away"}, &hall{name: "dark"}
	inside := func(req *chat.Request) bool { return !req.Inside }
	b := newBench(t, t.TempDir(), plan(
		Arm{Name: "control", Weight: 1}, Arm{Name: "away", Weight: 9, Model: away, May: inside}, Arm{Name: "dark", Shadow: true, Model: dark, May: inside}), nil)
	luck := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		req := question(fmt.Sprint(i), fmt.Sprint(luck.IntN(40)))
		req.Inside = luck.IntN(2) == 0
		text, arm, _ := b.ask(t.Context(), req)
		if req.Inside && (text != "I am route" || arm != "") {
			t.Errorf("what has to stay was answered %q by %q", text, arm)
		}
	}
	b.close()
	for _, req := range append(away.requests(), dark.requests()...) {
		if req.Inside {
			t.Errorf("%s had to stay", req.ID)
		}
	}
	if len(away.requests()) == 0 || len(dark.requests()) == 0 {
		t.Error("nothing was asked: too little to tell")
	}
}

// Several ask at once; -race looks at it.
func TestConcurrently(t *testing.T) {
	b := newBench(t, t.TempDir(), plan(Arm{Name: "a", Weight: 1}, Arm{Name: "b", Weight: 1}, Arm{Name: "s", Shadow: true, Model: &hall{name: "s"}}), nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				id := fmt.Sprint(i, "-", j)
				b.ask(t.Context(), question(id, fmt.Sprint(j)))
				if err := b.lab.Give("", &Feedback{ID: id, Score: new(0.5)}); err != nil {
					t.Error(err)
				}
				b.lab.Experiments()
			}
		})
	}
	wg.Wait()
	n := requests(b.lab.Experiments()[0])
	if n["a"]+n["b"] != 400 {
		t.Errorf("counted %v, want 400", n)
	}
}

// A stopped arm's requests go to the control at once, and the winner answers
// everybody once an experiment is over.
func TestStop(t *testing.T) {
	other := &hall{name: "other", fail: errors.New("down")}
	dir := t.TempDir()
	p := plan(Arm{Name: "control", Weight: 1}, Arm{Name: "new", Weight: 1, Model: other})
	p.Guards = Guards{Errors: 0.05, After: 10}
	b := newBench(t, dir, p, nil)
	for i := range 200 {
		b.ask(t.Context(), question(fmt.Sprint(i), fmt.Sprint("s", i)))
	}
	s := b.lab.Experiments()[0]
	n := requests(s)
	if n["new"] < 10 || n["new"] > 20 || s.Excluded[ArmStopped] == 0 {
		t.Errorf("counted %v, excluded %v: want the guard to stop the arm within 20", n, s.Excluded)
	}
	if got := s.Arms[1].Stopped; got != "errors" {
		t.Errorf("stopped by %q", got)
	}
	b.close()

	b = newBench(t, dir, p, nil) // the program starts again: nothing starts silently
	s = b.lab.Experiments()[0]
	if s.State != Running || s.Arms[1].Stopped != "errors" || requests(s)["new"] != n["new"] {
		t.Errorf("after a new start: %+v", s)
	}
	if _, err := b.lab.Stop("x", "nobody"); err == nil {
		t.Error("an unknown winner")
	}
	other.fail = nil
	if _, err := b.lab.Stop("x", "new"); err != nil {
		t.Fatal(err)
	}
	if text, arm, _ := b.ask(t.Context(), question("w", "s1")); text != "I am other" || arm != "" {
		t.Errorf("after the end %q says %q", arm, text)
	}
	if _, err := b.lab.Start("x"); err != nil {
		t.Fatal(err)
	}
	if s := b.lab.Experiments()[0]; s.State != Running || s.Arms[1].Stopped != "" || s.Arms[1].Requests != 0 {
		t.Errorf("after another start: %+v", s)
	}
	if _, err := b.lab.Start("y"); err == nil || !strings.Contains(err.Error(), `"y"`) {
		t.Errorf("an unknown name: %v", err)
	}
}

// While a plan only changes its weights, what was counted goes on; otherwise it
// begins again.
func TestPlanChanges(t *testing.T) {
	b := newBench(t, t.TempDir(), plan(Arm{Name: "a", Weight: 1}, Arm{Name: "b", Weight: 1}), nil)
	b.ask(t.Context(), question("1", "s"))
	if err := b.lab.Adopt([]Plan{plan(Arm{Name: "a", Weight: 1}, Arm{Name: "b", Weight: 5})}); err != nil {
		t.Fatal(err)
	}
	if n := requests(b.lab.Experiments()[0]); n["a"]+n["b"] != 1 {
		t.Errorf("after other weights: %v", n)
	}
	if err := b.lab.Adopt([]Plan{plan(Arm{Name: "a", Weight: 1}, Arm{Name: "b", Weight: 5, System: "Be brief."})}); err != nil {
		t.Fatal(err)
	}
	if n := requests(b.lab.Experiments()[0]); n["a"]+n["b"] != 0 {
		t.Errorf("after another prompt: %v", n)
	}
	next := plan(Arm{Name: "a", Weight: 1}, Arm{Name: "b", Weight: 1})
	next.Name = "y"
	if _, err := b.lab.Split(b.dir, b.route, []Plan{next}, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.lab.Adopt([]Plan{next}); err != nil {
		t.Fatal(err)
	}
	if all := b.lab.Experiments(); len(all) != 1 || all[0].Name != "y" || all[0].State != Running {
		t.Errorf("after another experiment in its place: %+v", all)
	}
	if text, _, err := b.ask(t.Context(), question("late", "s")); text != "I am route" || err != nil { // by the house of before
		t.Errorf("%q, %v", text, err)
	}
}

// What an experiment adds to a request, its line in the file included.
func BenchmarkSplit(b *testing.B) {
	bench := newBench(b, b.TempDir(), plan(Arm{Name: "a", Weight: 1}, Arm{Name: "b", Weight: 1}), nil)
	req := question("r", "s")
	for b.Loop() {
		bench.ask(b.Context(), req)
	}
}
