package match

import (
	"strconv"
	"unicode/utf8"

	"bendi/filter/fold"
)

// Strict reads a text twice. The second reading passes over markup between Han
// characters, and takes numeric character references for what they show:
//
//	赌<b>博</b>    [赌](x)博    1. 赌
//	                            2. 博    &#36172;博
//
// It tells only what has such a thing inside. Markup that turns out to be none
// ends whatever it interrupts: the first reading has read it as it stands.

// A bare is what the second reading knows beside.
type bare struct {
	ref     [maxRef]byte // the character reference that has begun
	refs    uint8        // bytes in ref
	refAt   int
	shown   bool // the rune being read is shown by a reference
	passed  bool // markup before the rune being read was passed over
	in      inMarkup
	runes   uint8 // of the markup
	digits  uint8 // of a number in a list
	marks   uint8 // signs such as * and # in it, and spaces
	genuine bool  // it has more than those
}

const (
	maxRef    = 10  // bytes of a character reference, "&#x1F3B2;" has nine
	maxMarkup = 128 // runes
	maxMarks  = 8
)

type inMarkup uint8

const (
	noMarkup inMarkup = iota
	between           // pieces of markup
	lineStart
	listNumber
	tagOpen // after <
	tag
	linkText // after ]
	linkTarget
)

// bareRune reads a rune in the second reading.
func (s *Scanner) bareRune(r rune, at, end int) {
	b := s.bare
	switch {
	case b.refs == 0 && r == '&':
		b.ref[0], b.refs, b.refAt = '&', 1, at
		return
	case b.refs == 0:
		s.markupRune(r, at, end)
		return
	case r == ';':
		ref := string(b.ref[:b.refs])
		b.refs = 0
		if shown, ok := shownBy(ref); ok {
			b.shown = true
			s.markupRune(shown, b.refAt, end)
			b.shown = false
			return
		}
	case r < utf8.RuneSelf && b.refs < maxRef && goesOnRef(byte(r), b.refs):
		b.ref[b.refs] = byte(r)
		b.refs++
		return
	}
	b.refs = 0
	s.interrupt(at)
	s.bareRune(r, at, end)
}

func goesOnRef(c byte, n uint8) bool {
	switch n {
	case 1:
		return c == '#'
	case 2:
		return c == 'x' || c == 'X' || '0' <= c && c <= '9'
	}
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// shownBy tells the rune of a reference such as &#36172 and &#x8d4c.
func shownBy(ref string) (rune, bool) {
	if len(ref) < 3 {
		return 0, false
	}
	digits, base := ref[2:], 10
	if digits[0]|0x20 == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	return rune(n), err == nil && utf8.ValidRune(rune(n))
}

// interrupt ends whatever the text before is the beginning of.
func (s *Scanner) interrupt(at int) {
	s.bare.in = noMarkup
	s.closeGap(apart)
	if s.waiting > 0 {
		s.resolve(0)
	}
	s.symbol(brk, fold.Other, at, at, pack(at, 0, 0, false), 0)
	s.again, s.last, s.bound, s.skipped, s.spaces = brk, apart, 0, 0, false
}

// markupRune reads a rune that is markup or text.
func (s *Scanner) markupRune(r rune, at, end int) {
	b := s.bare
	f := s.a.plane.fact(r)
	kind := f.kind()
	switch {
	case b.in == noMarkup:
		if s.last != han || s.st == 0 || b.shown || !b.begins(r, s.gaps) {
			s.plainRune(r, f, at, end)
			return
		}
		s.gap, s.gaps = s.gap[:0], 0
		if s.waiting > 0 {
			s.resolve(f.bound())
		}
	case kind == fold.Invisible || kind == fold.Mark:
	case kind == fold.Han && b.ends():
		b.passed, b.in = b.genuine, noMarkup
		s.plainRune(r, f, at, end)
		b.passed = false
	case b.shown || !b.next(r):
		s.interrupt(at)
		s.markupRune(r, at, end)
	}
}

// begins begins markup if r may be the beginning, after so many runes of a gap.
func (b *bare) begins(r rune, gaps uint8) bool {
	b.in, b.runes, b.marks, b.genuine = between, gaps, gaps, false
	if r != ' ' && b.next(r) {
		return true
	}
	b.in = noMarkup
	return false
}

// ends reports whether markup may end here, or is a short gap.
func (b *bare) ends() bool {
	switch b.in {
	case between, lineStart:
		return b.genuine || b.runes <= maxGap
	}
	return false
}

// next reports whether markup goes on with r.
func (b *bare) next(r rune) bool {
	if b.runes++; b.runes > maxMarkup {
		return false
	}
	digit := '0' <= r && r <= '9'
	switch b.in {
	case tagOpen:
		b.in = tag
		return r == '/' || r == '!' || 'a' <= r|0x20 && r|0x20 <= 'z'
	case tag:
		if r == '>' {
			b.in, b.genuine = between, true
		}
		return r != '<' && r != '\n'
	case linkTarget:
		if r == ')' {
			b.in, b.genuine = between, true
		}
		return r != ' ' && r != '\n'
	case listNumber:
		b.digits++
		if r == '.' || r == ')' || r == '、' || r == '）' || r == '．' {
			b.in, b.genuine = between, true
			return true
		}
		return digit && b.digits < 3
	case linkText:
		if r == '(' {
			b.in = linkTarget
			return true
		}
	case lineStart:
		switch {
		case digit:
			b.in, b.digits = listNumber, 0
			return true
		case r == '-' || r == '*' || r == '+' || r == '•' || r == '>' || r == '#':
			b.genuine = true
		}
	}
	was := b.in
	b.in = between
	switch r {
	case '<':
		b.in = tagOpen
	case ']':
		b.in = linkText
	case '\n', '\r':
		b.in = lineStart
	case ' ', '\t', '\u3000':
		if was == lineStart {
			b.in = lineStart
		}
		b.marks++
	case '[', '*', '_', '~', '`', '#', '>', '|', '-', '+', '•':
		b.marks++
	default:
		return false
	}
	return b.marks <= maxMarks
}
