package match

import (
	"cmp"
	"slices"

	"bendi/filter/find"
)

// A gathering is a combination of which parts have been met. It keeps the last
// occurrence of each: an earlier one would only make the whole longer.
type gathering struct {
	which  uint32
	told   int // where the last whole began; -1 for none
	have   uint8
	starts [MaxParts]int
	counts [MaxParts]uint32 // symbols read before each began
}

// combine puts parts together, in the order of their ends, as far as all that
// end before limit are decided. Of two wholes one of which contains the other,
// the smaller is told.
func (s *Scanner) combine(limit int) {
	kept := s.pending[:0]
	var end int
	var endCount uint32
	dirty := false
	for _, p := range s.pending {
		if p.waits != forOrder || p.end >= limit {
			kept = append(kept, p)
			continue
		}
		if dirty && p.end != end {
			s.wholes(end, endCount)
		}
		end, endCount, dirty = p.end, p.count, true
		g := s.gathering(uint32(s.a.outputs[p.out].rule))
		part := s.a.outputs[p.out].part
		if bit := uint8(1) << part; g.have&bit == 0 || p.start > g.starts[part] {
			g.have |= bit
			g.starts[part] = p.start
			g.counts[part] = p.count - uint32(p.length)
		}
	}
	if dirty {
		s.wholes(end, endCount)
	}
	s.pending = kept
	s.gather = slices.DeleteFunc(s.gather, func(g gathering) bool { return g.old(s) })
}

// old reports whether all that g has met is too far back.
func (g *gathering) old(s *Scanner) bool {
	for k := range s.a.combinations[g.which].parts {
		if g.have&(1<<k) != 0 && g.near(s, k) {
			return false
		}
	}
	return true
}

func (s *Scanner) gathering(which uint32) *gathering {
	i, is := slices.BinarySearchFunc(s.gather, which, func(g gathering, which uint32) int { return cmp.Compare(g.which, which) })
	if !is {
		s.gather = slices.Insert(s.gather, i, gathering{which: which, told: -1})
	}
	return &s.gather[i]
}

// wholes tells what is complete where end is.
func (s *Scanner) wholes(end int, count uint32) {
	for i := range s.gather {
		g := &s.gather[i]
		c := &s.a.combinations[g.which]
		if g.have != uint8(1<<c.parts-1) {
			continue
		}
		start, since := g.starts[0], g.counts[0]
		for k := range c.parts {
			if g.starts[k] < start {
				start, since = g.starts[k], g.counts[k]
			}
		}
		if start > g.told {
			g.told = start
			if count-since <= uint32(c.within) {
				s.found = append(s.found, find.Span{Start: start, End: end, Rule: int(c.rule), Form: c.form})
			}
		}
	}
}

// hold is where the first whole may begin that g has not told.
func (g *gathering) hold(s *Scanner) int {
	c := &s.a.combinations[g.which]
	at := never
	for k := range c.parts {
		if g.have&(1<<k) == 0 || g.starts[k] <= g.told || g.starts[k] >= at {
			continue
		}
		if g.near(s, k) {
			at = g.starts[k]
		}
	}
	return at
}

// near reports whether a whole may still begin with the part, which another
// part has to follow: a coming one, or one that is not decided.
func (g *gathering) near(s *Scanner, part uint8) bool {
	within := uint32(s.a.combinations[g.which].within)
	room := uint32(0)
	if s.a.profile == Strict {
		room = 1 // a part may end with a repetition, which is no symbol more
	}
	if s.count-g.counts[part] < within+room {
		return true
	}
	for _, p := range s.pending {
		o := s.a.outputs[p.out]
		if o.flags&isPart != 0 && uint32(o.rule) == g.which && p.count-g.counts[part] <= within {
			return true
		}
	}
	return false
}
