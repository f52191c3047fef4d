package pii

import (
	"math/bits"
	"strings"
	"time"
	"unicode/utf8"

	"bendi/filter/find"
)

// A Detector knows what to look for. It does not change, and may be used by
// any number of goroutines.
type Detector struct {
	on   [count]bool
	year int // nobody is born later
	// hot has a bit for each rune of up to 16 bits at which something has to be
	// looked at.
	hot      runes
	heads    runes            // first runes of places
	places   map[[2]rune]bool // first two runes of places
	families runes            // first runes of family names
	pairs    runes            // first two bytes of secrets

	words struct {
		cards, ids, landlines, phones, orders, coordinates, companies, versions, hosts *words
		passports, social, wechat, qq, names, addresses, secrets, pins, links          *words

		labels [256]bool // last bytes of the words and links before a number
	}
}

// New returns a Detector of the types given, or of all where none is.
func New(types ...Type) *Detector {
	d := &Detector{year: time.Now().Year()}
	for _, t := range types {
		d.on[t] = true
	}
	if len(types) == 0 {
		for t := range d.on {
			d.on[t] = true
		}
	}
	d.learn()
	for r := rune(0); r < utf8.RuneSelf; r++ {
		if isAlnum(byte(r)) || strings.ContainsRune("-+:/$", r) {
			d.hot.add(r)
		}
	}
	for r := rune(0xFF21); r <= 0xFF5A; r++ {
		if upper(r) != 0 {
			d.hot.add(r)
		}
	}
	for _, s := range digitSeries {
		for r := s.first; r < s.first+s.n && r < 1<<16; r++ {
			d.hot.add(r)
		}
	}
	for r := rune(0x4E00); r <= 0x9FFF; r++ {
		if numeral(r) >= 0 || d.on[Plate] && isPlateHead(r) || (d.on[Name] || d.on[Address]) && isLead(r) {
			d.hot.add(r)
		}
	}
	if d.on[Address] {
		d.places = make(map[[2]rune]bool)
		for _, name := range placeNames() {
			first, second := firstTwo(name)
			d.places[[2]rune{first, second}] = true
			d.heads.add(first)
			d.hot.add(first)
		}
	}
	d.pairs.add(pair('e', 'y'))
	for _, f := range prefixes {
		d.pairs.add(pair(f.text[0], f.text[1]))
	}
	for _, r := range families {
		d.families.add(r)
	}
	for _, c := range compounds {
		first, _ := firstTwo(c)
		d.families.add(first)
	}
	return d
}

// runes is a set of runes of up to 16 bits.
type runes [1 << 16 / 64]uint64

func (s *runes) add(r rune) { s[r>>6] |= 1 << (r & 63) }

func (s *runes) has(r rune) bool { return s[uint16(r)>>6]&(1<<(r&63)) != 0 && uint32(r) < 1<<16 }

// memory is how many bytes before a value are looked at for words that say
// what it is.
const memory = 256

// portion is how much of a piece is read at a time, so that a Scanner keeps no
// more than that of a long one.
const portion = 4096

// roomy is a buffer that is not kept when so much of it is empty.
const roomy = 2 * memory

// A Scanner looks through one stream. See [find.Finder].
type Scanner struct {
	d     *Detector
	b     []byte // the end of the stream
	base  int    // offset in the stream of b[0]
	pos   int    // in b: everything before it is decided
	keyed int    // in b, see view

	lead bool // what stands before pos may introduce a name or an address
	// rest is what a secret that is longer than its bound goes on with at pos.
	rest rest
}

var _ find.Finder = (*Scanner)(nil)

// Scanner returns a Scanner for one stream after another.
func (d *Detector) Scanner() *Scanner { return &Scanner{d: d} }

// Reset makes s ready for another stream.
func (s *Scanner) Reset() {
	*s = Scanner{d: s.d, b: s.b[:0]}
}

// Scan reads the next piece. See [find.Finder].
func (s *Scanner) Scan(found []find.Span, piece string, last bool) ([]find.Span, int) {
	for len(piece) > portion {
		found = s.scan(found, piece[:portion], false)
		piece = piece[portion:]
	}
	found = s.scan(found, piece, last)
	if needed := len(s.b) - max(0, s.pos-memory); cap(s.b)-needed > roomy {
		s.forget(make([]byte, 0, needed+roomy/4))
	}
	return found, s.base + s.pos
}

// add appends a piece to the end of the stream that is kept. In a long stream
// the room for that is used again and again.
func (s *Scanner) add(piece string) {
	if n := len(s.b) + len(piece); n > cap(s.b) && s.pos > memory {
		s.forget(s.b[:0])
	}
	if n := len(s.b) + len(piece); n > cap(s.b) {
		room := max(n, min(2*n, memory+memory/4))
		s.b = append(make([]byte, 0, room), s.b...)
	}
	s.b = append(s.b, piece...)
}

// forget keeps in a buffer what will be looked at again.
func (s *Scanner) forget(buffer []byte) {
	cut := max(0, s.pos-memory)
	s.b = append(buffer, s.b[cut:]...)
	s.base += cut
	s.pos -= cut
	s.keyed -= cut
}

