package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Folds holds what each rune folds to.
type folds struct {
	to      map[rune]rune   // without runes that fold to themselves
	foreign map[rune]bool   // became Latin only by its looks
	expand  map[rune]string // several runes in one
}

// rune is fold.Rune.
func (f *folds) rune(r rune) rune {
	if t, ok := f.to[r]; ok {
		return t
	}
	return r
}

func (f *folds) string(s string) string { return strings.Map(f.rune, s) }

func makeFolds(db *database, shapes map[string]shape) (*folds, error) {
	f := &folds{to: map[rune]rune{}, foreign: map[rune]bool{}, expand: map[rune]string{}}
	s := &steps{db: db, looks: pairs(looksLatin), han: hanSteps(db, shapes)}
	for r := range rune(maxRune + 1) {
		if !db.folds(r) {
			continue
		}
		to, foreign, err := s.follow(r)
		if err != nil {
			return nil, err
		}
		if to == r {
			continue
		}
		f.to[r] = to
		if foreign {
			f.foreign[r] = true
		}
	}
	for r := range db.name {
		if !db.folds(r) {
			continue
		}
		several := s.several(f.rune(r)) // Æ folds to æ, which is two letters
		if utf8.RuneCountInString(several) > 1 {
			f.expand[r] = f.string(several)
		}
	}
	return f, nil
}

// folds reports whether r may fold at all. What shows nothing is for KindOf to
// tell, and spaces fold to a space without a table.
func (db *database) folds(r rune) bool {
	switch db.category[r] {
	case "", "Cn", "Cc", "Cs", "Co", "Zs", "Zl", "Zp", "Mn", "Me":
		return false
	}
	return !db.hidden[r]
}

// Steps takes a rune one step closer to what it folds to.
type steps struct {
	db    *database
	looks map[rune]rune // letters of other scripts that look Latin
	han   map[rune]rune // characters that others stand for
}

func (s *steps) follow(r rune) (to rune, foreign bool, err error) {
	for range 12 {
		next, looks := s.next(r)
		if next == r || r < 1<<16 && next >= 1<<16 { // the table has no room for those few
			return r, foreign, nil
		}
		foreign = foreign || looks
		r = next
	}
	return 0, false, fmt.Errorf("%U folds in a circle", r)
}

var (
	latinLetter = regexp.MustCompile(`^LATIN (?:SMALL LETTER|CAPITAL LETTER|LETTER SMALL CAPITAL)` +
		`(?: DOTLESS| SCRIPT| TURNED| REVERSED| BLACKLETTER| INSULAR| SIDEWAYS| INVERTED| BARRED| STIRRUP| SMALL CAPITAL| SAKHA YAT)* ([A-Z])(?: WITH .*)?$`)
	boxedLetter = regexp.MustCompile(`^(?:(?:CROSSED )?NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER|REGIONAL INDICATOR SYMBOL LETTER) ([A-Z])$`)
	boxedNumber = regexp.MustCompile(`CIRCLED|PARENTHESIZED|FULL STOP|DIGIT .* COMMA`)
	boxedWord   = regexp.MustCompile(`^(?:NEGATIVE )?SQUARED ([A-Z]{2,4})(?: WITH EXCLAMATION MARK)?$`)
	boxes       = strings.NewReplacer("(", "", ")", "", "〔", "", "〕", "", ".", "", ",", "")
)

