package body

import (
	"bytes"
	"encoding/json"
	"iter"
)

// split yields the elements of raw, a valid JSON array or object, with the
// keys of an object as they are decoded. It copies nothing: however many there
// are, a body costs little more than itself until its faults are found.
func split(raw json.RawMessage) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		for i := skip(raw, 1, " \t\r\n"); i < len(raw)-1; i = skip(raw, i, " \t\r\n,") {
			var key string
			if raw[0] == '{' {
				end := endOfValue(raw, i)
				var err error
				if key, err = unquote(raw[i:end]); err != nil {
					return // cannot be: the body was checked
				}
				i = skip(raw, end, " \t\r\n:")
			}
			end := endOfValue(raw, i)
			if !yield(key, raw[i:end:end]) {
				return
			}
			i = end
		}
	}
}

// usual returns one of the words that most bodies have, as it is read, without
// making room for it; empty: it is another.
func usual(raw []byte) string {
	switch string(raw) {
	case `"model"`:
		return "model"
	case `"messages"`:
		return "messages"
	case `"role"`:
		return "role"
	case `"content"`:
		return "content"
	case `"type"`:
		return "type"
	case `"text"`:
		return "text"
	case `"stream"`:
		return "stream"
	case `"temperature"`:
		return "temperature"
	case `"max_tokens"`:
		return "max_tokens"
	case `"max_completion_tokens"`:
		return "max_completion_tokens"
	case `"user"`:
		return "user"
	case `"system"`:
		return "system"
	case `"assistant"`:
		return "assistant"
	}
	return ""
}

// unquote returns what a string means, which is part of a body that was checked.
// Most have no escapes, and then mean their bytes.
func unquote(raw []byte) (s string, err error) {
	if s = usual(raw); s != "" {
		return s, nil
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	err = json.Unmarshal(raw, &s)
	return s, err
}

// skip returns the index of the first byte from i on that is not in set.
func skip(b []byte, i int, set string) int {
	for i < len(b) && contains(set, b[i]) {
		i++
	}
	return i
}

func contains(set string, c byte) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// endOfValue returns the index behind the JSON value that begins at b[i].
func endOfValue(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i, _ = skipString(b, i)
		case '[', '{':
			depth++
			continue
		case ']', '}':
			depth--
		default:
			if depth > 0 {
				continue
			}
			for i < len(b) && !contains(" \t\r\n,:]}", b[i]) {
				i++
			}
			return i
		}
		if depth == 0 {
			return i + 1
		}
	}
	return i
}
