package lexicon

import (
	_ "embed"
	"fmt"
)

//go:embed starter.yaml
var starter []byte

// StarterText is the starter lexicon as a file, to begin one's own with.
func StarterText() []byte { return append([]byte(nil), starter...) }

// Starter returns the lexicon that Bendi brings along: a small beginning in
// neutral categories, which shows what the filter does and is not meant to be
// enough.
func Starter() *Lexicon {
	l, err := Read("starter.yaml", starter, Options{})
	if err != nil {
		panic(fmt.Sprintf("the built-in starter lexicon is wrong: %v", err)) // a test reads it
	}
	return l
}
