package match

import (
	"slices"
	"strings"
	"unicode/utf8"

	"bendi/filter/find"
	"bendi/filter/fold"
)

// Limits of what is passed over inside a word.
const (
	maxGap  = 2  // runes of noise, spaces and line ends; emoji that are joined to one count once
	maxWide = 8  // of them all
	maxSkip = 64 // invisible runes, combining marks and repeated spaces
)

// brk is a symbol that no pattern has.
const brk rune = -1

// A Scanner finds patterns in one stream. It is a [find.Finder].
type Scanner struct {
	a *Automaton

	pos int    // bytes of the stream that have been read
	st  uint32 // the state after them
	n   uint32 // symbols in ring, since the beginning; its place for the next is n modulo its length

	// ring has what verify needs of each of the last symbols, and behind those
	// their extras, for Strict and Sound. It is nil until a pair is met.
	ring   []uint32
	latest uint32 // the ring's entry of the last symbol
	extra  extra  // of the last symbol
	again  rune   // Strict: the last symbol, if it may be repeated, or brk

	count   uint32 // symbols read
	waiting int32  // how many of pending wait for the next rune
	rest    [utf8.UTFMax]byte
	rests   uint8 // bytes in rest: the beginning of a rune
	last    group // of the last symbol
	bound   uint8 // of the last rune that was not passed over
	skipped uint8 // runes passed over since
	spaces  bool  // the last symbol is a space
	gaps    uint8 // runes in gap, as they count
	edge    uint8 // bound of the first of them, also when gap is closed
	joiner  bool  // the last rune of gap is joined to the next

	// Strict: for each bound, which repetition of again was the last with a gap
	// before it that begins with such a rune; 0 if there was none.
	after [hyphens + 1]uint8

	gap []gapRune

	*met            // nil until something is
	second *Scanner // Strict: the second reading
	bare   *bare    // what it knows; nil in the first
	record *[]glyph // where symbols go while a pattern is read
}

// Met are the occurrences that were met and are not told.
type met struct {
	found   []find.Span // to be told
	pending []pending   // not decided
	many    int         // pending that are looked through
	gather  []gathering

	// The longest allowed occurrence that ends at voidEnd, the last such place:
	// more symbols may come that end there, of a rune that stands for several.
	voidStart, voidEnd int
}

// A group is what a symbol is to a gap beside it.
type group uint8

const (
	apart group = iota // a gap beside it is text
	han
	letter // or digit
)

type gapRune struct {
	at   int
	r    rune // folded
	kind fold.Kind
	size uint8 // in bytes
}

func (g gapRune) end() int { return g.at + int(g.size) }

// Scanner makes a scanner of one stream.
func (a *Automaton) Scanner() *Scanner {
	s := &Scanner{a: a}
	if a.profile == Strict {
		s.second = &Scanner{a: a, bare: new(bare)}
	}
	s.Reset()
	return s
}

// Reset makes s ready for another stream.
func (s *Scanner) Reset() {
	*s = Scanner{
		a: s.a, ring: s.ring, again: brk,
		gap: s.gap[:0], met: s.met, second: s.second, bare: s.bare,
		record: s.record,
	}
	if m := s.met; m != nil {
		*m = met{found: m.found[:0], pending: m.pending[:0], many: minMany, gather: m.gather[:0]}
	}
	if s.bare != nil {
		*s.bare = bare{}
	}
	if s.second != nil {
		s.second.Reset()
	}
}

// Scan is that of [find.Finder].
func (s *Scanner) Scan(found []find.Span, piece string, last bool) (spans []find.Span, settled int) {
	spans, settled = s.scan(found, piece, last)
	if s.second != nil {
		var other int
		spans, other = s.second.scan(spans, piece, last)
		settled = min(settled, other)
	}
	return spans, settled
}

func (s *Scanner) scan(found []find.Span, piece string, last bool) (spans []find.Span, settled int) {
	s.read(s.complete(piece, last), last)
	if last {
		s.end()
	}
	spans = found
	if s.met != nil {
		if len(s.pending) > 0 {
			s.tell(last)
		}
		spans = append(spans, s.found...)
		s.found = s.found[:0]
	}
	if last {
		return spans, s.pos
	}
	return spans, s.settled()
}

// complete reads the rune that the last piece broke off in, and tells what
// follows it.
func (s *Scanner) complete(piece string, last bool) string {
	for s.rests > 0 {
		var b [utf8.UTFMax]byte
		had := int(s.rests)
		n := copy(b[:], s.rest[:had])
		n += copy(b[n:], piece)
		if !last && !utf8.FullRune(b[:n]) {
			s.rest, s.rests = b, uint8(n)
			return ""
		}
		r, size := utf8.DecodeRune(b[:n])
		at := s.pos
		s.rune(r, at, at+size)
		s.pos = at + size
		if size >= had {
			s.rests = 0
			return piece[size-had:]
		}
		copy(s.rest[:], s.rest[size:])
		s.rests -= uint8(size)
	}
	return piece
}

