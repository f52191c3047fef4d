package engine

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"bendi/chat"
	"bendi/inference/watch"
)

// A diary keeps what the loop tells of one model.
type diary struct {
	mu        sync.Mutex
	prompt    int
	cached    int
	generated int
	steps     watch.Step // added up
	ended     map[watch.Reason]int
	faults    []string
}

func (d *diary) note(ok bool, fault string) {
	if !ok {
		d.faults = append(d.faults, fault)
	}
}

func (d *diary) Began(p *watch.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.prompt += p.Prompt
	d.cached += p.Cached
	d.note(!p.Began.Before(p.Arrived) && p.First.IsZero() && p.Cached < p.Prompt, "it began")
}

func (d *diary) Token(p *watch.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.generated++
	d.note(!p.First.Before(p.Began) && !p.Latest.Before(p.First) && p.Ended.IsZero(), "the times of a token are out of order")
	d.note((p.Generated == 1) == (p.Gap == 0) && p.Gap <= p.Latest.Sub(p.First), "the gap of a token is wrong")
}

func (d *diary) Ended(p *watch.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended[p.Reason]++
	d.note(!p.Ended.Before(p.Latest), "it ended before its last token")
}

func (d *diary) Step(s watch.Step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps.Prompt += s.Prompt
	d.steps.Drawn += s.Drawn
	d.note(s.Decode > 0 && s.Sample >= 0 && s.Whole >= s.Decode+s.Sample && s.Prompt+s.Drawn > 0, "a step took no time, or decoded nothing")
}

// openWatched loads the demo model with a diary for each of its models.
func openWatched(t *testing.T, cfg Config) (*Engine, map[string]*diary) {
	diaries := make(map[string]*diary)
	cfg.Observe = func(model string) watch.Observer {
		diaries[model] = &diary{ended: make(map[watch.Reason]int)}
		return diaries[model]
	}
	return openDemo(t, cfg), diaries
}

// Each choice is told of once, with why it ended, and the tokens add up to the
// usages.
func TestObserverHearsOfEverything(t *testing.T) {
	e, diaries := openWatched(t, Config{Slots: 2})
	var prompt, cached, generated int
	count := func(u chat.Usage) {
		prompt, cached, generated = prompt+u.PromptTokens, cached+u.CachedTokens, generated+u.CompletionTokens
	}
	whole := answerOf(t, e, question("怎么退货?", spoken, tokens(500)))
	count(whole.Usage)
	last := time.Now()
	count(answerOf(t, e, question("你好", spoken, endless, tokens(3))).Usage)
	eventually(t, e, "an engine that is idle again", func(v watch.View) bool { return len(v.Sequences) == 0 && v.Taken.After(last) })

	d := diaries["demo"]
	d.mu.Lock()
	if d.prompt != prompt || d.cached != cached || d.cached == 0 || d.generated != generated {
		t.Errorf("told of %d prompt tokens, %d cached, %d generated; the usages say %d, %d, %d", d.prompt, d.cached, d.generated, prompt, cached, generated)
	}
	if d.steps.Prompt != prompt-cached || d.steps.Drawn != generated+1 { // the first ended its turn
		t.Errorf("the steps decoded %d prompt tokens and drew %d, want %d and %d", d.steps.Prompt, d.steps.Drawn, prompt-cached, generated+1)
	}
	d.mu.Unlock()

	// A stop string ends an answer before its sequence has ended.
	stop := string([]rune(whole.Text[0])[4:5])
	answerOf(t, e, question("怎么退货?", endless, tokens(900), func(r *chat.Request) { r.Stop = []string{stop} }))
	ctx, leave := context.WithCancel(t.Context())
	for range e.Chat(ctx, question("你好", endless, tokens(900))) {
		leave()
	}
	leave()
	for range e.Chat(t.Context(), question("你好", endless, tokens(900))) {
		break
	}
	last = time.Now()
	answerOf(t, e, question("你好", model("demo:service"), endless, tokens(2)))
	eventually(t, e, "an engine that is idle again", func(v watch.View) bool { return len(v.Sequences) == 0 && v.Taken.After(last) })

	want := map[watch.Reason]int{watch.Stop: 2, watch.Length: 1, watch.Abort: 2}
	if d.mu.Lock(); !maps.Equal(d.ended, want) {
		t.Errorf("the choices ended as %v, want %v", d.ended, want)
	}
	d.mu.Unlock()
	s := diaries["demo:service"]
	if s.mu.Lock(); s.ended[watch.Length] != 1 || s.generated != 2 || s.steps.Drawn != 2 {
		t.Errorf("of the adapter's model, told of %v, %d tokens, %+v", s.ended, s.generated, s.steps)
	}
	s.mu.Unlock()
	for model, d := range diaries {
		d.mu.Lock()
		for _, fault := range d.faults {
			t.Errorf("%s: %s", model, fault)
		}
		d.mu.Unlock()
	}
}

// What runs is seen while it runs, and is gone afterwards.
func TestView(t *testing.T) {
	e := openDemo(t, Config{Slots: 2, Context: 512})
	if v := e.View(); v.Slots != 2 || len(v.Sequences) != 0 || v.Cache != (watch.Cache{Cells: 1024}) {
		t.Errorf("before anything, the view is %+v", v)
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var wg sync.WaitGroup
	for _, name := range []string{"demo", "demo:service", "demo"} { // one waits
		begun := make(chan struct{})
		wg.Go(func() {
			close(begun)
			for range e.Chat(ctx, question("你好", model(name), endless, tokens(400))) {
				<-ctx.Done() // a slow reader, so that the sequence pauses
			}
		})
		<-begun
		time.Sleep(20 * time.Millisecond)
	}
	seen := func(v watch.View) bool {
		if len(v.Sequences) != 2 || v.Waiting != 1 {
			return false
		}
		a, b := v.Sequences[0], v.Sequences[1]
		return a.Model == "demo" && b.Model == "demo:service" && a.ID != b.ID &&
			a.State == watch.Paused && b.State == watch.Paused &&
			a.Prompt > 0 && a.Generated > ringPerChoice/2 && a.Generated < 400 && a.Budget == 400 && a.Age > 0 &&
			v.Cache.Running >= a.Prompt+a.Generated && v.Cache.Kept == 0
	}
	eventually(t, e, "two paused sequences and one that waits", seen)
	leave()
	wg.Wait()
	eventually(t, e, "kept prefixes alone", func(v watch.View) bool {
		return len(v.Sequences) == 0 && v.Waiting == 0 && v.Cache.Running == 0 && v.Cache.Kept > 0 && v.Cache.Prefixes > 0
	})
}

// eventually waits for a view.
func eventually(t *testing.T, e *Engine, what string, ok func(watch.View) bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(e.View()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no view of %s; the last is %+v", what, e.View())
		}
	}
}
