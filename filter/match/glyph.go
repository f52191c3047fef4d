package match

import (
	"strings"

	"bendi/filter/fold"
)

// A glyph is a symbol of a pattern, with what is known of it beside its rune.
type glyph struct {
	r      rune
	kind   fold.Kind
	script uint8
	gap    bool  // a gap before it was passed over
	extra  extra // for Strict and Sound
}

// Extra is what Strict and Sound know of a symbol: the rune it would be in
// Default, what the flags say, and how often it was repeated.
type extra uint32

const (
	runeBits extra = 1<<21 - 1

	ofHan  extra = 1 << 21
	isLeet extra = 1 << 22 // Strict: the rune stands for a letter
	opens  extra = 1 << 22 // Sound: the first letter of a syllable
	closes extra = 1 << 23 // Sound: the last
	markup extra = 1 << 24 // Strict: markup before it was passed over
	shown  extra = 1 << 25 // Strict: a character reference
	ofWord extra = 1 << 24 // Sound: a letter or digit

	runShift       = 26
	oneRun   extra = 1 << runShift
)

func (e extra) rune() rune { return rune(e & runeBits) }
func (e extra) run() int   { return int(e >> runShift) }

// A shape is what a text that reads like a pattern has to be like beside. The
// masks have a bit for each symbol.
type shape struct {
	gaps          uint64 // Strict: a gap before it; Sound: a syllable may begin with it
	syllables     uint64 // Sound: one does
	twice, thrice uint64 // Strict: repeated at least once, at least twice
	leet          uint64 // Strict: must be the same rune before leet
	runes         string // of those, in order
}

func shapeOf(p Profile, glyphs []glyph) shape {
	var s shape
	if p == Default || len(glyphs) > MaxSymbols {
		return s
	}
	var runes strings.Builder
	for i, g := range glyphs {
		bit := uint64(1) << i
		if p == Sound {
			hard := g.gap || g.extra&(ofHan|opens) == ofHan|opens || i > 0 && (g.extra^glyphs[i-1].extra)&ofHan != 0
			if hard {
				s.syllables |= bit
			}
			if hard || g.extra&ofHan == 0 {
				s.gaps |= bit
			}
			continue
		}
		if g.gap {
			s.gaps |= bit
		}
		if g.extra.run() >= 2 {
			s.twice |= bit
		}
		if g.extra.run() >= 3 {
			s.thrice |= bit
		}
		if g.extra&isLeet != 0 {
			s.leet |= bit
			runes.WriteRune(g.extra.rune())
		}
	}
	s.runes = runes.String()
	return s
}

// run is how often the symbol has to be there in a row.
func (s *shape) run(i uint32) int {
	switch bit := uint64(1) << i; {
	case s.thrice&bit != 0:
		return 3
	case s.twice&bit != 0:
		return 2
	}
	return 1
}
