package match

import (
	"sync"

	"bendi/filter/fold"
)

// A readings table has the syllable of each rune below 0x10000 by its number.
type readings struct {
	numbers   [1 << 16]uint16
	syllables []string
}

// syllables is the table, which is quicker than to ask for each rune.
var syllables = sync.OnceValue(func() *readings {
	t := &readings{syllables: []string{""}}
	known := map[string]uint16{"": 0}
	for r := range rune(1 << 16) {
		if fold.KindOf(r) != fold.Han {
			continue
		}
		syllable := fold.Syllable(r)
		n, ok := known[syllable]
		if !ok {
			n = uint16(len(t.syllables))
			known[syllable] = n
			t.syllables = append(t.syllables, syllable)
		}
		t.numbers[r] = n
	}
	return t
})

func (t *readings) of(r rune) string {
	if uint32(r) < 1<<16 {
		return t.syllables[t.numbers[r]]
	}
	return fold.Syllable(r)
}

// sound reads a symbol, or those of the syllable that a Han character sounds like.
func (s *Scanner) sound(r rune, f fact, kind fold.Kind, at, end int, gap bool) {
	syllable := ""
	if kind == fold.Han {
		syllable = s.a.readings.of(r)
	}
	if syllable == "" {
		var e extra
		switch kind {
		case fold.Han:
			e = ofHan | opens | closes
		case fold.Letter, fold.Digit:
			e = ofWord
		}
		s.symbol(r, kind, at, end, pack(at, f.script(), s.bound, gap), e)
		return
	}
	for i, l := range syllable {
		e := ofHan
		if i == 0 {
			e |= opens
		}
		if i == len(syllable)-1 {
			e |= closes
		}
		s.symbol(l, fold.Han, at, end, pack(at, f.script(), 0, gap && i == 0), e)
	}
}

// opening reports whether an occurrence may begin with the symbol so many
// symbols back: for Sound, whether a word or syllable does.
func (s *Scanner) opening(back uint32) bool {
	if s.a.profile != Sound {
		return true
	}
	switch e := s.extraOf(back); {
	case e&ofHan != 0:
		return e&opens != 0
	case e&ofWord != 0:
		return !s.inWord(back)
	}
	return true
}

// soundly reports whether the last depth symbols are words and syllables, and
// those of a pattern of such a shape.
func (s *Scanner) soundly(sh *shape, depth uint32) (w waits, ok bool) {
	if !s.opening(depth) {
		return 0, false
	}
	for i := uint32(1); i < depth; i++ {
		back, bit := depth-i, uint64(1)<<i
		e, before := s.extraOf(back), s.extraOf(back+1)
		starts := e&(ofHan|opens) == ofHan|opens || (e^before)&ofHan != 0 || s.entry(back)&gapBefore != 0
		if starts && sh.gaps&bit == 0 {
			return 0, false
		}
		if sh.syllables&bit != 0 && e&ofHan != 0 && !starts {
			return 0, false
		}
	}
	switch {
	case s.extra&ofHan != 0:
		return 0, s.extra&closes != 0
	case s.extra&ofWord != 0:
		return forWord, true
	}
	return 0, true
}
