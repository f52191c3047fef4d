package filter

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"bendi/filter/find"
	"bendi/filter/fold"
	"bendi/filter/match"
	"bendi/filter/pii"
)

// What is put in place of a word must not make another one: between 赌 and 博,
// neither nothing nor a single asterisk is enough. A text bars when no word can
// be read across either of its ends.

// bars reports whether put bars, for a policy that looks this hard.
func (r *Rules) bars(put string, p *Policy) bool {
	if put == "" {
		return false
	}
	first, last := firstAndLast(put)
	if r.known[fold.Rune(first)] || r.known[fold.Rune(last)] {
		return false
	}
	for _, t := range trials() {
		if t.profile == match.Strict && !p.Strict || t.profile == match.Sound && !p.Sound {
			continue
		}
		for _, w := range t.words {
			s := t.open()
			_, size := utf8.DecodeRuneInString(w)
			if t.cut > 0 {
				size = t.cut
			}
			spans, _ := s.Scan(nil, w[:size]+put+w[size:], true)
			if slices.ContainsFunc(spans, func(sp find.Span) bool { return sp.Start < size && sp.End > size+len(put) }) {
				return false
			}
		}
	}
	return true
}

// firstAndLast returns the first and the last rune of a text that are not
// passed over; where all of them are, those at its ends.
func firstAndLast(s string) (first, last rune) {
	solid := strings.TrimFunc(s, func(r rune) bool {
		switch fold.KindOf(r) {
		case fold.Invisible, fold.Mark, fold.Noise, fold.Space, fold.Newline:
			return true
		}
		return false
	})
	if solid == "" {
		solid = s
	}
	first, _ = utf8.DecodeRuneInString(solid)
	last, _ = utf8.DecodeLastRuneInString(solid)
	return first, last
}

// A trial is a finder of words that are cut in two, to see whether something
// between the halves hides them.
type trial struct {
	profile match.Profile
	open    func() find.Finder
	words   []string
	cut     int // bytes; 0: behind the first rune
}

var trials = sync.OnceValue(func() []trial {
	words := []string{"赌博", "ab", "a赌", "赌a", "12"}
	sounds := []string{"dubo"}
	var all []trial
	for _, p := range []match.Profile{match.Default, match.Strict, match.Sound} {
		var patterns []match.Pattern
		t := trial{profile: p, words: words}
		if p == match.Sound {
			t.words = words[:1]
			for _, w := range sounds {
				patterns = append(patterns, match.Pattern{Text: w, Form: find.Sound})
			}
		} else {
			for _, w := range words {
				patterns = append(patterns, match.Pattern{Text: w})
			}
		}
		a, err := match.Compile(patterns, p)
		if err != nil {
			panic("filter: the words of a trial: " + err.Error())
		}
		t.open = func() find.Finder { return a.Scanner() }
		all = append(all, t)
	}
	numbers := pii.New(pii.Phone, pii.IDCard, pii.BankCard)
	return append(all, trial{
		open:  func() find.Finder { return numbers.Scanner() },
		words: []string{"13800138000"}, cut: 4,
	})
})

// fences are what may have to be put around a mask.
var fences = [][2]string{{"", ""}, {"[", "]"}, {"【", "】"}, {"⟦", "⟧"}, {"‖", "‖"}}

// fence returns what has to be put around masks of a policy; ok is false where
// none of ours is enough.
func (r *Rules) fence(p *Policy) (fence [2]string, ok bool) {
	m := cmpRune(p.Mask.Rune)
	sizes := []int{3}
	if p.Mask.Long {
		sizes = []int{1, 2, 3}
	}
next:
	for _, f := range fences {
		for _, n := range sizes {
			if !r.bars(f[0]+strings.Repeat(m, n)+f[1], p) {
				continue next
			}
		}
		return f, true
	}
	return fences[1], false
}

func cmpRune(r rune) string {
	if r == 0 {
		return "*"
	}
	return string(r)
}
