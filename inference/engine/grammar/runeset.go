package grammar

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// A runeSet is a set of characters. In normal form its ranges rise and neither
// touch nor overlap.
type runeSet []runeRange

type runeRange struct{ lo, hi rune } // both included

var anyRune = runeSet{{0, utf8.MaxRune}}

func isSurrogate(r rune) bool { return 0xD800 <= r && r <= 0xDFFF }

// normal returns s in normal form.
func (s runeSet) normal() runeSet {
	sorted := slices.Clone(s)
	slices.SortFunc(sorted, func(a, b runeRange) int { return cmp.Compare(a.lo, b.lo) })
	out := sorted[:0]
	for _, r := range sorted {
		if n := len(out); n > 0 && r.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, r.hi)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// complement returns every character that is not in s, which is normal.
func (s runeSet) complement() runeSet {
	var out runeSet
	next := rune(0)
	for _, r := range s {
		if next < r.lo {
			out = append(out, runeRange{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= utf8.MaxRune {
		out = append(out, runeRange{next, utf8.MaxRune})
	}
	return out
}

// union and intersect take and return sets in normal form.
func (s runeSet) union(t runeSet) runeSet { return append(slices.Clone(s), t...).normal() }
func (s runeSet) intersect(t runeSet) runeSet {
	return s.complement().union(t.complement()).complement()
}

func (s runeSet) contains(r rune) bool {
	_, found := slices.BinarySearchFunc(s, r, func(x runeRange, r rune) int {
		switch {
		case x.hi < r:
			return -1
		case x.lo > r:
			return 1
		}
		return 0
	})
	return found
}

// overlaps reports whether s, which is normal, has a character from lo to hi.
func (s runeSet) overlaps(lo, hi rune) bool {
	for _, r := range s {
		if r.lo <= hi && lo <= r.hi {
			return true
		}
	}
	return false
}

// writable reports whether some character of s can occur in UTF-8.
func (s runeSet) writable() bool {
	return s.overlaps(0, 0xD7FF) || s.overlaps(0xE000, utf8.MaxRune)
}
