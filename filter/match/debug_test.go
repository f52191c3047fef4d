package match

import "testing"

func TestDebug(t *testing.T) {
	a := compile(t, Strict, words("o+", "c赌赌赌")...)
	s := a.Scanner()
	text := "_。,bo 赌_o+\x80.ǖo+"
	for i := range len(text) {
		f, n := s.Scan(nil, text[i:i+1], i == len(text)-1)
		t.Logf("%q %v settled %d st %d gaps %d last %d", text[i], f, n, s.st, s.gaps, s.last)
	}
	t.Logf("%d %v", a.shallow, a.rows)
	t.Log(oracle(text, words("o+", "c赌赌赌"), Strict))
}
