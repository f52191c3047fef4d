package match

import (
	"math/rand/v2"
	"testing"
)

// States that few others follow, of classes far apart, leave little room empty
// between them: as the disguises of words have it.
func TestPacking(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var patterns []Pattern
	for range 5000 {
		word := make([]rune, 4)
		for i := range word {
			word[i] = rune(0x4E00 + r.IntN(5000))
		}
		for range 8 {
			patterns = append(patterns, Pattern{Text: string(word)})
			word[2+r.IntN(2)] = rune(0x4E00 + r.IntN(5000))
		}
	}
	a, err := Compile(patterns, Default)
	if err != nil {
		t.Fatal(err)
	}
	fixed := 4 << 16 // of the classes and the pairs
	if s := a.Stats(); (s.Bytes-fixed)/s.States > 64 {
		t.Errorf("%d bytes for %d states", s.Bytes, s.States)
	}
}
