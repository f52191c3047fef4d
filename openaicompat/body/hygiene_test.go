package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"bendi/chat"
)

const example = `{"a":1}`

func TestBodiesThatAreRefused(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"empty", "", "The request body is empty; send a JSON object such as " + example + "."},
		{"blank", " \r\n\t", "The request body is empty; send a JSON object such as " + example + "."},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", "The request body is not valid UTF-8: see byte 6 of 9."},
		{"half a rune", "{\"a\":\"\xe4\xbd\"}", "The request body is not valid UTF-8: see byte 6 of 10."},
		{"high surrogate", `{"a":"\ud83d"}`, `The request body holds half a character at byte 6: a surrogate escape (\ud800 to \udfff) without its partner.`},
		{"low surrogate", `{"a":"x\uDE00"}`, `The request body holds half a character at byte 7: a surrogate escape (\ud800 to \udfff) without its partner.`},
		{"two high ones", `{"a":"\ud83d\ud83d\ude00"}`, `The request body holds half a character at byte 6: a surrogate escape (\ud800 to \udfff) without its partner.`},
		{"in a key", `{"\ud800":1}`, `The request body holds half a character at byte 2: a surrogate escape (\ud800 to \udfff) without its partner.`},
		{"deep", strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "The request body is nested 1000 levels deep; at most 128 are allowed."},
		{"cut off", `{"a":1`, "The request body is not valid JSON: at byte 6 of 6: unexpected end of JSON input."},
		{"not JSON", `{a:1}`, "The request body is not valid JSON: at byte 2 of 5: invalid character 'a' looking for beginning of object key string."},
		{"trailing", `{} {}`, "The request body is not valid JSON: at byte 4 of 5: invalid character '{' after top-level value."},
		{"an array", `[]`, "The request body must be an object, but is an array."},
		{"null", `null`, "The request body must be an object, but is null."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode([]byte(tt.body), example, func(*Decoder, Object) struct{} { return struct{}{} })
			e, ok := errors.AsType[*chat.Error](err)
			if !ok || e.Kind != chat.Invalid || e.Msg != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestBodiesThatPass(t *testing.T) {
	for _, body := range []string{
		`{"a":"\ud83d\ude00"}`,
		`{"a":"\\ud83d"}`, // a backslash and five letters
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth),
		`"[[[[` + strings.Repeat("[", MaxDepth) + `"`, // brackets in text do not nest
	} {
		if err := check([]byte(body), example); err != nil {
			t.Errorf("%.40s: %v", body, err)
		}
	}
}

var escapes = regexp.MustCompile(`(?s)\\(u[0-9a-fA-F]{4}|.)`)

// loneSurrogate finds what skipString finds, by other means.
func loneSurrogate(s string) bool {
	high := -1 // where a low surrogate would have to begin
	lone := false
	for _, m := range escapes.FindAllStringIndex(s, -1) {
		var unit uint64
		if m[1]-m[0] == 6 {
			unit, _ = strconv.ParseUint(s[m[0]+2:m[1]], 16, 32)
		}
		low := unit>>10 == 0xDC00>>10
		switch {
		case low && high == m[0]:
			high = -1
			continue
		case low || high >= 0:
			lone = true
		}
		high = -1
		if unit>>10 == 0xD800>>10 {
			high = m[1]
		}
	}
	return lone || high >= 0
}

// Of the strings that are JSON, those with a lone surrogate escape are
// refused, and no others; and holdsNUL tells what the decoder finds.
func FuzzStrings(f *testing.F) {
	for _, s := range []string{"", `\ud800`, `\ud83d\ude00`, `\\ud800`, `\\\ud800`, `\ude00\ud83d`, `\ud800A`, `\ud800\n\udc00`, `\u0000`, `\\u0000`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		body := []byte(`"` + s + `"`)
		var decoded string
		if !utf8.Valid(body) || json.Unmarshal(body, &decoded) != nil {
			return
		}
		if got, want := check(body, example) != nil, loneSurrogate(s); got != want {
			t.Errorf("%q: refused = %v, want %v", s, got, want)
		}
		if got, want := holdsNUL(body), strings.Contains(decoded, "\x00"); got != want {
			t.Errorf("%q: holdsNUL = %v, want %v", s, got, want)
		}
	})
}

// A body that passes is one that the JSON decoder takes.
func FuzzBodies(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"user","content":"\ud83d\ude00"}]} `))
	f.Add([]byte("{\"a\":\"\xff\"}"))
	f.Add([]byte(`"\`))
	f.Add([]byte(`"\ud8`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if check(body, example) == nil && !(json.Valid(body) && utf8.Valid(body)) {
			t.Errorf("%q passes", body)
		}
	})
}

// Split finds the elements that the JSON decoder finds.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{`[]`, ` [ 1 , "a]" , [ [ ] ] , { } ,null] `, `{}`, `{ "a" : 1 , "\"b" :{"c":[true]},"a":"}" }`, `[1e5,-0.1]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = bytes.TrimSpace(raw)
		if check(raw, example) != nil {
			return
		}
		switch raw[0] {
		case '[':
			var want, got []json.RawMessage
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			for _, elem := range split(raw) {
				got = append(got, elem)
			}
			if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %q, want %q", raw, got, want)
			}
		case '{':
			want, got := map[string]json.RawMessage{}, map[string]json.RawMessage{}
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			for key, elem := range split(raw) {
				got[key] = elem
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %q, want %q", raw, got, want)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	body := []byte(`{"messages":[{"role":"user","content":"` + strings.Repeat(`你好，\n`, 20000) + `"}]}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := check(bytes.Clone(body), example); err != nil {
			b.Fatal(err)
		}
	}
}
