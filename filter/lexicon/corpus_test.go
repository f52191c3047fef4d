package lexicon_test

import (
	"os"
	"strings"
	"testing"

	"bendi/filter/lexicon"
	"bendi/filter/match"
)

func TestCorpus(t *testing.T) {
	s := newSearcher(t, lexicon.Starter())
	for _, f := range strings.Fields(os.Getenv("CORPUS")) {
		b, _ := os.ReadFile(f)
		for line := range strings.Lines(string(b)) {
			for p := match.Default; p <= match.Sound; p++ {
				if got := s.search(p, line); len(got) > 0 {
					t.Log(f, p, got)
				}
			}
		}
	}
}
