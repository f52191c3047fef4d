package match

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"bendi/filter/fold"
)

// Compile makes an automaton of the patterns. Its error joins a *PatternError
// for each pattern that cannot be compiled.
func Compile(patterns []Pattern, p Profile) (*Automaton, error) {
	c := compiler{
		a:      &Automaton{profile: p, plane: basic()},
		starts: make([]uint32, 1, len(patterns)+1),
		syms:   make([]rune, 0, 6*len(patterns)),
		words:  make([]output, 0, len(patterns)),
		counts: make(counts),
	}
	if p == Sound {
		c.a.readings = syllables()
	}
	c.reader.a = c.a
	for i, pat := range patterns {
		c.add(i, pat)
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	if n := c.classify(); n >= 1<<16 {
		return nil, fmt.Errorf("the patterns have %d different symbols; at most 65535 can be told apart", n)
	}
	c.build()
	return c.a, nil
}

// A compiler turns patterns into words: symbols, and an output each.
type compiler struct {
	a      *Automaton
	reader Scanner // reads patterns as it reads texts, into glyphs
	glyphs []glyph
	errs   []error

	syms   []rune   // of all words, in a row
	starts []uint32 // of each word in syms; one more for the end
	words  []output
	shapes []shape // parallel to words, for Strict and Sound
	counts counts
}

// counts are how often symbols occur, by their upper and their lower bits.
type counts map[rune]*[256]symbolCount

type symbolCount struct {
	n    int
	loud bool // it is a pattern by itself
}

func (c counts) of(r rune) *symbolCount {
	page := c[r>>8]
	if page == nil {
		page = new([256]symbolCount)
		c[r>>8] = page
	}
	return &page[r&255]
}

func (c *compiler) add(i int, p Pattern) {
	bad := func(reason string) { c.errs = append(c.errs, &PatternError{i, reason}) }
	if p.Rule < math.MinInt32 || p.Rule > math.MaxInt32 {
		bad("its rule number does not fit 32 bits")
		return
	}
	out := output{rule: int32(p.Rule), form: p.Form}
	if len(p.All) == 0 {
		if p.Allow {
			out.flags |= isAllow
		}
		if reason := c.word(p.Text, p.Whole, out); reason != "" {
			bad(reason)
		}
		return
	}
	switch {
	case p.Text != "":
		bad("has a text and a combination; one of them only")
		return
	case p.Allow:
		bad("a combination cannot be allowed; allow its words")
		return
	case c.a.profile == Sound:
		bad("a combination cannot be found by its sound")
		return
	case len(p.All) > MaxParts:
		bad("a combination has at most 8 parts")
		return
	case p.Within < 1 || p.Within > MaxWithin:
		bad("a combination lies within 1 to 1000 symbols")
		return
	}
	out.rule = int32(len(c.a.combinations))
	out.flags |= isPart
	out.part = 0
	for _, text := range p.All {
		if reason := c.word(text, p.Whole, out); reason != "" {
			bad("part " + string(rune('1'+out.part)) + ": " + reason)
			return
		}
		out.part++
	}
	c.a.combinations = append(c.a.combinations, combination{int32(p.Rule), int32(p.Within), p.Form, out.part})
}

// word reads one text and adds it; it tells why that cannot be.
func (c *compiler) word(text string, whole bool, out output) (reason string) {
	if !utf8.ValidString(text) {
		return "is not valid UTF-8"
	}
	glyphs, reason := c.read(text)
	if reason != "" {
		return reason
	}
	if c.a.profile != Default {
		c.shapes = append(c.shapes, shapeOf(c.a.profile, glyphs))
	}
	hex := true
	for _, g := range glyphs {
		r := g.r
		c.syms = append(c.syms, r)
		c.counts.of(r).n++
		hex = hex && ('0' <= r && r <= '9' || 'a' <= r && r <= 'f')
		if g.script > plainScript {
			out.flags |= isForeign
		}
	}
	if len(glyphs) == 1 {
		c.counts.of(glyphs[0].r).loud = true
	}
	if whole {
		if first := glyphs[0]; wordRune(first.kind, first.r) {
			out.flags |= wholeHead
		}
		if last := glyphs[len(glyphs)-1]; wordRune(last.kind, last.r) {
			out.flags |= wholeTail
		}
		if hex {
			out.flags |= isHex
		}
	}
	c.starts = append(c.starts, uint32(len(c.syms)))
	c.words = append(c.words, out)
	c.a.longest = max(c.a.longest, len(glyphs))
	c.a.allows = c.a.allows || out.flags&isAllow != 0
	return ""
}

// read tells the symbols of a pattern, without what its ends do not need.
func (c *compiler) read(text string) (glyphs []glyph, reason string) {
	c.reader.Reset()
	c.reader.record = &c.glyphs
	c.glyphs = c.glyphs[:0]
	c.reader.read(text, true)
	c.reader.end()
	glyphs = c.glyphs

	gap := func(g glyph) bool { return g.kind == fold.Noise || g.kind == fold.Space || g.kind == fold.Newline }
	first := slices.IndexFunc(glyphs, func(g glyph) bool { return !gap(g) })
	if first < 0 {
		return nil, "folds to nothing: it has only what is passed over inside words"
	}
	last := len(glyphs) - 1
	for gap(glyphs[last]) {
		last--
	}
	// Noise counts at the end of letters, as in "c++", for they stand without it as well.
	lo, hi := 0, len(glyphs)
	for lo < first && (glyphs[first].kind == fold.Han || glyphs[lo].kind != fold.Noise) {
		lo++
	}
	for hi > last+1 && (glyphs[last].kind == fold.Han || glyphs[hi-1].kind != fold.Noise) {
		hi--
	}
	glyphs = glyphs[lo:hi]
	if slices.ContainsFunc(glyphs, func(g glyph) bool { return g.r == brk }) {
		if c.a.profile == Strict {
			return nil, "has more than 64 runes in a row that are passed over, or more than 63 that are the same"
		}
		return nil, "has more than 64 runes in a row that are passed over"
	}
	if len(glyphs) > MaxSymbols {
		return nil, "is longer than 64 symbols as it is read"
	}
	return glyphs, ""
}

// classify numbers the symbols: first those that are a pattern by themselves,
// then by how often the patterns have them. It tells how many there are.
func (c *compiler) classify() int {
	type class struct {
		r rune
		symbolCount
	}
	var all []class
	loud := uint16(1)
	for high, page := range c.counts {
		for low, s := range page {
			if s.n > 0 {
				all = append(all, class{high<<8 | rune(low), s})
			}
			if s.loud {
				loud++
			}
		}
	}
	if len(all) >= 1<<16 {
		return len(all)
	}
	slices.SortFunc(all, func(x, y class) int {
		if x.loud != y.loud {
			if x.loud {
				return -1
			}
			return 1
		}
		return cmp.Or(y.n-x.n, int(x.r-y.r))
	})
	a := c.a
	a.shallow, a.loud = uint32(len(all))+1, loud
	a.classes = new([1 << 16]uint16)
	for i, s := range all {
		if uint32(s.r) >= 1<<16 {
			if a.astral == nil {
				a.astral = make(map[rune]uint16)
			}
			a.astral[s.r] = uint16(i + 1)
		}
		for _, raw := range a.plane.forms(s.r) {
			a.classes[raw] = uint16(i + 1)
		}
	}
	return len(all)
}
