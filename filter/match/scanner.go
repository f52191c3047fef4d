package match

import (
	"unicode/utf8"

	"bendi/filter/find"
	"bendi/filter/fold"
)

// Limits of what is passed over inside a word.
const (
	maxGap  = 2  // runes of noise, spaces and line ends
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

	ring   []uint32 // what verify needs of each of the last symbols; nil until a pair is met
	more   []uint32 // the same, for Strict and Sound
	latest uint32   // the ring's entry of the last symbol
	extra  uint32   // the more of the last symbol

	count   uint32 // symbols read
	last    group  // of the last symbol
	bound   uint8  // of the last rune that was not passed over
	skipped uint8  // runes passed over since
	spaces  bool   // the last symbol is a space
	gaps    uint8  // runes in gap
	waiting int    // how many of pending wait for the next rune
	rest    [utf8.UTFMax]byte
	rests   uint8 // bytes in rest: the beginning of a rune

	gap [maxGap]gapRune

	found   []find.Span
	pending []pending
	many    int // pending that are looked through
	gather  []gathering

	record *[]glyph // where symbols go while a pattern is read
	glyphs []glyph
}

// A group is what a symbol is to a gap beside it.
type group uint8

const (
	apart group = iota // a gap beside it is text
	han
	letter // or digit
)

type gapRune struct {
	r       rune // folded
	kind    fold.Kind
	at, end int
}

// Scanner makes a scanner of one stream.
func (a *Automaton) Scanner() *Scanner {
	s := &Scanner{a: a}
	s.Reset()
	return s
}

// Reset makes s ready for another stream.
func (s *Scanner) Reset() {
	*s = Scanner{
		a: s.a, ring: s.ring, more: s.more,
		many: minMany, pending: s.pending[:0], gather: s.gather[:0],
		record: s.record, glyphs: s.glyphs,
	}
}

// Scan is that of [find.Finder].
func (s *Scanner) Scan(found []find.Span, piece string, last bool) (spans []find.Span, settled int) {
	s.found = found
	piece = s.complete(piece, last)
	s.read(piece, last)
	if last {
		s.end()
	}
	s.decide(last)
	spans, s.found = s.found, nil
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
	quick := a.profile == Default && s.record == nil
	for i := 0; i < len(text); {
		if quick && s.st < a.shallow && s.gaps == 0 && s.waiting == 0 {
			if n := s.skim(text[i:], base+i); n > 0 {
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

// skim reads Han characters for as long as no two of them may begin a pattern,
// and tells how many bytes that were.
func (s *Scanner) skim(text string, base int) int {
	a := s.a
	classes, pairs, mask, loud := a.classes, a.pairs, a.pairMask, a.loud
	st, i := s.st, 0
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
		if c-1 < loud-1 || pairs[h>>6]&(1<<(h&63)) != 0 {
			break
		}
		st = uint32(c)
		i += 3
	}
	if i > 0 {
		s.st = st
		s.count += uint32(i / 3)
		s.latest = pack(base+i-3, plainScript, 0, false)
		s.last, s.bound, s.skipped, s.spaces = han, 0, 0, false
	}
	return i
}

// rune reads one rune, whatever it is.
func (s *Scanner) rune(r rune, at, end int) {
	f := s.a.plane.fact(r)
	kind := f.kind()
	switch kind {
	case fold.Invisible, fold.Mark:
		s.skip(end)
		return
	}
	if s.waiting > 0 {
		s.resolve(f.bound())
	}
	switch kind {
	case fold.Noise, fold.Space, fold.Newline:
		s.noise(gapRune{s.a.plane.fold(r), kind, at, end}, f.bound())
		return
	}
	gap := s.closeGap(groupOf(kind))
	s.symbol(s.a.plane.fold(r), kind, at, end, pack(at, f.script(), s.bound, gap))
	s.last, s.bound, s.skipped, s.spaces = groupOf(kind), f.bound(), 0, false
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
	s.symbol(brk, fold.Other, end, end, pack(end, 0, 0, false))
	s.last, s.bound, s.skipped, s.spaces = apart, 0, 0, false
}

// noise reads a rune of a gap.
func (s *Scanner) noise(g gapRune, bound uint8) {
	switch {
	case s.last == apart:
		s.literal(g)
	case s.gaps < maxGap:
		s.gap[s.gaps] = g
		s.gaps++
	default:
		s.closeGap(apart)
		s.literal(g)
	}
	s.bound = bound
}

// closeGap decides about the gap, now that the group of the next symbol is
// known, and reports whether there was one that is passed over.
func (s *Scanner) closeGap(next group) bool {
	if s.gaps == 0 {
		return false
	}
	gap := s.gap[:s.gaps]
	s.gaps = 0
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
	if s.last == apart || next == apart {
		return false
	}
	if s.last == han && next == han {
		return true
	}
	if s.last == letter && next == letter {
		return s.a.profile != Default
	}
	for _, g := range gap {
		if g.r == '.' {
			return false
		}
	}
	return true
}

// literal reads a rune of a gap that is text.
func (s *Scanner) literal(g gapRune) {
	if g.kind == fold.Noise {
		s.symbol(g.r, g.kind, g.at, g.end, pack(g.at, 0, 0, false))
		s.last, s.spaces = apart, false
		return
	}
	if s.spaces {
		s.skip(g.end)
		return
	}
	s.symbol(' ', fold.Space, g.at, g.end, pack(g.at, 0, 0, false))
	s.last, s.spaces = apart, true
}

// symbol reads a symbol: the one place where the state changes.
func (s *Scanner) symbol(r rune, kind fold.Kind, at, end int, packed uint32) {
	if s.record != nil {
		*s.record = append(*s.record, glyph{r: r, kind: kind, script: uint8(packed & 3), gap: packed&gapBefore != 0})
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
				s.ring = make([]uint32, ringSize(a.longest))
			}
			s.push(s.latest)
		}
		s.push(packed)
	}
	s.latest = packed
	if a.nodes[s.st].meta&anyOutput != 0 {
		s.outputs(end)
	}
}

func (s *Scanner) push(packed uint32) {
	s.ring[s.n&uint32(len(s.ring)-1)] = packed
	s.n++
}

// ringSize is a power of two.
func ringSize(longest int) int {
	n := 2
	for n < longest {
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
	return s.ring[(s.n-back)&uint32(len(s.ring)-1)]
}

// end reads the end of the stream.
func (s *Scanner) end() {
	s.closeGap(apart)
	if s.waiting > 0 {
		s.resolve(0)
	}
}
