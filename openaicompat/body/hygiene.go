package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"bendi/chat"
)

// MaxDepth is how deep the arrays and objects of a body may be nested.
const MaxDepth = 128

// check reports what keeps body from being decoded faithfully. It accepts JSON
// alone, without anything after it. An empty one is told what it could be like.
func check(body []byte, like string) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return chat.Errorf(chat.Invalid, "The request body is empty; send a JSON object such as %s.", like)
	}
	if at := invalidUTF8(body); at >= 0 {
		return chat.Errorf(chat.Invalid, "The request body is not valid UTF-8: see byte %d of %d.", at, len(body))
	}
	if err := checkTokens(body); err != nil {
		return err
	}
	if !json.Valid(body) {
		var raw json.RawMessage
		err := json.Unmarshal(body, &raw) // says what Valid does not
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return chat.Errorf(chat.Invalid, "The request body is not valid JSON: at byte %d of %d: %v.", syntax.Offset, len(body), syntax)
		}
		return chat.Errorf(chat.Invalid, "The request body is not valid JSON.")
	}
	return nil
}

// invalidUTF8 returns the offset of the first byte that is not part of a valid
// rune, or -1.
func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	at := 0
	for at < len(b) {
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

// checkTokens looks once at each byte for what JSON allows and we do not: deep
// nesting, and surrogate escapes that make no rune, which every decoder
// replaces in silence.
func checkTokens(body []byte) error {
	depth, deepest := 0, 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		case '"':
			end, lone := skipString(body, i)
			if lone >= 0 {
				return chat.Errorf(chat.Invalid, "The request body holds half a character at byte %d: a surrogate escape (\\ud800 to \\udfff) without its partner.", lone)
			}
			i = end
		}
	}
	if deepest > MaxDepth {
		return chat.Errorf(chat.Invalid, "The request body is nested %d levels deep; at most %d are allowed.", deepest, MaxDepth)
	}
	return nil
}

// skipString returns the index of the quote that ends the string beginning at
// b[i], and the index of the first lone surrogate escape in it, or -1.
func skipString(b []byte, i int) (end, lone int) {
	lone = -1
	for i++; i < len(b) && b[i] != '"'; i++ {
		if b[i] != '\\' {
			continue
		}
		r, ok := escaped(b[i:])
		switch {
		case !ok:
			i++ // a short escape, or a fault that the JSON decoder names
			continue
		case r >= 0xD800 && r < 0xDC00:
			if low, ok := escaped(b[i+6:]); ok && low >= 0xDC00 && low < 0xE000 {
				i += 6
			} else if lone < 0 {
				lone = i
			}
		case r >= 0xDC00 && r < 0xE000 && lone < 0:
			lone = i
		}
		i += 5
	}
	return i, lone
}

// escaped reads the \uXXXX that b begins with.
func escaped(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	return Hex4(b[2:])
}

// Hex4 reads the four hexadecimal digits that b begins with.
func Hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// holdsNUL reports whether a string in raw, which is valid JSON, holds a NUL.
func holdsNUL(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if r, ok := escaped(raw[i:]); ok && r == 0 {
			return true
		}
		i++ // so that the second of two backslashes begins nothing
	}
	return false
}
