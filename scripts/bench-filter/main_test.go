package main

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	table "bendi/internal/benchtable"
)

// The text is what it says: Chinese, with the words in it, and no markup of the corpus.
func TestText(t *testing.T) {
	chars, err := common()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(chars); n != 3755 || chars[0] != '啊' || chars[n-1] != '座' {
		t.Fatalf("%d characters, %c to %c", n, chars[0], chars[n-1])
	}
	from, err := sentences("../demo-model/corpus")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	words := randomWords(r, chars, 100)
	text := prose(r, from, words, 1<<16)
	hits := 0
	for _, w := range words {
		hits += strings.Count(text, w)
	}
	if hits < 5 || hits > 20 {
		t.Errorf("%d words in the text, want one in every 2,000 runes", hits)
	}
	if i := strings.Index(text, " | "); i >= 0 {
		t.Errorf("the text has markup of the corpus: %q", text[i:i+60])
	}
	if han := onlyHan(text); len(han) < len(text)/2 || strings.ContainsFunc(han, func(r rune) bool { return !unicode.Is(unicode.Han, r) }) {
		t.Errorf("%d bytes of %d are Han", len(han), len(text))
	}
}

func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		must *table.Target
		x    float64
		want string
	}{
		{nil, 1, ""}, {table.AtMost(1), 1, "ok"}, {table.AtMost(1), 1.1, "missed"}, {table.AtLeast(8), 8, "ok"}, {table.AtLeast(8), 7.9, "missed"},
	} {
		var r report
		r.add("", "", tt.x, "", tt.must, "")
		if got := r.Rows[0].Verdict; got != tt.want {
			t.Errorf("%v for %v: got %q, want %q", tt.x, tt.must, got, tt.want)
		}
	}
}