// read reads the runes of text.
func (s *Scanner) read(text string, last bool) {
	a, base := s.a, s.pos
	skim := s.skim
	switch {
	case s.record != nil || a.profile == Sound:
		skim = nil
	case a.profile == Strict:
		skim = s.skimHan
	}
	for i := 0; i < len(text); {
		if skim != nil && s.st < a.shallow && s.gaps == 0 && s.waiting == 0 {
			if n := skim(text[i:], base+i); n > 0 {
				i += n
				continue
			}
		}
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			if r, size = utf8.DecodeRuneInString(text[i:]); size == 1 && !last && !utf8.FullRuneInString(text[i:]) {
				s.rests = uint8(copy(s.rest[:], text[i:]))
				s.pos = base + i
				return
			}
		}
		s.rune(r, base+i, base+i+size)
		i += size
	}
	s.pos = base + len(text)
}

// skim reads symbols for as long as no two of them may begin a pattern, and
// tells how many bytes that were. It stops before whatever needs a thought.
func (s *Scanner) skim(text string, base int) int {
	a := s.a
	classes, facts, pairs, mask, loud := a.classes, &a.plane.facts, a.pairs, a.pairMask, a.loud
	st, i, count := s.st, 0, s.count
	last, at, before, bound := fact(0), -1, s.bound, s.bound
	for {
		from := i
		for i+2 < len(text) {
			b0, b1, b2 := text[i], text[i+1], text[i+2]
			if b0-0xE4 > 0xE9-0xE4 || (b1^0x80)|(b2^0x80) >= 0x40 {
				break
			}
			r := uint32(b0&15)<<12 | uint32(b1&63)<<6 | uint32(b2&63)
			if r < 0x4E00 {
				break
			}
			c := classes[r&0xffff]
			h := (st*pairFactor>>11 + uint32(c)) & mask
			if c-1 < loud-1 || pairs[h>>6]&(1<<(h&63)) != 0 && a.pair(st, c) != 0 {
				break
			}
			st = uint32(c)
			i += 3
		}
		if i > from {
			count += uint32(i-from) / 3
			last, at, before, bound = hanFact, i-3, 0, 0
		}
		// Letters and digits that no pattern has come in runs.
		for from = i; i < len(text) && text[i] < utf8.RuneSelf; i++ {
			f := facts[text[i]]
			if solid>>f.kind()&1 == 0 || classes[text[i]] != 0 {
				break
			}
			before, bound = bound, f.bound()
		}
		if i > from {
			st, count = 0, count+uint32(i-from)
			last, at = facts[text[i-1]], i-1
		}
		r, size := quickRune(text, i)
		if size == 0 {
			break
		}
		f := facts[r&0xffff]
		k := f.kind()
		if solid>>k&1 == 0 {
			// One rune of a gap before a symbol needs no state either.
			if gappy>>k&1 == 0 {
				break
			}
			r2, size2 := quickRune(text, i+size)
			f2 := facts[r2&0xffff]
			if size2 == 0 || solid>>f2.kind()&1 == 0 {
				break
			}
			left, next := s.last, st
			if at >= 0 {
				left = groupOf(last.kind())
			}
			if !passes(left, groupOf(f2.kind()), a.plane.folds[r&0xffff] == '.') {
				if k != fold.Noise {
					r = ' '
				}
				if classes[r&0xffff] != 0 {
					break
				}
				next = 0
				count++
			}
			c := classes[r2&0xffff]
			h := (next*pairFactor>>11 + uint32(c)) & mask
			if c-1 < loud-1 || pairs[h>>6]&(1<<(h&63)) != 0 && a.pair(next, c) != 0 {
				if next != st {
					count--
				}
				break
			}
			st = uint32(c)
			last, at, before, bound = f2, i+size, f.bound(), f2.bound()
			count++
			i += size + size2
			continue
		}
		c := classes[r&0xffff]
		if c != 0 {
			h := (st*pairFactor>>11 + uint32(c)) & mask
			if c < loud || pairs[h>>6]&(1<<(h&63)) != 0 && a.pair(st, c) != 0 {
				break
			}
		}
		st = uint32(c)
		last, at, before, bound = f, i, bound, f.bound()
		count++
		i += size
	}
	if at >= 0 {
		s.st, s.count = st, count
		s.latest = pack(base+at, last.script(), before, false)
		s.last, s.bound, s.skipped, s.spaces = groupOf(last.kind()), bound, 0, false
	}
	return i
}

