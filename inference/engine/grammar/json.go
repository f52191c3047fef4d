package grammar

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An object is a JSON object that keeps the order of its keys. The other JSON
// values are nil, bool, json.Number, string and []any.
type object struct {
	keys   []string
	values map[string]any
}

// decode reads a schema as JSON, which must be one value of UTF-8 without
// lone surrogates or keys that occur twice: what they stand for would depend
// on the reader.
func decode(raw json.RawMessage) (any, error) {
	if len(raw) > maxSchemaBytes {
		return nil, unsupported("", "#", "it has %d bytes, over the limit of %d", len(raw), maxSchemaBytes)
	}
	if !utf8.Valid(raw) {
		return nil, invalid("", "#", "it is not valid UTF-8")
	}
	if depth(raw) > maxSchemaDepth {
		return nil, unsupported("", "#", "it is nested more than %d deep", maxSchemaDepth)
	}
	if !json.Valid(raw) {
		return nil, invalid("", "#", "it is not JSON")
	}
	if loneSurrogate(raw) {
		return nil, invalid("", "#", "it has a \\u escape that is half of a surrogate pair")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return decodeValue(dec, "#")
}

func decodeValue(dec *json.Decoder, path string) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, invalid("", path, "it is not JSON")
	}
	switch token {
	case json.Delim('{'):
		obj := &object{values: map[string]any{}}
		for dec.More() {
			token, err := dec.Token()
			if err != nil {
				return nil, invalid("", path, "it is not JSON")
			}
			key := token.(string)
			if _, ok := obj.values[key]; ok {
				return nil, invalid("", path, "the key %q occurs twice", clip(key))
			}
			v, err := decodeValue(dec, path+"/"+escapePointer(key))
			if err != nil {
				return nil, err
			}
			obj.keys = append(obj.keys, key)
			obj.values[key] = v
		}
		_, err = dec.Token()
		return obj, err
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := decodeValue(dec, path+"/"+strconv.Itoa(len(list)))
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return list, err
	}
	return token, nil
}

// depth returns how deep the brackets of raw are nested.
func depth(raw []byte) int {
	deepest, depth, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// loneSurrogate reports whether raw, which is JSON, has an escape such as
// \ud800 without its other half.
func loneSurrogate(raw []byte) bool {
	code := func(i int) (rune, bool) {
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 32)
		return rune(n), err == nil
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		r, ok := code(i)
		switch {
		case !ok || !isSurrogate(r):
			i++ // past the escaped character
		case r >= 0xDC00:
			return true
		default:
			if low, ok := code(i + 6); !ok || low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 11
		}
	}
	return false
}

// escapePointer writes a key as a part of a JSON pointer.
func escapePointer(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// quoteJSON writes s as JSON in the one spelling that grammars expect: no
// escape that could be left out, \n rather than \u000a.
func quoteJSON(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		b.WriteString(quoteRune(r))
	}
	b.WriteByte('"')
	return b.String()
}

func quoteRune(r rune) string {
	switch r {
	case '"', '\\':
		return `\` + string(r)
	case '\b':
		return `\b`
	case '\f':
		return `\f`
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	if r < 0x20 {
		return `\u00` + strconv.FormatInt(int64(r>>4), 16) + strconv.FormatInt(int64(r&15), 16)
	}
	return string(r)
}

// equalJSON reports whether two values are the same to JSON Schema: numbers by
// value, objects in any order.
func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case *object:
		b, ok := b.(*object)
		if !ok || len(a.keys) != len(b.keys) {
			return false
		}
		for _, k := range a.keys {
			if v, ok := b.values[k]; !ok || !equalJSON(a.values[k], v) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equalJSON(a[i], b[i]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false
		}
		x, errX := parseDecimal(a)
		y, errY := parseDecimal(b)
		if errX != nil || errY != nil {
			return a == b
		}
		return x.cmp(y) == 0
	}
	return a == b
}
