package match

import (
	"fmt"

	"bendi/filter/find"
)

// A Profile says how much is read out of a text.
type Profile uint8

const (
	// Default folds runes and passes over what does not show or does not
	// separate. What it finds, a reader sees.
	Default Profile = iota

	// Strict also sees through what a reader sees through. It passes over
	// repetitions (up to 63, and letters only where there are three or all are
	// doubled, for words have two), over markup, list numbers and character
	// references, and over gaps between all the letters of a word. It takes
	// digits and signs among letters for letters, as long as there are more
	// letters, and forms of several runes for those.
	//
	// A pattern's own repetitions and digits have to be there in the text, and
	// its own gaps may. Compile refuses one that repeats a rune more than that.
	Strict

	// Sound reads every Han character as the letters of its main reading,
	// without tones and with v for ü, so that what sounds alike is alike. An
	// occurrence begins and ends with a syllable or a word, and has no gap and
	// no beginning of a character within a syllable of the pattern.
	Sound
)

var profileNames = [...]string{"default", "strict", "sound"}

func (p Profile) String() string { return profileNames[p] }

// Limits of a pattern.
const (
	MaxSymbols = 64   // of a text, as it is read
	MaxParts   = 8    // of a combination
	MaxWithin  = 1000 // symbols that a combination may span
)

// A Pattern is a word to find, or several that mean something together.
type Pattern struct {
	Text   string    // at most MaxSymbols as it is read; noise and spaces at its ends do not count next to Han
	Rule   int       // told in find.Span.Rule
	Form   find.Form // told in find.Span.Form
	Allow  bool      // is not told itself, but voids every occurrence that lies within its own
	Whole  bool      // no ASCII letter, digit or underscore directly before or after, where it begins or ends with one
	All    []string  // a combination: all of these, in any order; Text is empty then
	Within int       // the most symbols from the first to the last of a combination
}

// A PatternError says which pattern cannot be compiled, and why. It does not
// quote the pattern.
type PatternError struct {
	Index  int // in the patterns given to Compile
	Reason string
}

func (e *PatternError) Error() string {
	return fmt.Sprintf("pattern %d: %s", e.Index, e.Reason)
}