// quickRune decodes a rune of one byte or three; size is 0 if it is another, or
// not all there.
func quickRune(text string, i int) (r uint32, size int) {
	if i >= len(text) {
		return 0, 0
	}
	r = uint32(text[i])
	if r < utf8.RuneSelf {
		return r, 1
	}
	if r < 0xE1 || r > 0xEF || r == 0xED || i+2 >= len(text) {
		return 0, 0
	}
	b1, b2 := uint32(text[i+1])^0x80, uint32(text[i+2])^0x80
	if b1|b2 >= 0x40 {
		return 0, 0
	}
	return (r&15)<<12 | b1<<6 | b2, 3
}

// solid has a bit for each kind that is always a symbol.
const solid = 1<<fold.Other | 1<<fold.Han | 1<<fold.Letter | 1<<fold.Digit | 1<<fold.Sentence

// gappy has a bit for each kind that gaps are made of.
const gappy = 1<<fold.Noise | 1<<fold.Space | 1<<fold.Newline

// hanFact is that of the characters from U+4E00 to U+9FFF.
const hanFact = fact(fold.Han) | fact(plainScript)<<4

// rune reads one rune, whatever it is.
func (s *Scanner) rune(r rune, at, end int) {
	if s.bare != nil {
		s.bareRune(r, at, end)
		return
	}
	s.plainRune(r, s.a.plane.fact(r), at, end)
}

// plainRune reads a rune that is not markup.
func (s *Scanner) plainRune(r rune, f fact, at, end int) {
	switch f.kind() {
	case fold.Invisible, fold.Mark:
		s.joiner = s.joiner || r == 0x200D
		s.skip(end)
		return
	}
	if s.a.profile == Strict && r >= utf8.RuneSelf {
		if all := fold.Expand(r); all != "" {
			for _, r := range all {
				s.one(r, s.a.plane.fact(r), at, end)
			}
			return
		}
	}
	folded := s.a.plane.fold(r)
	if s.a.profile == Sound && folded == 'u' && strings.ContainsRune("üÜǖǕǘǗǚǙǜǛ", r) {
		folded = 'v' // as fold.Syllable has it
	}
	s.one(folded, f, at, end)
}

// one reads a folded rune that is not passed over everywhere.
func (s *Scanner) one(r rune, f fact, at, end int) {
	if s.waiting > 0 {
		s.resolve(f.bound())
	}
	kind := f.kind()
	switch kind {
	case fold.Noise, fold.Space, fold.Newline:
		if s.a.profile == Strict && s.last == letter && s.gaps == 0 && fold.Leet(r) != r {
			kind = fold.Letter // as in b@d
			break
		}
		s.noise(gapRune{at, r, kind, uint8(end - at)}, f.bound())
		return
	}
	g := groupOf(kind)
	gap := s.closeGap(g)
	switch s.a.profile {
	case Default:
		s.symbol(r, kind, at, end, pack(at, f.script(), s.bound, gap), 0)
	case Strict:
		s.strict(r, f, f.kind(), at, end, gap)
	case Sound:
		s.sound(r, f, kind, at, end, gap)
	}
	s.last, s.bound, s.skipped, s.spaces = g, f.bound(), 0, false
}

func groupOf(k fold.Kind) group {
	switch k {
	case fold.Han:
		return han
	case fold.Letter, fold.Digit:
		return letter
	}
	return apart
}

// skip passes over a rune, unless there have been too many.
func (s *Scanner) skip(end int) {
	if s.skipped++; s.skipped <= maxSkip {
		return
	}
	s.closeGap(apart)
	if s.waiting > 0 {
		s.resolve(0)
	}
	s.symbol(brk, fold.Other, end, end, pack(end, 0, 0, false), 0)
	s.again, s.last, s.bound, s.skipped, s.spaces = brk, apart, 0, 0, false
}

// noise reads a rune of a gap.
func (s *Scanner) noise(g gapRune, bound uint8) {
	joined := s.joiner && s.gaps > 0 && g.kind == fold.Noise && s.gap[len(s.gap)-1].kind == fold.Noise
	s.joiner = false
	switch {
	case s.last == apart:
		s.literal(g)
	case joined && len(s.gap) < maxWide:
		s.gap = append(s.gap, g)
	case joined, (s.gaps == maxGap || len(s.gap) == maxWide) && !s.widens(g), s.last == letter && g.r == '.' && s.a.profile == Default:
		s.closeGap(apart)
		s.literal(g)
	case s.widens(g):
		s.skip(g.end())
	default:
		if s.gaps == 0 {
			s.edge = bound
		}
		s.gap = append(s.gap, g)
		s.gaps++
	}
	s.bound = bound
}

