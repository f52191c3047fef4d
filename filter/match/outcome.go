package match

import (
	"math"

	"bendi/filter/find"
	"bendi/filter/fold"
)

// A pending is an occurrence that is not told yet.
type pending struct {
	start, end int
	out        uint32
	count      uint32 // symbols read when it ended
	length     uint8  // symbols
	waits      waits
}

// What an occurrence waits for.
type waits uint8

const (
	forWord   waits = 1 << iota // for a rune that does not go on with the word
	forHex                      // nor with hexadecimal
	forSpaced                   // nor, being a word spelled letter by letter, with another letter
	forOrder                    // for those of its combination before it
)

const forRune = forWord | forHex | forSpaced

// never is later than every place in a stream.
const never = math.MaxInt

// outputs looks at what ends with the last symbol.
func (s *Scanner) outputs(end int) {
	a := s.a
	allowed := never
	for st := s.st; a.nodes[st].meta&anyOutput != 0; st = a.fail(st) {
		lo, hi := a.at(st)
		if lo == hi {
			continue
		}
		depth := a.nodes[st].meta.depth()
		start := place(s.entry(depth), end)
		for k := lo; k < hi; k++ {
			w, ok := s.verify(k, depth)
			if !ok {
				continue
			}
			f := a.outputs[k].flags
			switch {
			case w == 0 && f&isAllow != 0:
				allowed = min(allowed, start)
			case w == 0 && f&isPart == 0 && !a.allows:
				s.found = append(s.found, find.Span{Start: start, End: end, Rule: int(a.outputs[k].rule), Form: a.outputs[k].form})
			default:
				if w&forRune != 0 {
					s.waiting++
				}
				s.pending = append(s.pending, pending{start, end, k, s.count, uint8(depth), w})
			}
		}
	}
	if allowed != never {
		s.void(allowed, end)
	}
	if len(s.pending) >= s.many {
		s.pos = end
		s.tell(false)
		s.many = max(minMany, 2*len(s.pending))
	}
}

// minMany is how many occurrences are put off before it is looked at whether
// they can be told.
const minMany = 64

// verify reports whether the text that reads like the pattern of output k is
// one, and what it has to wait for.
func (s *Scanner) verify(k, depth uint32) (w waits, ok bool) {
	f := s.a.outputs[k].flags
	if f&wholeHead != 0 {
		switch b := uint8(s.entry(depth) >> 2 & 3); {
		case b == joins, b == hyphens && f&isHex != 0:
			return 0, false
		}
	}
	if f&isForeign == 0 && !s.oneWriter(depth) {
		return 0, false
	}
	if f&wholeTail != 0 {
		w |= forWord
		if f&isHex != 0 {
			w |= forHex
		}
	}
	return w, true
}

// oneWriter reports whether the last depth symbols have no letter of another
// script that was taken for Latin, or have it among letters of other scripts,
// as no word of that script would.
func (s *Scanner) oneWriter(depth uint32) bool {
	var scripts uint8
	for i := depth; i > 0; i-- {
		scripts |= 1 << (s.entry(i) & 3)
	}
	scripts &^= 1 << 0
	return scripts&(1<<cyrillic|1<<greek) == 0 || scripts&(scripts-1) != 0
}

// void drops what lies within an occurrence of an allowed pattern.
func (s *Scanner) void(start, end int) {
	kept := s.pending[:0]
	for _, p := range s.pending {
		if p.start >= start && p.end <= end && s.a.outputs[p.out].flags&isAllow == 0 {
			if p.waits&forRune != 0 {
				s.waiting--
			}
			continue
		}
		kept = append(kept, p)
	}
	s.pending = kept
}

