package engine

import (
	"strings"
	"unicode/utf8"
)

// A runeBuffer turns the bytes of tokens into whole runes. A Chinese character
// is often split over two or three tokens, and half of one is never let out.
//
// However the bytes are cut up, what push and flush return adds up to the same
// string: that of all the bytes, with U+FFFD for each byte that belongs to no
// rune.
type runeBuffer struct {
	held []byte // the beginning of a rune, at most 3 bytes
}

// push adds bytes and returns the runes that are complete.
func (r *runeBuffer) push(b []byte) string {
	if len(r.held) == 0 && utf8.Valid(b) {
		return string(b)
	}
	r.held = append(r.held, b...)
	var out strings.Builder
	rest := r.held
	for len(rest) > 0 && utf8.FullRune(rest) {
		c, n := utf8.DecodeRune(rest)
		out.WriteRune(c)
		rest = rest[n:]
	}
	r.held = append(r.held[:0], rest...)
	return out.String()
}

// flush returns what is left when no more bytes will come.
func (r *runeBuffer) flush() string {
	left := strings.Repeat(string(utf8.RuneError), len(r.held))
	r.held = r.held[:0]
	return left
}
