package match

import (
	"unicode/utf8"

	"bendi/filter/fold"
)

// maxRun is how often a rune may be repeated.
const maxRun = 63

// strict reads a symbol, or one more of the last.
func (s *Scanner) strict(r rune, f fact, kind fold.Kind, at, end int, gap bool) {
	e := extra(r)&runeBits | oneRun
	if kind == fold.Han {
		e |= ofHan
	}
	if l := fold.Leet(r); l != r && (kind == fold.Digit || kind == fold.Noise) {
		r, kind = l, fold.Letter
		e |= isLeet
	}
	if s.bare != nil {
		if s.bare.passed {
			e |= markup
		}
		if s.bare.shown {
			e |= shown
		}
	}
	if r == s.again && groupOf(kind) == s.last && kind != fold.Digit {
		s.repeat(end, gap)
		return
	}
	s.symbol(r, kind, at, end, pack(at, f.script(), s.bound, gap), e)
	s.after = [hyphens + 1]uint8{}
	if s.again = r; !inWord(kind) {
		s.again = brk
	}
}

// skimHan is skim for Strict: it reads Han characters only, none of them twice.
func (s *Scanner) skimHan(text string, base int) int {
	a := s.a
	if s.bare != nil && (s.bare.in != noMarkup || s.bare.refs > 0) {
		return 0
	}
	classes, folds, pairs, mask, loud := a.classes, &a.plane.folds, a.pairs, a.pairMask, a.loud
	st, i, before := s.st, 0, s.again
	for i+2 < len(text) {
		r, size := quickRune(text, i)
		if size != 3 || r-0x4E00 > 0x9FFF-0x4E00 {
			break
		}
		c := classes[r&0xffff]
		if folded := folds[r&0xffff]; uint32(c) == st && folded == before {
			break
		} else {
			before = folded
		}
		h := (st*pairFactor>>11 + uint32(c)) & mask
		if c-1 < loud-1 || pairs[h>>6]&(1<<(h&63)) != 0 && a.pair(st, c) != 0 {
			break
		}
		st = uint32(c)
		i += 3
	}
	if i > 0 {
		s.st = st
		s.count += uint32(i / 3)
		s.latest = pack(base+i-3, plainScript, 0, false)
		s.last, s.bound, s.skipped, s.spaces = han, 0, 0, false
		r, _ := utf8.DecodeRuneInString(text[i-3:])
		s.again, s.after = folds[r&0xffff], [hyphens + 1]uint8{}
		s.extra = extra(s.again) | oneRun | ofHan
	}
	return i
}

// repeat reads the last symbol once more.
func (s *Scanner) repeat(end int, gap bool) {
	last := &s.extra
	if s.record != nil {
		last = &(*s.record)[len(*s.record)-1].extra
	}
	if last.run() == maxRun {
		s.symbol(brk, fold.Other, end, end, pack(end, 0, 0, false), 0)
		s.again = brk
		return
	}
	*last += oneRun
	if s.record != nil {
		return
	}
	if gap {
		s.after[s.edge] = uint8(s.extra.run())
	}
	if s.st >= s.a.shallow {
		s.ring[s.a.ringMask+1+(s.n-1)&s.a.ringMask] = uint32(s.extra)
	}
	if s.a.nodes[s.st].meta&anyOutput != 0 {
		s.outputs(end)
	}
}

// due reports whether the output k, depth symbols long, ends with the last
// repetition of the last symbol: it does so once, but for those that were too
// early to end with a word.
func (s *Scanner) due(k, depth uint32) bool {
	run, want := s.extra.run(), s.a.shapes[k].run(depth-1)
	return run == want || run > want && s.inOneWord(want, s.a.outputs[k].flags)
}

// inOneWord reports whether an output of such flags has to end with a word, and
// none has ended since the last symbol was there so many times.
func (s *Scanner) inOneWord(want int, f outputFlags) bool {
	return f&wholeTail != 0 && int(s.after[0]) <= want && (f&isHex != 0 || int(s.after[hyphens]) <= want)
}

// wordGap reports whether the gap being read goes on with a word before it.
func (s *Scanner) wordGap(f outputFlags) bool {
	return s.edge == joins || s.edge == hyphens && f&isHex != 0
}

// unrepeated is where the longest output begins that waits for the last symbol
// to be repeated.
func (s *Scanner) unrepeated(kind meta) int {
	a, at := s.a, never
	for st := s.st; a.nodes[st].meta&anyOutput != 0; st = a.fail(st) {
		depth := a.nodes[st].meta.depth()
		lo, hi := a.at(st)
		for k := lo; k < hi; k++ {
			f, run, want := a.outputs[k].flags, s.extra.run(), a.shapes[k].run(depth-1)
			if (f&isAllow != 0) != (kind == allowing) || f&wholeHead != 0 && s.inWord(depth) {
				continue
			}
			if run < want || (s.gaps == 0 || s.wordGap(f)) && s.inOneWord(want, f) {
				at = min(at, place(s.entry(depth), s.pos))
			}
		}
	}
	return at
}

// strictly reports whether the last depth symbols are a disguise of a pattern
// of such a shape.
func (s *Scanner) strictly(sh *shape, flags outputFlags, depth uint32) (w waits, ok bool) {
	leets, letters, alike := 0, 0, sh.runes
	single, double, bare := false, false, s.bare == nil
	unlike, spelled := false, true
	for i := range depth {
		back := depth - i
		bit := uint64(1) << i
		e := s.extraOf(back)
		if e.run() < sh.run(i) {
			return 0, false
		}
		bare = bare || e&shown != 0 || e&markup != 0 && i > 0
		switch {
		case sh.leet&bit != 0:
			r, size := utf8.DecodeRuneInString(alike)
			alike = alike[size:]
			if e.rune() != r {
				return 0, false
			}
		case e&isLeet != 0:
			leets++
		case e&ofHan == 0 && s.entry(back)&3 != 0:
			letters++
		}
		// Letters are doubled in words too: what is meant to hide one is three of
		// a letter, or two of each. That of a first letter may be another word's.
		if e&ofHan == 0 && sh.run(i) == 1 && (i > 0 || flags&wholeHead != 0) {
			single, double = single || e.run() == 1, double || e.run() == 2
		}
		if i == 0 || (e|s.extraOf(back+1))&ofHan != 0 {
			continue
		}
		gap := s.entry(back)&gapBefore != 0
		unlike = unlike || gap && sh.gaps&bit == 0
		spelled = spelled && gap
	}
	if leets > 0 && leets >= letters || single && double || !bare {
		return 0, false
	}
	if !unlike {
		return 0, true
	}
	// A word with gaps that are not its own has to be spelled letter by letter,
	// with no letter beside the first and the last.
	if !spelled || s.inWord(depth) {
		return 0, false
	}
	if s.extra&ofHan == 0 {
		w = forSpaced
	}
	return w, true
}