// widens reports whether g is one more space after a letter, which makes no
// difference in Strict and Sound: they may pass over one space that a pattern
// has in Default.
func (s *Scanner) widens(g gapRune) bool {
	return s.a.profile != Default && s.last == letter && s.gaps > 0 && g.isSpace() && s.gap[len(s.gap)-1].isSpace()
}

// closeGap decides about the gap, now that the group of the next symbol is
// known, and reports whether there was one that is passed over.
func (s *Scanner) closeGap(next group) bool {
	s.joiner = false
	if s.gaps == 0 {
		return false
	}
	gap := s.gap
	s.gap, s.gaps = s.gap[:0], 0
	if s.passes(gap, next) {
		return true
	}
	for _, g := range gap {
		s.literal(g)
	}
	return false
}

// passes reports whether gap is passed over between the last symbol and one of
// group next.
func (s *Scanner) passes(gap []gapRune, next group) bool {
	if s.last == letter && next == letter {
		return s.a.profile != Default
	}
	return passes(s.last, next, slices.ContainsFunc(gap, gapRune.isDot))
}

// passes reports whether a short gap, which may have a dot, is passed over in
// Default.
func passes(left, right group, dot bool) bool {
	if left == apart || right == apart || left == letter && right == letter {
		return false
	}
	return !dot || left == right
}

func (g gapRune) isSpace() bool { return g.kind != fold.Noise }

// isDot reports whether the rune separates, beside a letter.
func (g gapRune) isDot() bool { return g.r == '.' }

// literal reads a rune of a gap that is text.
func (s *Scanner) literal(g gapRune) {
	if g.kind == fold.Noise {
		s.symbol(g.r, g.kind, g.at, g.end(), pack(g.at, 0, 0, false), extra(g.r)|oneRun)
		s.last, s.spaces = apart, false
		return
	}
	if s.spaces {
		s.skip(g.end())
		return
	}
	s.symbol(' ', fold.Space, g.at, g.end(), pack(g.at, 0, 0, false), oneRun)
	s.last, s.spaces = apart, true
}

// symbol reads a symbol: the one place where the state changes.
func (s *Scanner) symbol(r rune, kind fold.Kind, at, end int, packed uint32, e extra) {
	if s.record != nil {
		*s.record = append(*s.record, glyph{r: r, kind: kind, script: uint8(packed & 3), gap: packed&gapBefore != 0, extra: e})
		return
	}
	a := s.a
	c := a.class(r)
	s.count++
	before := s.st
	s.st = a.step(before, c)
	if s.st >= a.shallow {
		if before < a.shallow {
			if s.ring == nil {
				size := a.ringMask + 1
				if a.profile != Default {
					size *= 2
				}
				s.ring = make([]uint32, size)
			}
			s.push(s.latest, s.extra)
		}
		s.push(packed, e)
	}
	s.latest, s.extra = packed, e
	if a.nodes[s.st].meta&anyOutput != 0 {
		s.outputs(end)
	}
}

func (s *Scanner) push(packed uint32, e extra) {
	i, mask := s.n&s.a.ringMask, s.a.ringMask
	s.ring[i] = packed
	if s.a.profile != Default {
		s.ring[mask+1+i] = uint32(e)
	}
	s.n++
}

// ringSize is a power of two.
func ringSize(longest int) uint32 {
	n := uint32(2)
	for int(n) < longest {
		n *= 2
	}
	return n
}

// A symbol's entry in the ring: its script in two bits, what it stands next to
// in two, whether a gap before it was passed over, and the low bits of where it
// begins.
const (
	gapBefore = 1 << 4
	placeBits = 27
)

func pack(at int, script, bound uint8, gap bool) uint32 {
	p := uint32(at)<<5 | uint32(bound)<<2 | uint32(script)
	if gap {
		p |= gapBefore
	}
	return p
}

// place is where a symbol begins that was read before the byte ref.
func place(packed uint32, ref int) int {
	return ref - int((uint32(ref)-packed>>5)&(1<<placeBits-1))
}

// entry is the ring's entry of the symbol that is back symbols back; 1 is the
// last.
func (s *Scanner) entry(back uint32) uint32 {
	if back == 1 {
		return s.latest
	}
	return s.ring[(s.n-back)&s.a.ringMask]
}

// extraOf is the extra of that symbol.
func (s *Scanner) extraOf(back uint32) extra {
	if back == 1 {
		return s.extra
	}
	return extra(s.ring[s.a.ringMask+1+(s.n-back)&s.a.ringMask])
}

// end reads the end of the stream.
func (s *Scanner) end() {
	if s.bare != nil && (s.bare.refs > 0 || s.bare.in != noMarkup) {
		s.interrupt(s.pos)
	}
	s.closeGap(apart)
	if s.waiting > 0 {
		s.resolve(0)
	}
}
