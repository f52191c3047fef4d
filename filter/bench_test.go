package filter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"bendi/chat"
	"bendi/filter/lexicon"
)

// manyRules are 100,000 words of 3 to 8 common characters, and someRules fewer
// of them, which tests take: they run under the race detector.
var (
	manyRules = sync.OnceValue(func() *Rules { return rulesOf(100_000) })
	someRules = sync.OnceValue(func() *Rules { return rulesOf(5_000) })
)

func rulesOf(n int) *Rules {
	d := rand.New(rand.NewPCG(1, 2))
	l := &lexicon.Lexicon{Name: "many", Version: "1", Categories: map[string]lexicon.Category{"block": {Level: 3}, "replace": {Level: 2}}}
	seen := map[string]bool{}
	for len(l.Words) < n {
		var b strings.Builder
		for range 3 + d.IntN(6) {
			b.WriteRune(rune(0x4e00 + d.IntN(3755)))
		}
		w := b.String()
		if seen[w] {
			continue
		}
		seen[w] = true
		category, level := "replace", 2
		if len(l.Words)%2 == 0 {
			category, level = "block", 3
		}
		l.Words = append(l.Words, lexicon.Word{ID: fmt.Sprint("many:", len(l.Words)), Text: w, Category: category, Level: level})
	}
	r, err := Compile([]*lexicon.Lexicon{l}, manyPolicy())
	if err != nil {
		panic(err)
	}
	return r
}

func manyPolicy() *Policy {
	return &Policy{
		Name: "many",
		Categories: map[string]Category{
			"block":   {Request: Always(Block), Answer: Always(Block)},
			"replace": {Request: Always(Replace), Answer: Always(Replace)},
		},
		Personal:    map[string]Personal{"*": {Request: Mask, Answer: Mask}},
		Replacement: "[…]",
	}
}

// prose is text of n runes without words.
func prose(n int) string {
	d := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	for i := range n {
		if i%23 == 22 {
			b.WriteRune('，')
			continue
		}
		b.WriteRune(rune(0x4e00 + d.IntN(3755)))
	}
	return b.String()
}

// What the filter adds to an event of an answer, with 100,000 words and all
// personal data looked for.
func BenchmarkEvents(b *testing.B) {
	runes := []rune(prose(4000))
	var events []chat.Event
	for i := 0; i < len(runes); i += 2 {
		events = append(events, chat.Event{Text: string(runes[i : i+2])})
	}
	m := play(append(events, theEnd...)...)
	for name, model := range map[string]chat.Model{"bare": m, "guarded": Guard(m, Options{Shelf: NewShelf(manyRules()), Policy: manyPolicy()})} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for range model.Chat(context.Background(), ask("你好")) {
					n++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(events)), "ns/event")
		})
	}
}

// What the filter adds before a model is asked.
func BenchmarkRequest(b *testing.B) {
	for _, n := range []int{20, 1000, 100_000} {
		for _, cached := range []bool{false, true} {
			b.Run(fmt.Sprintf("runes=%d/remembered=%v", n, cached), func(b *testing.B) {
				o := Options{Shelf: NewShelf(manyRules()), Policy: manyPolicy(), Cache: -1}
				if cached {
					o.Cache = 100
				}
				g := Guard(nil, o)
				req := ask(prose(n))
				b.ReportAllocs()
				b.SetBytes(int64(3 * n))
				for b.Loop() {
					s := g.screening("", "", "")
					if s.request(req); s.blocked != nil {
						b.Fatal("blocked")
					}
				}
			})
		}
	}
}

// What somebody sends who wants the filter to take its time takes time in
// proportion to its length.
func BenchmarkHostile(b *testing.B) {
	p := newPlan(manyRules(), manyPolicy())
	for name, text := range map[string]string{
		"secrets in code": strings.Repeat("secret:", 1000) + "(", // each could go on to the bracket
		"tokens":          "token=abc1",
		"numbers":         "+86 138 0013 8000 ",
		"dashes":          "1-3-8-",
		"places":          "地址:北京市海淀区",
		"addresses":       "1.2.3.4 ",
		"emoji":           "🎲",
		"noise":           "赌**",
	} {
		text = strings.Repeat(text, 1<<18/len(text))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				f := field{place{what: messageContent, n: 1}, textField, []string{text}}
				p.inspect(&f, false)
			}
		})
	}
}

// JSON goes byte by byte.
func BenchmarkJSON(b *testing.B) {
	text := `{"a":[` + strings.Repeat(`{"key":"`+prose(20)+`","n":12345,"b":true},`, 1000) + `0]}`
	p := newPlan(manyRules(), manyPolicy())
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		f := field{place{what: toolParameters}, jsonField, []string{text}}
		p.inspect(&f, false)
	}
}

// An answer that waits costs little, without or with all
// personal data looked for. What it costs is mostly what its finders remember.
func TestIdleAnswersAreSmall(t *testing.T) {
	const n = 10_000
	for personal, most := range map[bool]int{false: 5 << 20, true: 6 << 20} {
		policy := manyPolicy()
		if !personal {
			policy.Personal = nil
		}
		a := &answer{guard: Guard(nil, Options{}), plan: newPlan(someRules(), policy), policy: policy, req: ask("hi")}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		all := make([]*strand, n)
		c := &choice{}
		for i := range all {
			all[i] = a.strand(c, contentPath, false)
			for _, piece := range []string{"今天", "天气", "很", "好，我们"} {
				all[i].write(piece, false)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := (int(after.HeapAlloc) - int(before.HeapAlloc)) / n
		t.Logf("%d bytes each, personal data: %v", each, personal)
		if each*n > most {
			t.Errorf("%d waiting answers cost %d bytes each, want at most %d (personal data: %v)", n, each, most/n, personal)
		}
		runtime.KeepAlive(all)
	}
}

// Nothing is allocated for an event when nothing is found.
func TestEventsCostNoMemory(t *testing.T) {
	a := &answer{guard: Guard(nil, Options{}), plan: newPlan(someRules(), manyPolicy()), policy: manyPolicy(), req: ask("hi")}
	c := &choice{}
	s := a.strand(c, contentPath, false)
	runes := []rune(prose(4000))
	i := 0
	var pieces []string
	for i := 0; i+2 < len(runes); i += 2 {
		pieces = append(pieces, string(runes[i:i+2]))
	}
	s.write(prose(300), false)
	if n := testing.AllocsPerRun(1500, func() {
		s.write(pieces[i%len(pieces)], false)
		i++
	}); n != 0 {
		t.Errorf("%v allocations for an event", n)
	}
}
