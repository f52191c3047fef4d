package filter
import ("testing";"time";"runtime";"fmt";"math/rand/v2";"strings";"bendi/filter/lexicon")
func TestZZCompile(t *testing.T) {
	d := rand.New(rand.NewPCG(1, 2))
	l := &lexicon.Lexicon{Name: "many", Version: "1", Categories: map[string]lexicon.Category{"block": {Level: 3}}}
	seen := map[string]bool{}
	for len(l.Words) < 100_000 {
		var b strings.Builder
		for range 2 + d.IntN(6) { b.WriteRune(rune(0x4e00 + d.IntN(3755))) }
		if w := b.String(); !seen[w] { seen[w] = true; l.Words = append(l.Words, lexicon.Word{ID: fmt.Sprint(len(l.Words)), Text: w, Category: "block", Level: 3}) }
	}
	for _, p := range []*Policy{{}, {Strict: true}} {
		var m0, m1 runtime.MemStats
		runtime.GC(); runtime.ReadMemStats(&m0)
		t0 := time.Now()
		r, err := Compile([]*lexicon.Lexicon{l}, p)
		if err != nil { t.Fatal(err) }
		el := time.Since(t0)
		runtime.GC(); runtime.ReadMemStats(&m1)
		t.Logf("strict %v sound %v: %v, %d MB kept, %d MB allocated", p.Strict, p.Sound, el, (m1.HeapAlloc-m0.HeapAlloc)>>20, (m1.TotalAlloc-m0.TotalAlloc)>>20)
		t0 = time.Now()
		newPlan(r, p)
		t.Log("plan", time.Since(t0))
		runtime.KeepAlive(r)
	}
}
