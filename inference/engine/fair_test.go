package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
)

// A pretended engine has slots and a clock, and each step draws a token for
// all who have a slot.
type pretended struct {
	line             *line
	now              time.Time
	slots            int
	arrived          int
	waiting, running []*sequence
	left             map[*sequence]int       // steps
	came             map[*sequence]time.Time // when
	turn             map[*sequence]time.Time // when it got its slot
}

func newPretended(slots int) *pretended {
	return &pretended{
		line: newLine(), slots: slots, now: time.Unix(1_800_000_000, 0), left: make(map[*sequence]int),
		came: make(map[*sequence]time.Time), turn: make(map[*sequence]time.Time),
	}
}

// ask adds a request that takes so many steps.
func (p *pretended) ask(who string, priority, steps int) *sequence {
	s := &sequence{principal: who, priority: priority, arrival: p.arrived, class: p.line.arrive(who, priority, p.now)}
	p.arrived++
	p.waiting = append(p.waiting, s)
	p.left[s], p.came[s] = steps, p.now
	return s
}

// step gives free slots away and lasts for 10 ms.
func (p *pretended) step() {
	l := &loop{waiting: p.waiting}
	for len(p.running) < p.slots && len(l.waiting) > 0 {
		i := l.foremost(p.now)
		s := l.waiting[i]
		l.waiting = slices.Delete(l.waiting, i, i+1)
		p.running = append(p.running, s)
		p.turn[s] = p.now
		s.class.begin(p.now)
		s.class.charge(10, 0)
	}
	p.waiting = l.waiting
	p.now = p.now.Add(10 * time.Millisecond)
	p.running = slices.DeleteFunc(p.running, func(s *sequence) bool {
		s.class.charge(0, 1)
		if p.left[s]--; p.left[s] > 0 {
			return false
		}
		p.line.depart(s.class, true)
		return true
	})
}

// waited returns how long a request has waited for its slot.
func (p *pretended) waited(s *sequence) time.Duration {
	if at, ok := p.turn[s]; ok {
		return at.Sub(p.came[s])
	}
	return p.now.Sub(p.came[s])
}

// Two hundred requests of one principal hold up a single one of another for a
// turn of a slot, and it is no better for the flood that it came first.
func TestFloodHoldsUpNobodyElse(t *testing.T) {
	p := newPretended(4)
	for range 200 {
		p.ask("flood", 0, 50)
	}
	for range 75 {
		p.step()
	}
	for range 5 {
		s := p.ask("other", 0, 50)
		for range 51 {
			p.step()
		}
		if w := p.waited(s); w > 500*time.Millisecond {
			t.Errorf("the other waited for %v, a turn takes 500ms", w)
		}
		for p.left[s] > 0 {
			p.step()
		}
	}
}

// Who was away has saved nothing up: when it comes back with as much to do,
// the two share the slots.
func TestNobodySavesUp(t *testing.T) {
	p := newPretended(4)
	for range 400 {
		p.ask("busy", 0, 20)
	}
	for range 500 {
		p.step()
	}
	for range 200 {
		p.ask("back", 0, 20)
	}
	for range 25 {
		p.step()
	}
	before := map[string]int{"busy": p.line.principals["busy"].served, "back": p.line.principals["back"].served}
	for range 300 {
		p.step()
	}
	a, b := p.line.principals["busy"].served-before["busy"], p.line.principals["back"].served-before["back"]
	if least, most := min(a, b), max(a, b); least < most*9/10 {
		t.Errorf("over 300 steps they were served %d and %d tokens", a, b)
	}
}

// Higher priorities go first, and lower ones in the end.
func TestPriorities(t *testing.T) {
	p := newPretended(1)
	low := p.ask("a", -2, 10)
	high := p.ask("a", 3, 10)
	other := p.ask("b", 0, 10)
	for range 30 {
		p.step()
	}
	if !(p.turn[high].Before(p.turn[other]) && p.turn[other].Before(p.turn[low])) {
		t.Errorf("turns: high %v, other %v, low %v", p.waited(high), p.waited(other), p.waited(low))
	}
	// An endless stream of others does not keep it out for ever.
	last := p.ask("a", -2, 10)
	for range 60 * 100 {
		for len(p.waiting) < 4 {
			p.ask("c", 3, 10)
		}
		p.step()
	}
	if w := p.waited(last); w > 5*ageStep+2*time.Second {
		t.Errorf("5 levels below, it waited for %v", w)
	}
}

func TestWhoGivesWay(t *testing.T) {
	p := newPretended(8)
	old, low, young := p.ask("a", 0, 1), p.ask("b", -1, 1), p.ask("a", 0, 1)
	lowest := p.ask("c", -1, 1)
	order := []*sequence{old, low, young, lowest}
	slices.SortFunc(order, compareYielding)
	if want := []*sequence{lowest, low, young, old}; !slices.Equal(order, want) {
		t.Errorf("the order is %v", order)
	}
}