func (s *steps) next(r rune) (next rune, looks bool) {
	if t, ok := s.looks[r]; ok {
		return t, true
	}
	if t, ok := latin[r]; ok {
		return t, false
	}
	if t, ok := signs[r]; ok {
		return t, false
	}
	nfkc := norm.NFKC.String(string(r))
	if t := only(nfkc); t != 0 && t != r {
		return t, false
	} else if t := only(boxes.Replace(nfkc)); t != 0 && t != r {
		return t, false
	}
	if t := s.withoutMarks(r); t != r {
		return t, false
	}
	name := s.db.name[r]
	if n, ok := s.db.number[r]; ok && n >= 0 && n <= 9 && (s.db.category[r] == "Nd" || s.db.category[r] == "No" && boxedNumber.MatchString(name)) {
		return '0' + rune(n), false
	}
	for _, form := range []*regexp.Regexp{latinLetter, boxedLetter} {
		if m := form.FindStringSubmatch(name); m != nil && !strings.Contains(name, " WITH SMALL LETTER") { // but ǅ is two letters
			return rune(m[1][0]) + 'a' - 'A', false
		}
	}
	if t, ok := s.db.lower[r]; ok {
		return t, false
	}
	if t, ok := s.db.radical[r]; ok {
		return t, false
	}
	if t, ok := s.han[r]; ok {
		return t, false
	}
	return r, false
}

// withoutMarks takes the accents off a letter. Kana keep theirs: か and が are
// two letters.
func (s *steps) withoutMarks(r rune) rune {
	d := []rune(norm.NFD.String(string(r)))
	if len(d) == 1 || s.db.script[d[0]] == "Hiragana" || s.db.script[d[0]] == "Katakana" {
		return r
	}
	for _, m := range d[1:] {
		if c := s.db.category[m]; c != "Mn" && c != "Me" {
			return r
		}
	}
	return d[0]
}

// several tells the runes that are in one, such as kg in ㎏.
func (s *steps) several(r rune) string {
	name, category := s.db.name[r], s.db.category[r]
	if t, ok := ligatures[r]; ok {
		return t
	}
	if m := boxedWord.FindStringSubmatch(name); m != nil && r >= 0x1F100 {
		return strings.ToLower(m[1])
	}
	if n, ok := s.db.number[r]; ok && n > 9 && category == "No" && boxedNumber.MatchString(name) {
		return strconv.Itoa(n)
	}
	if category == "No" && strings.Contains(name, "FRACTION") {
		return ""
	}
	nfkc := norm.NFKC.String(string(r))
	if nfkc == string(r) || nfkc == norm.NFC.String(string(r)) {
		return ""
	}
	text := boxes.Replace(nfkc)
	for _, c := range text {
		switch s.db.category[c][0] {
		case 'L', 'N':
		default:
			if s.db.category[c] != "Mn" && !strings.ContainsRune("/∕⁄", c) {
				return ""
			}
		}
	}
	text = strings.Map(func(c rune) rune {
		if s.db.category[c] == "Mn" || strings.ContainsRune("/∕⁄", c) {
			return -1
		}
		return c
	}, text)
	if utf8.RuneCountInString(text) > maxExpand {
		return ""
	}
	return text
}

const maxExpand = 6

// only is the rune that s consists of, or 0.
func only(s string) rune {
	r, n := utf8.DecodeRuneInString(s)
	if n != len(s) || n == 0 {
		return 0
	}
	return r
}

// text writes the table of the runes that are foreign, or of those that are
// not: a line for each target, "target sources".
func (f *folds) text(foreign bool) string {
	sources := map[rune][]rune{}
	for r, to := range f.to {
		if f.foreign[r] == foreign {
			sources[to] = append(sources[to], r)
		}
	}
	var b strings.Builder
	for _, to := range slices.Sorted(maps.Keys(sources)) {
		slices.Sort(sources[to])
		fmt.Fprintf(&b, "%c %s\n", to, string(sources[to]))
	}
	return b.String()
}

func (f *folds) expandText() string {
	var b strings.Builder
	for _, r := range slices.Sorted(maps.Keys(f.expand)) {
		fmt.Fprintf(&b, "%c %s\n", r, f.expand[r])
	}
	return b.String()
}

// pairs reads "аa сc": each first rune with the second.
func pairs(lists ...string) map[rune]rune {
	m := map[rune]rune{}
	for _, list := range lists {
		for _, f := range strings.Fields(list) {
			r := []rune(f)
			if len(r) != 2 {
				panic(fmt.Sprintf("not a pair: %q", f))
			}
			m[r[0]] = r[1]
		}
	}
	return m
}
