package main

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// readings holds the toneless readings of each character that folds to
// itself, the main one first.
type readings map[rune][]string

func makeReadings(db *database, f *folds) readings {
	rd := readings{}
	add := func(r rune, list []string) {
		for _, s := range list {
			if s != "" && !slices.Contains(rd[r], s) {
				rd[r] = append(rd[r], s)
			}
		}
	}
	for r, list := range db.mandarin {
		if f.rune(r) == r && r < 1<<16 {
			add(r, list[:1])
			add(r, db.readings[r])
		}
	}
	add('〇', []string{"ling"}) // which Unihan takes for a mere sign
	// What folds to a character brings its readings along, if it is usual too:
	// 乾 is qián in 乾坤, though it folds to 干, and 著 is zhù.
	for _, r := range slices.Sorted(maps.Keys(db.common)) {
		if t := f.rune(r); t != r {
			add(t, db.mandarin[r][:1])
			add(t, db.readings[r])
		}
	}
	return rd
}

// toneless writes dǔ as du and lǜ as lv, and leaves out what is no syllable,
// such as the m̀ of 呣.
func toneless(list []string) []string {
	var plain []string
	for _, s := range list {
		s = strings.ReplaceAll(norm.NFD.String(s), "u\u0308", "v")
		s = strings.Map(func(r rune) rune {
			if r > 0x7F {
				return -1
			}
			return r
		}, s)
		if !strings.ContainsAny(s, "aeiouv") {
			s = ""
		}
		plain = append(plain, s)
	}
	return plain
}

// text writes a line for each syllable: the characters whose main reading it
// is, and after a bar those it is another reading of.
func (rd readings) text() string {
	lines := map[string]*[2]strings.Builder{}
	for _, r := range slices.Sorted(maps.Keys(rd)) {
		for i, s := range rd[r] {
			if lines[s] == nil {
				lines[s] = new([2]strings.Builder)
			}
			lines[s][min(i, 1)].WriteRune(r)
		}
	}
	var b strings.Builder
	for _, s := range slices.Sorted(maps.Keys(lines)) {
		b.WriteString(s + " " + lines[s][0].String() + "|" + lines[s][1].String() + "\n")
	}
	return b.String()
}