// Whoever asks what and when: everybody gets a slot, of two principals of one
// priority that have something to do all the time neither is served much more,
// and nothing is kept of those who are gone.
func TestFairness(t *testing.T) {
	for seed := range uint64(15) {
		random := rand.New(rand.NewPCG(seed, 0))
		slots := 1 + random.IntN(8)
		p := newPretended(slots)
		names := []string{"a", "b", "c", "d"}
		backlog := func() {
			for _, name := range names[:2] { // these two always have something to do
				n := 0
				for _, s := range p.waiting {
					if s.principal == name && s.priority == 0 {
						n++
					}
				}
				for ; n < 8; n++ {
					p.ask(name, 0, 1+random.IntN(40))
				}
			}
		}
		backlog()
		p.step()
		from := map[string]int{"a": p.line.principals["a"].served, "b": p.line.principals["b"].served}
		for range 3000 {
			if random.IntN(10) == 0 {
				p.ask(names[2+random.IntN(2)], random.IntN(5)-3, 1+random.IntN(40))
			}
			backlog()
			p.step()
			a, b := p.line.principals["a"].served-from["a"], p.line.principals["b"].served-from["b"]
			if most := 2 * slots * (10 + 2*40); a-b > most || b-a > most {
				t.Fatalf("seed %d: with %d slots they were served %d and %d tokens, and may differ by %d", seed, slots, a, b, most)
			}
		}
		for len(p.waiting)+len(p.running) > 0 {
			if p.step(); p.now.Sub(time.Unix(1_800_000_000, 0)) > time.Hour {
				t.Fatalf("seed %d: %d wait for ever", seed, len(p.waiting))
			}
		}
		if n := len(p.line.principals); n > 0 {
			t.Errorf("seed %d: nobody is left, and %d principals are known", seed, n)
		}
	}
}

// Who finds the queue full is told to come back when there will be room.
func TestRetryAfter(t *testing.T) {
	l := &loop{slots: 4, queue: 512}
	if d := l.retryAfter(); d != time.Second {
		t.Errorf("before anything is known: %v", d)
	}
	for range 200 {
		s := &sequence{}
		s.progress.Began = time.Now().Add(-time.Second)
		l.noteTurn(s)
	}
	if d := l.retryAfter(); d != 13*time.Second {
		t.Errorf("with turns of a second, 51 are over after 13s, not %v", d)
	}
	l.stats.turn.Store(int64(time.Hour))
	if d := l.retryAfter(); d != longestRetry {
		t.Errorf("with turns of an hour: %v", d)
	}
}

// by says who asks.
func by(name string, priority int) func(*chat.Request) {
	return func(r *chat.Request) { r.Principal, r.Priority = name, priority }
}

// The engine keeps to the line: the request of one principal is answered long
// before the flood of another is.
func TestFloodInTheEngine(t *testing.T) {
	e := openDemo(t, Config{Slots: 4})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var flood sync.WaitGroup
	for i := range 200 {
		flood.Go(func() {
			for range e.Chat(ctx, question(fmt.Sprintf("第 %d 题", i), endless, tokens(60), by("flood", 0))) {
			}
		})
	}
	for {
		if _, waiting := e.Load(); waiting > 150 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	answerOf(t, e, question("你好", tokens(5), by("other", 0)))
	if _, waiting := e.Load(); waiting < 100 {
		t.Errorf("when the other had its answer, only %d of the flood still waited", waiting)
	}
	stop()
	flood.Wait()
	idle(t, e)
}

// What one principal's prompts have left in the cache is not used for
// another's, unless all share.
func TestPrincipalsShareNoPrefix(t *testing.T) {
	for _, all := range []bool{false, true} {
		cfg := Config{}
		if all {
			cfg.SharePrefixes = "all"
		}
		e := openDemo(t, cfg)
		answerOf(t, e, question("怎么退货?", spoken, by("one", 0)))
		if u := answerOf(t, e, question("怎么退货?", spoken, by("two", 0))).Usage; (u.CachedTokens > 0) != all {
			t.Errorf("shared by all: %v, and %d tokens of the other's were used", all, u.CachedTokens)
		}
		if u := answerOf(t, e, question("怎么退货?", spoken, by("one", 0))).Usage; u.CachedTokens == 0 {
			t.Error("its own were not used")
		}
	}
}

// Whoever asks for vectors of thousands of texts, in however many requests,
// holds up no one else, and neither does the largest of one's own requests.
func TestEmbeddingsAreShared(t *testing.T) {
	m := &embedder{line: newLine(), most: packInputs}
	job := func(who string, inputs, tokens int) *embedJob {
		j := &embedJob{ctx: t.Context(), from: asker{principal: who}, left: inputs, done: make(chan error, 1)}
		for range inputs {
			j.inputs = append(j.inputs, make([]llama.Token, tokens))
		}
		m.enqueue(j)
		return j
	}
	steps := func(until *embedJob) (n int) {
		for !until.ended {
			places := m.pack()
			if len(places) == 0 {
				t.Fatal("nothing is computed, and somebody waits")
			}
			m.deliver(places, nil)
			n++
		}
		return n
	}
	for range 50 {
		job("flood", 100, 100)
	}
	m.deliver(m.pack(), nil)
	if n := steps(job("other", 2, 100)); n > 2 {
		t.Errorf("another waited for %d batches", n)
	}
	if n := steps(job("other", 1, packTokens)); n > 3 {
		t.Errorf("another with a long input waited for %d batches", n)
	}
	small := job("flood", 1, 100)
	if n := steps(small); n > 15 { // 51 requests of five at a time
		t.Errorf("one's own small request waited for %d batches", n)
	}
	for len(m.jobs) > 0 {
		m.deliver(m.pack(), nil)
	}
	if len(m.line.principals) > 0 {
		t.Errorf("nobody is left, and %d principals are known", len(m.line.principals))
	}
}
