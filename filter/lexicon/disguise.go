package lexicon

import (
	"strings"
	"unicode/utf8"

	"bendi/filter/find"
	"bendi/filter/fold"
)

const (
	mostDisguises = 16 // of one word in one form
	mostReadings  = 4  // of one word
)

// byLength reports whether a word without forms of its own is looked for in a
// form: where it is long enough that the disguise is hardly an accident.
func byLength(key string, form find.Form) bool {
	han, letters, rest := 0, 0, 0
	for _, c := range key {
		switch {
		case fold.KindOf(c) == fold.Han:
			han++
		case c < 0x80 && alnum(byte(c)):
			letters++
		case c != ' ':
			rest++
		}
	}
	switch form {
	case find.Split:
		return han >= 2
	case find.Reversed:
		return rest == 0 && (han >= 3 || han == 0 && letters >= 5)
	case find.Alike, find.Sound:
		return han >= 3
	}
	return false
}

// disguises returns the ways to write text in a form, but for those that are, or
// are part of, everyday words.
func disguises(text string, form find.Form) []string {
	runes := []rune(Key(text))
	var made []string
	switch form {
	case find.Split:
		made = split(runes)
	case find.Reversed:
		made = []string{reversed(runes)}
	case find.Alike:
		made = alikes(runes)
	}
	kept := made[:0]
	for _, s := range made {
		if s != string(runes) && !everyday().within(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// split returns word with one character and more written as their parts, the
// fully split forms first.
func split(word []rune) []string {
	choices := make([][]string, len(word))
	full := make([][]string, len(word))
	for i, c := range word {
		parts := fold.Parts(c)
		if fold.KindOf(c) != fold.Han {
			parts = nil
		}
		choices[i] = append([]string{string(c)}, parts...)
		if full[i] = parts; len(parts) == 0 {
			full[i] = choices[i]
		}
	}
	made := product(full, mostDisguises)
	seen := map[string]bool{string(word): true}
	kept := made[:0]
	for _, s := range made {
		if !seen[s] {
			seen[s] = true
			kept = append(kept, s)
		}
	}
	for _, s := range product(choices, 4*mostDisguises) {
		if len(kept) == mostDisguises {
			break
		}
		if !seen[s] {
			seen[s] = true
			kept = append(kept, s)
		}
	}
	return kept
}

// product returns at most most of the texts that take one choice at each place.
func product(choices [][]string, most int) []string {
	made := []string{""}
	for _, here := range choices {
		next := make([]string, 0, min(most, len(made)*len(here)))
		for _, before := range made {
			for _, c := range here {
				if len(next) < most {
					next = append(next, before+c)
				}
			}
		}
		made = next
	}
	return made
}

// alikes returns word with one character replaced by one that looks like it.
func alikes(word []rune) []string {
	var made []string
	for i, c := range word {
		if fold.KindOf(c) != fold.Han {
			continue
		}
		for _, other := range fold.Alikes(c) {
			if len(made) < mostDisguises {
				made = append(made, string(word[:i])+string(other)+string(word[i+1:]))
			}
		}
	}
	return made
}

func reversed(word []rune) string {
	var b strings.Builder
	for i := len(word) - 1; i >= 0; i-- {
		b.WriteRune(word[i])
	}
	return b.String()
}

// readings returns text as it is, which is looked for by its main readings, and
// with the other usual readings of its characters written in letters.
func readings(text string) []string {
	main := []string{""}
	other := []string{text}
	for _, c := range Key(text) {
		syllables := fold.Syllables(c)
		if len(syllables) == 0 {
			syllables = []string{string(c)}
		}
		next := make([]string, 0, mostReadings)
		for _, before := range main {
			for _, s := range syllables {
				if len(next) < mostReadings {
					next = append(next, before+s)
				}
			}
		}
		main = next
	}
	if len(main) > 1 {
		plain := plainReading(text)
		for _, s := range main {
			if s != plain && utf8.RuneCountInString(s) <= mostSymbols {
				other = append(other, s)
			}
		}
	}
	return other
}

// plainReading is text in its main readings.
func plainReading(text string) string {
	var b strings.Builder
	for _, c := range Key(text) {
		if s := fold.Syllable(c); s != "" {
			b.WriteString(s)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}
