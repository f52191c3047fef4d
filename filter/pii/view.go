package pii

import "unicode/utf8"

// A view is the text around a position. What looks for a value reads forward
// through it, and notes here what it finds.
//
// To read beyond the text that has come marks the view as short: nothing is
// decided then, and the same is asked again when there is more. So what is
// found never depends on how the text was cut up.
type view struct {
	d     *Detector
	b     []byte
	last  bool // nothing follows b
	short bool

	// A value that a word names is read until keyed: nothing before that is
	// another one.
	keyed int

	hits uint32 // a bit by type
	hit  [count]struct{ start, end int32 }
}

// found notes a value. Of several of a type that begin at one position, the
// longest counts.
func (v *view) found(t Type, start, end int) {
	if v.d.on[t] && (v.hits&(1<<t) == 0 || end > int(v.hit[t].end)) {
		v.hits |= 1 << t
		v.hit[t].start, v.hit[t].end = int32(start), int32(end)
	}
}

// at returns a byte; 0 beyond the end.
func (v *view) at(i int) byte {
	if i < len(v.b) {
		return v.b[i]
	}
	if !v.last {
		v.short = true
	}
	return 0
}

// rune returns a rune and its length; -1 and 0 beyond the end.
func (v *view) rune(i int) (rune, int) {
	if i < len(v.b) {
		if c := v.b[i]; c < utf8.RuneSelf {
			return rune(c), 1
		}
		if v.last || utf8.FullRune(v.b[i:]) {
			return utf8.DecodeRune(v.b[i:])
		}
	}
	if !v.last {
		v.short = true
	}
	return -1, 0
}

// visible returns the first rune from i on that is seen, and where it is.
func (v *view) visible(i int) (r rune, at, n int) {
	for range maxInvisible {
		r, n = v.rune(i)
		if !isInvisible(r) {
			return r, i, n
		}
		i += n
	}
	return r, i, n
}

// maxInvisible is how many invisible characters in a row do not part digits.
const maxInvisible = 32

// before returns the rune before i, which ends where i is, and its length; -1
// and 0 where the text begins, or where it was so long ago that it is forgotten.
func (v *view) before(p, i int) (rune, int) {
	lo := max(0, p-memory)
	if i <= lo {
		return -1, 0
	}
	if c := v.b[i-1]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeLastRune(v.b[lo:i])
}

// visibleBefore returns the last rune before i that is seen, and where it
// begins.
func (v *view) visibleBefore(p, i int) (rune, int) {
	for range maxInvisible + 1 {
		r, n := v.before(p, i)
		i -= n
		if !isInvisible(r) {
			return r, i
		}
	}
	return -1, i
}

// asciiBefore returns the byte before p; 0 where the text begins.
func (v *view) asciiBefore(p int) byte {
	if p == 0 {
		return 0
	}
	return v.b[p-1]
}
