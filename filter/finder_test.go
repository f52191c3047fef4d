package filter

import (
	"strings"
	"unicode/utf8"

	"bendi/filter/find"
)

// A slowFinder looks for words by trying all of them everywhere. Hyphens within
// a word do not count. It is obviously right, and what the real finders are
// stood in for by.
type slowFinder struct {
	words []string
	text  []byte
	read  int
}

func (f *slowFinder) Reset() { f.text, f.read = f.text[:0], 0 }

func (f *slowFinder) Scan(found []find.Span, piece string, last bool) ([]find.Span, int) {
	before := len(f.text)
	f.text = append(f.text, piece...)
	text := string(f.text)
	settled := len(text)
	for i := 0; i < len(text); i++ {
		if !utf8.RuneStart(text[i]) {
			continue
		}
		if !utf8.FullRuneInString(text[i:]) {
			settled = min(settled, i)
			break
		}
		for rule, w := range f.words {
			end, whole, open := matchAt(text[i:], w)
			switch {
			case whole && i+end > before:
				found = append(found, find.Span{Start: i, End: i + end, Rule: rule})
			case open:
				settled = min(settled, i)
			}
		}
	}
	if last {
		settled = len(text)
	}
	return found, settled
}

// matchAt matches w at the beginning of text. Open says that more text could
// make it match.
func matchAt(text, w string) (end int, whole, open bool) {
	i := 0
	for j := 0; j < len(w); {
		if i == len(text) {
			return 0, false, i > 0
		}
		if j > 0 && text[i] == '-' {
			i++
			continue
		}
		if !utf8.FullRuneInString(text[i:]) {
			_, size := utf8.DecodeRuneInString(w[j:])
			return 0, false, strings.HasPrefix(w[j:j+size], text[i:])
		}
		if text[i] != w[j] {
			return 0, false, false
		}
		i++
		j++
	}
	return i, true, false
}

// A testJudge rules by a table and notes what it was asked about.
type testJudge struct {
	rulings []ruling // by rule
	asked   []hit
	texts   []string
}

func (j *testJudge) judge(h hit, text, before []byte, rigid bool) ruling {
	j.asked = append(j.asked, h)
	j.texts = append(j.texts, string(text))
	r := j.rulings[h.Rule]
	if rigid && r.Action.changes() {
		r = ruling{Action: Log}
	}
	return r
}
