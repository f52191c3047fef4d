// Package fold knows facts about runes.
package fold

import "unicode"

// A Kind says what part a rune plays in a word that somebody may have disguised.
type Kind uint8

const (
	Other     Kind = iota // anything not named below
	Han                   // a Chinese character
	Letter                // a letter of another script
	Digit                 // a decimal digit in any form
	Invisible             // shows nothing: zero-width, bidi controls, variation selectors, tags
	Mark                  // a combining mark
	Noise                 // a symbol or emoji that people put between characters
	Space                 // a space within a line
	Newline               // the end of a line
	Sentence              // punctuation that ends or separates
)

// KindOf tells the kind of r.
func KindOf(r rune) Kind {
	switch {
	case r == '\n' || r == '\r' || r == 0x2028 || r == 0x2029 || r == 0x85:
		return Newline
	case unicode.IsSpace(r):
		return Space
	case unicode.Is(unicode.Han, r):
		return Han
	case unicode.IsDigit(r):
		return Digit
	case unicode.IsLetter(r):
		return Letter
	case unicode.Is(unicode.Mn, r):
		return Mark
	case unicode.Is(unicode.Cf, r):
		return Invisible
	case unicode.IsPunct(r):
		return Sentence
	case unicode.IsSymbol(r):
		return Noise
	}
	return Other
}

// Rune folds r to the one rune that stands for all its forms.
func Rune(r rune) rune {
	if r >= 0xFF01 && r <= 0xFF5E {
		r -= 0xFEE0
	}
	if 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}

// Foreign reports whether r is a letter of another script that Rune makes Latin.
func Foreign(r rune) bool { return false }

// Expand tells the folded runes of a compatibility form of several; "" if it is none.
func Expand(r rune) string { return "" }

// Leet tells the letter that r stands for in leet, or r itself.
func Leet(r rune) rune { return r }

// Syllable tells the main toneless pinyin reading of r, or "".
func Syllable(r rune) string { return "" }

// Syllables tells the usual toneless pinyin readings of r.
func Syllables(r rune) []string { return nil }

// Parts tells the ways to write r as its parts, folded.
func Parts(r rune) []string { return nil }

// Alikes tells the characters that look like r.
func Alikes(r rune) []rune { return nil }