func (s *Scanner) scan(found []find.Span, piece string, last bool) []find.Span {
	s.add(piece)
	v := view{d: s.d, b: s.b, last: last}

	p, lead := s.pos, s.lead
	for p < len(v.b) {
		if !lead && s.rest == noRest {
			if p = s.d.skip(v.b, p); p == len(v.b) {
				break
			}
		}
		c := v.b[p]
		var r rune
		var n int
		switch {
		case c < utf8.RuneSelf:
			r, n = rune(c), 1
		case c > 0xE0 && c < 0xF0 && p+2 < len(v.b) && v.b[p+1]&0xC0 == 0x80 && v.b[p+2]&0xC0 == 0x80:
			// Most of Chinese. What is no valid encoding only looks like a
			// rune that means nothing here.
			r, n = rune(c&0x0F)<<12|rune(v.b[p+1]&0x3F)<<6|rune(v.b[p+2]&0x3F), 3
		default:
			if !last && !utf8.FullRune(v.b[p:]) {
				s.pos, s.lead = p, lead
				return found
			}
			r, n = utf8.DecodeRune(v.b[p:])
		}
		if !lead && s.rest == noRest && (r >= 1<<16 && digit(r) < 0 || !s.d.hot.has(r) && r < 1<<16) {
			p += n
			continue
		}

		v.short, v.hits, v.keyed = false, 0, s.keyed
		next := noRest
		if s.rest != noRest {
			next = v.goOn(p, s.rest)
		} else {
			next = v.look(p, r, n, lead)
		}
		if v.short {
			s.pos, s.lead = p, lead
			return found
		}
		s.keyed = v.keyed
		for hits := v.hits; hits != 0; hits &= hits - 1 {
			t := bits.TrailingZeros32(hits)
			found = append(found, find.Span{Start: s.base + int(v.hit[t].start), End: s.base + int(v.hit[t].end), Rule: t})
		}
		if next != noRest || s.rest != noRest {
			// The pieces of a long secret follow each other without a gap.
			if end := int(v.hit[Secret].end); v.hits&(1<<Secret) != 0 && end > p {
				p = end
			}
			s.rest, lead = next, false
			continue
		}
		lead = isLead(r) || lead && isLink(r)
		p += n
	}
	s.pos, s.lead = p, lead
	return found
}

// skip passes over what nothing begins with: Chinese that means nothing here,
// and what is inside a word or a number.
func (d *Detector) skip(b []byte, p int) int {
	for p < len(b) {
		c := b[p]
		switch {
		case c < utf8.RuneSelf:
			switch class := ascii[c]; {
			case class&isLetter != 0:
				if p == 0 || ascii[b[p-1]]&isLocal == 0 {
					return p
				}
			case class&isDigit != 0:
				if p == 0 || ascii[b[p-1]]&isDigit == 0 {
					return p
				}
			case d.hot.has(rune(c)):
				return p
			}
			p++
		case c > 0xE0 && c < 0xF0 && p+2 < len(b):
			c1, c2 := b[p+1], b[p+2]
			r := uint16(c)<<12 | uint16(c1&0x3F)<<6 | uint16(c2&0x3F)
			if (c1^0x80)|(c2^0x80) >= 0x40 || d.hot[r>>6]&(1<<(r&63)) != 0 {
				return p
			}
			p += 3
		default:
			return p
		}
	}
	return p
}

// look looks for everything that may begin with the rune r of n bytes at p.
func (v *view) look(p int, r rune, n int, lead bool) rest {
	on := &v.d.on
	switch {
	case r < utf8.RuneSelf:
		c := byte(r)
		switch {
		case c == '+':
			v.plus(p)
			return noRest
		case c == ':':
			if on[IP] {
				v.ipv6(p)
			}
			return noRest
		case c == '-':
			if on[Secret] {
				if next := v.privateKey(p); next != noRest {
					return next
				}
			}
			if on[GPS] {
				v.coordinates(p)
			}
		}
		if ascii[c]&isDigit != 0 && v.startsNumber(p, r) {
			plain, over := v.glance(p)
			if plain {
				return noRest
			}
			v.numbers(p, r)
			if over {
				return noRest
			}
			if on[GPS] {
				v.coordinates(p)
			}
		}
		return v.word(p)
	case digit(r) >= 0:
		if v.startsNumber(p, r) {
			v.numbers(p, r)
		}
		if lead {
			v.introduced(p, r)
		}
		return noRest
	case upper(r) != 0:
		v.wide(p)
		return noRest
	}
	if on[Plate] && isPlateHead(r) {
		v.plate(p, n)
	}
	if on[Address] && v.d.heads.has(r) {
		v.place(p, r, n)
	}
	if lead {
		v.introduced(p, r)
	}
	return noRest
}

// introduced looks for what a word before p introduces.
func (v *view) introduced(p int, r rune) {
	if v.d.on[Name] {
		v.name(p, r)
	}
	if v.d.on[Address] && isHan(r) {
		v.addressAfterWord(p)
	}
}
