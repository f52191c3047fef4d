package filter

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Gaps are the stretches of a text that were taken out of it, in order.
type gaps []gap

type gap struct {
	at   int // where it was, in the text that is left
	size int // of it and all before it
}

// move returns where an offset of the text that is left was before.
func (g gaps) move(offset int) int {
	i, _ := slices.BinarySearchFunc(g, offset, func(g gap, offset int) int { return cmp.Compare(g.at, offset) })
	if i == 0 {
		return offset
	}
	return offset + g[i-1].size
}

func (g gaps) moveAll(cuts []cut) {
	for i := range cuts {
		c := &cuts[i]
		c.start, c.end = g.move(c.start), g.move(c.end)
	}
}

// A file is a text that a part of a message holds in base64, and where.
type file struct {
	start, end int // in the part, as it is written
	text       string
}

// withoutPayload takes what is encoded in base64 out of a part of a message:
// images, sound and files, of which nobody reads the letters. What only claims
// to be encoded stays. Files that are texts are told.
func withoutPayload(raw string) (string, gaps, []file) {
	const least = 256 // bytes that are worth it
	var gaps gaps
	var files []file
	var b strings.Builder
	from, taken := 0, 0
	for i := 0; i < len(raw); i++ {
		if raw[i] != '"' {
			continue
		}
		end := i + 1
		for end < len(raw) && raw[end] != '"' {
			if raw[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(raw) {
			break
		}
		start, isURL := i+1, false
		if s := raw[start:end]; strings.HasPrefix(s, "data:") {
			if _, after, ok := strings.Cut(s, ";base64,"); ok {
				start, isURL = end-len(after), true
			}
		}
		payload := raw[start:end]
		if i = end; !isURL && len(payload) < least || !isBase64(payload) {
			continue
		}
		if text := fileText(payload); text != "" {
			files = append(files, file{start, end, text})
		}
		if len(payload) >= least {
			b.WriteString(raw[from:start])
			taken += end - start
			gaps = append(gaps, gap{b.Len(), taken})
			from = end
		}
	}
	if gaps == nil {
		return raw, nil, files
	}
	b.WriteString(raw[from:])
	return b.String(), gaps, files
}

// fileText returns the text that s is the base64 of, or "" where its beginning
// is no text.
func fileText(s string) string {
	const sample = 512 // characters
	s = fromURL.Replace(strings.TrimRight(s, "="))
	if head, _ := base64.RawStdEncoding.DecodeString(s[:min(len(s), sample)]); !isText(head[:len(head)-partialRune(string(head))]) {
		return ""
	}
	text, _ := base64.RawStdEncoding.DecodeString(s)
	return string(text)
}

// fromURL writes base64 as it is written everywhere but in URLs.
var fromURL = strings.NewReplacer("-", "+", "_", "/", `\\`, "")

// isText reports whether b is text, and no bytes of something else.
func isText(b []byte) bool {
	return utf8.Valid(b) && bytes.IndexFunc(b, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }) < 0
}

// isBase64 reports whether s is one long word of base64. Text of any language
// has spaces or other letters, and no byte of base64 begins a JSON escape
// other than that of the slash.
func isBase64(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '/', c == '-', c == '_':
		case c == '=' && i >= len(s)-2:
		case c == '\\' && i+1 < len(s) && s[i+1] == '/':
		default:
			return false
		}
	}
	return true
}
