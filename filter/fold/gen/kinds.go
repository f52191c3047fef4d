package main

import (
	"fmt"
	"strings"
)

// kinds holds the kind of each rune by the name of its constant; Other is "".
type kinds [maxRune + 1]string

// Punctuation is Sentence and symbols are Noise but for these.
const (
	noisePunctuation = "#%&*-./@\\_§¶·†‡•․‧‰‱′″‴‵‶‷※‿⁀⁂⁃⁎⁑⁔⁕⁖⁗⁘⁙⁜‐‑‒–・･￭⸰⸱⸳〜〰゠᐀־᛫๏﹍﹎﹏﹟﹠﹡﹣﹨﹪﹫＿"
	sentenceSymbols  = "<>≪≫"
)

func makeKinds(db *database, f *folds) *kinds {
	k := new(kinds)
	for r := range rune(maxRune + 1) {
		k[r] = db.kind(r)
	}
	// A form of a rune is of the rune's kind, so that whoever folds first and
	// asks then learns the same. The flags' letters come in pairs in ordinary text, so they stay Noise.
	for r := range rune(maxRune + 1) {
		t := f.rune(r)
		if regional := 0x1F1E6 <= r && r <= 0x1F1FF; t != r && !regional {
			k[r] = db.kind(t)
		}
		if several := []rune(f.expand[r]); len(several) > 0 && !db.picture[r] {
			k[r] = db.kind(several[0])
		}
	}
	return k
}

func (db *database) kind(r rune) string {
	category := db.category[r]
	switch {
	case r == '\t':
		return "Space"
	case strings.ContainsRune("\n\v\f\r\u0085\u2028\u2029", r):
		return "Newline"
	case r == 0x2800: // a Braille cell without dots
		return "Space"
	case db.hidden[r], category == "Cc", 0xFFF9 <= r && r <= 0xFFFB:
		return "Invisible"
	case db.script[r] == "Han", 0x20000 <= r && r <= 0x3FFFD: // two planes kept for ideographs
		return "Han"
	case category == "Mn", category == "Me", r == 0x302E, r == 0x302F, 0x1F3FB <= r && r <= 0x1F3FF: // the tones of Hangul and of skin
		return "Mark"
	case strings.ContainsRune(noisePunctuation, r), r == 0xFFFC:
		return "Noise"
	case strings.ContainsRune(sentenceSymbols, r):
		return "Sentence"
	case category == "":
		if db.picture[r] { // kept for emoji to come
			return "Noise"
		}
		return ""
	}
	switch category {
	case "Nd":
		return "Digit"
	case "Zs":
		return "Space"
	}
	switch category[0] {
	case 'L', 'M':
		return "Letter"
	case 'P':
		return "Sentence"
	case 'S':
		return "Noise"
	}
	return ""
}

// text writes the table: a line for each kind, "Kind from-to from-to", in hex.
func (k *kinds) text() string {
	lines := map[string]*strings.Builder{}
	order := []string{"Han", "Letter", "Digit", "Invisible", "Mark", "Noise", "Space", "Newline", "Sentence"}
	for _, kind := range order {
		lines[kind] = new(strings.Builder)
		lines[kind].WriteString(kind)
	}
	for from := 0; from < len(k); {
		to := from
		for to+1 < len(k) && k[to+1] == k[from] {
			to++
		}
		if b := lines[k[from]]; b != nil && from == to {
			fmt.Fprintf(b, " %X", from)
		} else if b != nil {
			fmt.Fprintf(b, " %X-%X", from, to)
		}
		from = to + 1
	}
	var b strings.Builder
	for _, kind := range order {
		b.WriteString(lines[kind].String() + "\n")
	}
	return b.String()
}
