package lexicon_test

import (
	"math/rand/v2"
	"testing"

	"bendi/filter/lexicon"
	"bendi/filter/match"
)

// What a word is, package lexicon and package match agree on: a text without a
// key cannot be looked for, one with a key finds itself, and two with one key
// find each other.
func checkKey(t *testing.T, a, b string) {
	t.Helper()
	for _, text := range []string{a, b} {
		_, err := match.Compile([]match.Pattern{{Text: text}}, match.Default)
		l, loadErr := lexicon.Read("w.csv", []byte("word,category,level\n\""+text+"\",x,1\n"), lexicon.Options{})
		if loadErr == nil && len(l.Words) == 1 && err != nil {
			t.Fatalf("Read takes %+q, Compile does not: %v", text, err)
		}
		if lexicon.Key(text) == "" && err == nil {
			t.Fatalf("Compile takes %+q, which has no key", text)
		}
		if err != nil {
			return
		}
	}
	if lexicon.Key(a) != lexicon.Key(b) {
		return
	}
	for _, p := range [][2]string{{a, a}, {a, b}, {b, a}} {
		m, err := match.Compile([]match.Pattern{{Text: p[0]}}, match.Default)
		if err != nil {
			t.Fatal(err)
		}
		if spans, _ := m.Scanner().Scan(nil, p[1], true); len(spans) == 0 {
			t.Fatalf("%+q is not found in %+q; the key is %+q", p[0], p[1], lexicon.Key(a))
		}
	}
}

var keyRunes = []rune("赌博賭三aAａbé1１①⒝ﬁ㎏. -*+~·。，!_ \u3000\u200b\ufe0f\u0301😀\n")

func randomText(r *rand.Rand) string {
	text := make([]rune, 1+r.IntN(6))
	for i := range text {
		text[i] = keyRunes[r.IntN(len(keyRunes))]
	}
	return string(text)
}

func TestKey(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		a := randomText(r)
		b := []rune(a)
		b[r.IntN(len(b))] = keyRunes[r.IntN(len(keyRunes))]
		checkKey(t, a, string(b))
	}
}

func FuzzKey(f *testing.F) {
	f.Add("赌 博", "賭*博")
	f.Add("c++", "C++ ")
	f.Add("kill  me", "kill me")
	f.Fuzz(checkKey)
}
