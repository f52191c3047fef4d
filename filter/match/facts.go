package match

import (
	"slices"
	"sync"
	"unicode"

	"bendi/filter/fold"
)

// A fact is what the reading has to know about a rune beside its class:
// its kind in the low four bits, then its script, then what it is to a word
// that it stands next to.
type fact uint8

const (
	plainScript uint8 = 1 + iota // Han, Latin and what is not taken for Latin
	cyrillic                     // taken for Latin
	greek                        // taken for Latin
)

const (
	joins   uint8 = 1 + iota // a letter, a digit or an underscore: the word goes on
	hyphens                  // a hyphen or colon: hexadecimal goes on
)

func (f fact) kind() fold.Kind { return fold.Kind(f & 15) }
func (f fact) script() uint8   { return uint8(f>>4) & 3 }
func (f fact) bound() uint8    { return uint8(f >> 6) }

// inWord reports whether a kind is one that words consist of.
func inWord(k fold.Kind) bool { return k == fold.Han || k == fold.Letter || k == fold.Digit }

// wordRune reports whether a folded rune makes an ASCII word go on.
func wordRune(k fold.Kind, folded rune) bool {
	return (k == fold.Letter || k == fold.Digit) && folded < 0x590
}

func factOf(r rune) fact {
	k, folded := fold.KindOf(r), fold.Rune(r)
	f := fact(k)
	switch {
	case fold.Foreign(r) && unicode.Is(unicode.Greek, r):
		f |= fact(greek) << 4
	case fold.Foreign(r):
		f |= fact(cyrillic) << 4
	case k == fold.Han || k == fold.Letter:
		f |= fact(plainScript) << 4
	}
	switch {
	case wordRune(k, folded) || folded == '_':
		f |= fact(joins) << 6
	case folded == '-' || folded == ':':
		f |= fact(hyphens) << 6
	}
	return f
}

// A plane holds the facts about the runes below 0x10000, and what they fold to.
type plane struct {
	facts [1 << 16]fact
	folds [1 << 16]rune

	others map[rune][]uint16 // what folds to a rune beside itself
}

// basic is the plane, the same for every automaton.
var basic = sync.OnceValue(func() *plane {
	p := &plane{others: make(map[rune][]uint16)}
	for r := range rune(1 << 16) {
		p.facts[r] = factOf(r)
		f := fold.Rune(r)
		p.folds[r] = f
		if f != r {
			p.others[f] = append(p.others[f], uint16(r))
		}
	}
	return p
})

// forms are the runes below 0x10000 that fold to folded.
func (p *plane) forms(folded rune) []uint16 {
	all := p.others[folded]
	if uint32(folded) < 1<<16 && p.folds[folded] == folded {
		all = append(slices.Clip(all), uint16(folded))
	}
	return all
}

func (p *plane) fact(r rune) fact {
	if uint32(r) < 1<<16 {
		return p.facts[r]
	}
	return factOf(r)
}

func (p *plane) fold(r rune) rune {
	if uint32(r) < 1<<16 {
		return p.folds[r]
	}
	return fold.Rune(r)
}
