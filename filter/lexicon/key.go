package lexicon

import (
	"strings"
	"unicode/utf8"

	"bendi/filter/fold"
)

// Key is the text that words are compared by: text as package match reads it
// with the profile Default. Two words with one key are found in the same places.
// It is empty for a text that has nothing to look for.
func Key(text string) string {
	var k keyer
	var room [64]byte
	k.text = room[:0]
	for _, c := range text {
		switch kind := fold.KindOf(c); kind {
		case fold.Invisible, fold.Mark:
		case fold.Noise:
			k.separator(fold.Rune(c))
		case fold.Space, fold.Newline:
			k.separator(' ')
		default:
			k.symbol(fold.Rune(c), kind)
		}
	}
	k.close(apart)
	return k.trimmed()
}

// A side is what a gap can be beside.
type side uint8

const (
	apart  side = iota // whatever separates
	letter             // a letter or a digit
	han                // a Chinese character
)

// A keyer makes a key.
type keyer struct {
	text []byte
	gap  [2]rune // noise and spaces, which may turn out to be nothing
	gaps int
	last side
	flat bool // the last of text is a space

	begin, end  int  // of text, from the first symbol to the last
	first, rear side // of those
	some        bool // there is one
}

func (k *keyer) symbol(c rune, kind fold.Kind) {
	s := apart
	switch kind {
	case fold.Han:
		s = han
	case fold.Letter, fold.Digit:
		s = letter
	}
	k.close(s)
	if !k.some {
		k.begin, k.first, k.some = len(k.text), s, true
	}
	k.text = utf8.AppendRune(k.text, c)
	k.end, k.rear, k.last, k.flat = len(k.text), s, s, false
}

// separator takes noise, or a space.
func (k *keyer) separator(c rune) {
	switch {
	case k.last == apart:
		k.literal(c)
	case k.gaps == len(k.gap) || k.last == letter && c == '.':
		k.close(apart)
		k.literal(c)
	default:
		k.gap[k.gaps] = c
		k.gaps++
	}
}

// close decides about a gap before a symbol: beside a Chinese character it is
// nothing.
func (k *keyer) close(next side) {
	gap := k.gap[:k.gaps]
	k.gaps = 0
	dot := false
	for _, c := range gap {
		dot = dot || c == '.'
	}
	if k.last != apart && next != apart && (k.last == han || next == han) && (!dot || k.last == next) {
		return
	}
	for _, c := range gap {
		k.literal(c)
	}
}

// literal takes a separator that counts; of several spaces one does.
func (k *keyer) literal(c rune) {
	if c != ' ' || !k.flat {
		k.text = utf8.AppendRune(k.text, c)
	}
	k.last, k.flat = apart, c == ' '
}

// trimmed is the key without what its ends do not need: spaces, and noise beside
// a Chinese character. (In c++ noise is part of the word.)
func (k *keyer) trimmed() string {
	if !k.some {
		return ""
	}
	before, after := "", ""
	if k.first != han {
		before = strings.TrimLeft(string(k.text[:k.begin]), " ")
	}
	if k.rear != han {
		after = strings.TrimRight(string(k.text[k.end:]), " ")
	}
	return before + string(k.text[k.begin:k.end]) + after
}
