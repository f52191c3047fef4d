package grammar

import (
	"math"
	"math/rand/v2"
	"unicode/utf8"
)

// A walker writes random texts of a grammar.
type walker struct {
	g     *Grammar
	rng   *rand.Rand
	close []float64 // fewest characters from each instruction to the end of its rule
}

func newWalker(g *Grammar, rng *rand.Rand) *walker {
	w := &walker{g: g, rng: rng, close: make([]float64, len(g.insts))}
	for pc := range w.close {
		w.close[pc] = math.Inf(1)
	}
	for changed := true; changed; {
		changed = false
		for pc, in := range g.insts {
			best := math.Inf(1)
			switch in.op {
			case opEnd:
				best = 0
			case opRune:
				best = 1 + w.close[in.next]
			case opCall:
				best = w.close[g.entry[in.arg]] + w.close[in.next]
			case opFork:
				for _, to := range g.targets[in.arg] {
					best = min(best, w.close[to])
				}
			}
			if best < w.close[pc] {
				w.close[pc], changed = best, true
			}
		}
	}
	return w
}

// text walks at random for about n characters, then by the shortest way to an
// end.
func (w *walker) text(n int) string {
	var text []byte
	for s := w.g.Start(); ; {
		tops := s.set.tops
		if s.Done() && (len(tops) == 0 || len(text) >= n || w.rng.IntN(8) == 0) {
			return string(text)
		}
		t := tops[w.rng.IntN(len(tops))]
		if len(text) >= n {
			seen := map[*frame]float64{}
			for _, other := range tops {
				if w.toEnd(other, seen) < w.toEnd(t, seen) {
					t = other
				}
			}
		}
		r := w.pick(w.g.classes[w.g.insts[t.pc].arg].set)
		text = utf8.AppendRune(text, r)
		next, ok := s.Accept([]byte(string(r)))
		if !ok {
			panic("the grammar does not accept its own character")
		}
		s = next
	}
}

func (w *walker) toEnd(t top, seen map[*frame]float64) float64 {
	best := math.Inf(1)
	for _, f := range t.up {
		best = min(best, w.above(f, seen))
	}
	return w.close[t.pc] + best
}

func (w *walker) above(f *frame, seen map[*frame]float64) float64 {
	if f == bottom {
		return 0
	}
	if n, ok := seen[f]; ok {
		return n
	}
	best := math.Inf(1)
	for _, up := range f.up {
		best = min(best, w.above(up, seen))
	}
	seen[f] = best + w.close[w.g.insts[f.pc].next]
	return seen[f]
}

// pick returns a character of a set, most often an ASCII one.
func (w *walker) pick(set runeSet) rune {
	if w.rng.IntN(4) > 0 {
		if ascii := set.intersect(runeSet{{0, 127}}); len(ascii) > 0 {
			set = ascii
		}
	}
	for {
		x := set[w.rng.IntN(len(set))]
		r := x.lo + rune(w.rng.IntN(int(x.hi-x.lo)+1))
		if !isSurrogate(r) {
			return r
		}
	}
}
