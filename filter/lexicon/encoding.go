package lexicon

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// decodeText returns raw as UTF-8 without a byte order mark, its lines ended by
// line feeds alone. In any other
// encoding it is one fault, which says how to convert the file.
func (r *reader) decodeText(raw []byte) (string, bool) {
	raw = bytes.TrimPrefix(raw, []byte("\uFEFF"))
	if utf8.Valid(raw) && bytes.IndexByte(raw, 0) < 0 {
		text := string(raw)
		if strings.Contains(text, "\r") {
			text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
		}
		return text, true
	}
	at := firstInvalid(raw)
	convert := func(encoding, name string) {
		r.fault(at, "", "the file is not UTF-8 but looks like %s; convert it and load the result: iconv -f %s -t UTF-8 %s > %s.utf8", name, encoding, shellQuote(r.source), shellQuote(r.source))
	}
	switch {
	case bytes.HasPrefix(raw, []byte{0xFF, 0xFE}), bytes.HasPrefix(raw, []byte{0xFE, 0xFF}):
		convert("UTF-16", "UTF-16")
	case bytes.IndexByte(raw, 0) >= 0:
		r.fault(at, "", "the file has zero bytes: it is no text, or UTF-16 without a mark; for the latter: iconv -f UTF-16LE -t UTF-8 %s > %s.utf8", shellQuote(r.source), shellQuote(r.source))
	case isGB18030(raw):
		convert("GB18030", "GBK (GB18030)")
	default:
		r.fault(at, "", "the file is not UTF-8: the first byte that cannot be is 0x%02x; save it as UTF-8", raw[firstInvalidOffset(raw)])
	}
	return "", false
}

// firstInvalidOffset is where raw stops being UTF-8 text.
func firstInvalidOffset(raw []byte) int {
	for i := 0; i < len(raw); {
		c, size := utf8.DecodeRune(raw[i:])
		if c == utf8.RuneError && size <= 1 || c == 0 {
			return i
		}
		i += size
	}
	return max(0, len(raw)-1)
}

func firstInvalid(raw []byte) place {
	before := raw[:firstInvalidOffset(raw)]
	line := bytes.LastIndexByte(before, '\n') + 1
	return place{int32(bytes.Count(before, []byte("\n")) + 1), int32(utf8.RuneCount(before[line:]) + 1)}
}

// isGB18030 reports whether all of raw can be read as GB18030, which contains
// GBK and GB2312.
func isGB18030(raw []byte) bool {
	for i := 0; i < len(raw); {
		switch {
		case raw[i] < 0x80:
			i++
		case raw[i] == 0x80 || raw[i] == 0xFF || i+1 == len(raw):
			return false
		case raw[i+1] >= 0x40 && raw[i+1] != 0x7F && raw[i+1] != 0xFF:
			i += 2
		case raw[i+1] >= '0' && raw[i+1] <= '9' && i+3 < len(raw) && raw[i+2] >= 0x81 && raw[i+2] != 0xFF && raw[i+3] >= '0' && raw[i+3] <= '9':
			i += 4
		default:
			return false
		}
	}
	return true
}

// shellQuote writes path so that a shell takes it for one word.
func shellQuote(path string) string {
	for _, c := range path {
		if c != '/' && c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c < 0x80 {
			return "'" + string(bytes.ReplaceAll([]byte(path), []byte("'"), []byte(`'\''`))) + "'"
		}
	}
	return path
}