// resolve decides what waits for the next rune, which is bound to a word before
// it like that; 0 at the end.
func (s *Scanner) resolve(bound uint8) {
	kept := s.pending[:0]
	s.waiting = 0
	allowed := make([]pending, 0, 4)
	for _, p := range s.pending {
		if p.waits&forRune != 0 {
			if bound == joins && p.waits&(forWord|forSpaced) != 0 || bound == hyphens && p.waits&forHex != 0 {
				continue
			}
			p.waits &^= forRune
			if s.a.outputs[p.out].flags&isAllow != 0 {
				allowed = append(allowed, p)
				continue
			}
		}
		kept = append(kept, p)
	}
	s.pending = kept
	for _, p := range allowed {
		s.void(p.start, p.end)
	}
}

// decide tells what nothing can void any more.
func (s *Scanner) decide(last bool) {
	if len(s.pending) > 0 {
		s.tell(last)
	}
}

func (s *Scanner) tell(last bool) {
	a := s.a
	allow := never
	if a.allows && !last {
		allow = s.live(allowing)
	}
	kept := s.pending[:0]
	ordered := never // where the first part ends that is not decided
	for i, p := range s.pending {
		o := a.outputs[p.out]
		undecided := p.waits&forRune != 0 || p.start >= allow
		if !undecided && s.waiting > 0 && a.allows {
			for _, q := range s.pending[i:] {
				if a.outputs[q.out].flags&isAllow != 0 && q.start <= p.start && p.end <= q.end {
					undecided = true
				}
			}
		}
		switch {
		case undecided:
			if o.flags&isPart != 0 {
				ordered = min(ordered, p.end)
			}
			kept = append(kept, p)
		case o.flags&isPart == 0:
			s.found = append(s.found, find.Span{Start: p.start, End: p.end, Rule: int(o.rule), Form: o.form})
		default:
			p.waits |= forOrder
			kept = append(kept, p)
		}
	}
	s.pending = kept
	if len(a.combinations) > 0 {
		s.combine(ordered)
	}
}

// settled is where the first occurrence may begin that is not told.
func (s *Scanner) settled() int {
	at := min(s.pos, s.live(ahead))
	for _, p := range s.pending {
		at = min(at, p.start)
	}
	for i := range s.gather {
		at = min(at, s.gather[i].hold(s))
	}
	return at
}

// live is where the longest end of the text begins that is the beginning of a
// pattern of that kind: ahead or allowing.
func (s *Scanner) live(kind meta) int {
	if s.gaps == 0 {
		return s.liveFrom(s.st, kind)
	}
	// The gap may be passed over or be text; both are alive.
	need := aheadHan
	if s.last == han {
		need = aheadWord
		for _, g := range s.gap[:s.gaps] {
			if g.r == '.' {
				need = aheadHan
			}
		}
	} else if s.a.profile != Default {
		need = aheadWord
	}
	if kind == allowing {
		need = 0
	}
	at := s.liveFrom(s.st, kind|need)
	st, spaces, read := s.st, false, uint32(0)
	var starts [maxGap]int
	for _, g := range s.gap[:s.gaps] {
		r := g.r
		if g.kind != fold.Noise {
			if spaces {
				continue
			}
			r, spaces = ' ', true
		} else {
			spaces = false
		}
		st = s.a.step(st, s.a.class(r))
		starts[read] = g.at
		read++
	}
	for ; st != 0; st = s.a.fail(st) {
		m := s.a.nodes[st].meta
		if m&kind == 0 {
			continue
		}
		if d := m.depth(); d <= read {
			return min(at, starts[read-d])
		} else if s.begins(m, d-read) {
			return min(at, place(s.entry(d-read), s.pos))
		}
	}
	return at
}

// liveFrom is live without a gap, for states that have all of need.
func (s *Scanner) liveFrom(st uint32, need meta) int {
	for ; st != 0; st = s.a.fail(st) {
		if m := s.a.nodes[st].meta; m&need == need && m.depth() > 0 && s.begins(m, m.depth()) {
			return place(s.entry(m.depth()), s.pos)
		}
	}
	return never
}

// begins reports whether a state of so many symbols may go on to a pattern,
// considering what it stands next to.
func (s *Scanner) begins(m meta, depth uint32) bool {
	return m&wholeOnly == 0 || uint8(s.entry(depth)>>2&3) != joins
}
