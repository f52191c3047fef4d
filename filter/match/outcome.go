package match

import (
	"math"
	"slices"

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
	forAllow                    // for a pattern with Allow that waits itself
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
			if s.met == nil {
				s.met = &met{many: minMany}
			}
			switch {
			case f&isAllow == 0 && end == s.voidEnd && start >= s.voidStart:
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
	if s.met != nil && len(s.pending) >= s.many {
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
	switch s.a.profile {
	case Strict:
		if !s.due(k, depth) {
			return 0, false
		}
		w, ok = s.strictly(&s.a.shapes[k], f, depth)
	case Sound:
		w, ok = s.soundly(&s.a.shapes[k], depth)
	default:
		ok = true
	}
	if f&wholeTail != 0 && s.extra&ofHan == 0 {
		w |= forWord
		if f&isHex != 0 {
			w |= forHex
		}
	}
	return w, ok
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
	if end > s.voidEnd || end == s.voidEnd && start < s.voidStart {
		s.voidStart, s.voidEnd = start, end
	}
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

// tell tells what nothing can void any more.
func (s *Scanner) tell(last bool) {
	a := s.a
	allow := never
	if a.allows && !last {
		allow = s.live(allowing)
	}
	if a.allows && s.waiting > 0 {
		s.mayVoid()
	}
	kept := s.pending[:0]
	ordered := never // where the first part ends that is not decided
	for _, p := range s.pending {
		o := a.outputs[p.out]
		undecided := p.waits&(forRune|forAllow) != 0 || p.start >= allow
		p.waits &^= forAllow
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

// mayVoid marks what lies within an occurrence that may turn out to be one of
// an allowed pattern.
func (s *Scanner) mayVoid() {
	for _, q := range s.pending {
		if s.a.outputs[q.out].flags&isAllow == 0 {
			continue
		}
		for i := range s.pending {
			if p := &s.pending[i]; q.start <= p.start && p.end <= q.end {
				p.waits |= forAllow
			}
		}
	}
}

// settled is where the first occurrence may begin that is not told.
func (s *Scanner) settled() int {
	at := min(s.pos, s.live(ahead))
	if s.bare != nil && s.bare.refs > 0 {
		at = min(at, s.bare.refAt)
	}
	if s.met == nil {
		return at
	}
	for _, p := range s.pending {
		if s.a.outputs[p.out].flags&isAllow == 0 {
			at = min(at, p.start)
		}
	}
	for i := range s.gather {
		at = min(at, s.gather[i].hold(s))
	}
	return at
}

// live is where the longest end of the text begins that is the beginning of a
// pattern of that kind: ahead or allowing.
func (s *Scanner) live(kind meta) int {
	at := never
	if s.a.profile == Strict {
		at = s.unrepeated(kind)
	}
	if s.gaps == 0 {
		return min(at, s.liveFrom(s.st, kind))
	}
	// The gap may be passed over or be text; both are alive.
	way := kind
	if kind == ahead {
		way = s.across()
	}
	at = min(at, s.liveFrom(s.st, way))
	whole := wholeAhead
	if kind == allowing {
		whole = 0
	}
	st, spaces, read := s.st, false, uint32(0)
	var starts [maxWide]int
	since := func(depth uint32) int {
		if depth <= read {
			return starts[read-depth]
		}
		return place(s.entry(depth-read), s.pos)
	}
	for _, g := range s.gap {
		r := g.r
		if g.kind == fold.Noise {
			spaces = false
		} else if spaces {
			continue
		} else {
			r, spaces = ' ', true
		}
		st = s.a.step(st, s.a.class(r))
		starts[read] = g.at
		read++
		for end := st; s.a.nodes[end].meta&anyOutput != 0; end = s.a.fail(end) {
			depth := s.a.nodes[end].meta.depth()
			if (depth <= read || s.opening(depth-read)) && s.a.ends(end, kind == allowing, depth > read && s.inWord(depth-read)) {
				at = min(at, since(depth))
			}
		}
	}
	for ; st != 0; st = s.a.fail(st) {
		m := s.a.nodes[st].meta
		if d := m.depth(); m&kind != 0 && (d <= read || s.opening(d-read) && (m&whole == 0 || !s.inWord(d-read))) {
			return min(at, since(d))
		}
	}
	return at
}

// ends reports whether a pattern, allowed or not, ends at a state that has
// begun within a word or not.
func (a *Automaton) ends(st uint32, allowed, inWord bool) bool {
	lo, hi := a.at(st)
	for _, o := range a.outputs[lo:hi] {
		if (o.flags&isAllow != 0) == allowed && !(inWord && o.flags&wholeHead != 0) {
			return true
		}
	}
	return false
}

// across tells what has to come after the gap for it to be passed over.
func (s *Scanner) across() meta {
	switch {
	case s.a.profile == Strict:
		return ahead // the last symbol may be repeated
	case s.a.profile == Sound:
		return aheadWord // all its words are letters
	case s.last == han && slices.ContainsFunc(s.gap, gapRune.isDot):
		return aheadHan
	case s.last == han:
		return aheadWord
	}
	return aheadHan
}

// liveFrom is live without a gap, for patterns that go on in the way.
func (s *Scanner) liveFrom(st uint32, way meta) int {
	whole := way << 3
	if way == allowing {
		whole = 0
	}
	for ; st != 0; st = s.a.fail(st) {
		m := s.a.nodes[st].meta
		if d := m.depth(); m&way != 0 && s.opening(d) && (m&whole == 0 || !s.inWord(d)) {
			return place(s.entry(d), s.pos)
		}
	}
	return never
}

// inWord reports whether the symbol so many symbols back goes on with a word.
func (s *Scanner) inWord(back uint32) bool { return uint8(s.entry(back)>>2&3) == joins }
