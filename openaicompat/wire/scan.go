package wire

import (
	"encoding/json"
	"unicode/utf16"
	"unicode/utf8"

	"bendi/chat"
	"bendi/openaicompat/body"
)

// scanAnswer reads the most common shape of a chunk, or of a whole answer where
// said is "message": one choice with texts, and maybe its end and the usage. It
// reports whether data has that shape; any other is for encoding/json, which
// makes the same of this one (see FuzzScanAnswer).
func scanAnswer(events []chat.Event, data []byte, said string) ([]chat.Event, bool) {
	a := scannedAnswer{scan: scan{b: data}, said: said}
	return a.read(events)
}

func (a *scannedAnswer) read(events []chat.Event) ([]chat.Event, bool) {
	if !a.fields(a.top) || !a.ended() {
		return events, false
	}
	finish, err := finishOf(a.finish)
	if err != nil {
		return events, false
	}
	if ev := &a.event; ev.Text != "" || ev.Reasoning != "" || ev.Refusal != "" {
		events = append(events, *ev)
	}
	if finish != "" {
		events = append(events, chat.Event{Choice: a.event.Choice, Finish: finish})
	}
	if a.usage != nil {
		var u usageBody
		if s := (scan{b: a.usage}); !s.usage(&u) {
			u = usageBody{}
			if json.Unmarshal(a.usage, &u) != nil {
				return events[:0], false
			}
		}
		events = u.appendTo(events)
	}
	return events, true
}

// A scannedAnswer is what scanAnswer has found so far.
type scannedAnswer struct {
	scan
	said   string // "delta" or "message"
	event  chat.Event
	finish string
	usage  []byte
	seen   uint // keys that may stand but once

	texts      int  // how many texts are not empty
	start, end int  // where the last of them stands, with its quotes
	kind       uint // and its key
}

// Keys that mean something, each a bit.
const (
	keyChoices = 1 << iota
	keyUsage
	keyIndex
	keySaid
	keyFinish
	keyContent
	keyReasoning
	keyRefusal
)

// once reports whether a key was not there before. Of several by one name
// encoding/json takes the last, or joins them.
func (a *scannedAnswer) once(key uint) bool {
	was := a.seen&key != 0
	a.seen |= key
	return !was
}

// top reads the value of a key of the answer, which begins here.
func (a *scannedAnswer) top(key []byte) bool {
	switch string(key) {
	case "choices":
		return a.once(keyChoices) && a.choices()
	case "usage":
		if a.null() {
			return true
		}
		from := a.i
		ok := a.once(keyUsage) && a.peek() == '{' && a.skip(0)
		a.usage = a.b[from:a.i]
		return ok
	case "error":
		return a.null()
	}
	return a.skip(0)
}

// choices reads an array of one choice, or of none.
func (a *scannedAnswer) choices() bool {
	if !a.take('[') {
		return false
	}
	if a.take(']') {
		return true
	}
	return a.fields(a.choice) && a.take(']')
}

// choice is top for a choice.
func (a *scannedAnswer) choice(key []byte) bool {
	switch string(key) {
	case "index":
		return a.once(keyIndex) && a.index()
	case a.said:
		return a.once(keySaid) && a.fields(a.piece)
	case "finish_reason":
		return a.once(keyFinish) && a.orNull(&a.finish)
	case "logprobs", "stop_reason":
		return a.null()
	case "delta", "message":
		return false // that which is not asked for; nobody sends both
	}
	return a.skip(0)
}

// piece is top for what a choice says.
func (a *scannedAnswer) piece(key []byte) bool {
	switch string(key) {
	case "content":
		return a.words(keyContent, &a.event.Text)
	case "reasoning_content", "reasoning":
		return a.words(keyReasoning, &a.event.Reasoning)
	case "refusal":
		return a.words(keyRefusal, &a.event.Refusal)
	case "tool_calls":
		return a.null()
	}
	return a.skip(0)
}

// index reads the number of a choice.
func (a *scannedAnswer) index() bool {
	from := a.i
	for a.i < len(a.b) && a.b[a.i] >= '0' && a.b[a.i] <= '9' {
		a.event.Choice = a.event.Choice*10 + int(a.b[a.i]-'0')
		a.i++
	}
	n := a.i - from
	return n > 0 && n <= 3 && (n == 1 || a.b[from] != '0') && a.event.Choice < MaxChoices && !a.at('.') && !a.at('e') && !a.at('E')
}

// words reads one of the texts of a piece.
func (a *scannedAnswer) words(key uint, to *string) bool {
	from := a.i
	if !a.once(key) || !a.orNull(to) {
		return false
	}
	if *to != "" {
		a.texts++
		a.start, a.end, a.kind = from, a.i, key
	}
	return true
}

// orNull reads a string or null.
func (s *scan) orNull(to *string) (ok bool) {
	if s.null() {
		return true
	}
	*to, ok = s.text()
	return ok
}

// text reads a string.
func (s *scan) text() (string, bool) {
	raw, escapes, ok := s.str()
	switch {
	case !ok || !utf8.Valid(raw): // whose bytes encoding/json replaces
		return "", false
	case escapes:
		return unescape(raw), true
	}
	return string(raw), true
}

// A scan reads JSON from left to right. Its methods report whether what they
// read is there and valid; after the first that says no, nothing counts.
type scan struct {
	b []byte
	i int
}

func (s *scan) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\t' || s.b[s.i] == '\r') {
		s.i++
	}
}

// at reports whether c comes next, with no space before it.
func (s *scan) at(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }

// peek returns the next byte that is no space; 0 at the end.
func (s *scan) peek() byte {
	s.space()
	if s.i == len(s.b) {
		return 0
	}
	return s.b[s.i]
}

func (s *scan) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.i++
	return true
}

func (s *scan) ended() bool { return s.peek() == 0 && s.i == len(s.b) }

func small(key []byte) bool {
	for _, c := range key {
		if (c < 'a' || c > 'z') && c != '_' && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// fields reads an object, the value of each key by read. Keys are of small
// letters: encoding/json knows fields by capitals as well.
func (s *scan) fields(read func(key []byte) bool) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		if s.peek() != '"' {
			return false
		}
		key, _, ok := s.str()
		if !ok || !small(key) || !s.take(':') {
			return false
		}
		s.space()
		if !read(key) {
			return false
		}
		if !s.take(',') {
			return s.take('}')
		}
	}
}

// null reads null, if that comes next.
func (s *scan) null() bool { return s.word("null") }

func (s *scan) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

// str reads a string and returns what stands between its quotes.
func (s *scan) str() (raw []byte, escapes, ok bool) {
	if !s.at('"') {
		return nil, false, false
	}
	s.i++
	for from := s.i; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[from : s.i-1], escapes, true
		case c < ' ':
			return nil, false, false
		case c == '\\':
			escapes = true
			if !s.escape() {
				return nil, false, false
			}
		}
	}
	return nil, false, false
}

// escape reads an escape up to its last byte.
func (s *scan) escape() bool {
	if s.i++; s.i == len(s.b) {
		return false
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		_, ok := body.Hex4(s.b[s.i+1:])
		s.i += 4
		return ok
	}
	return false
}

// unescape returns what a string means that str has read.
func unescape(raw []byte) string {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := body.Hex4(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if i+6 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
					low, _ := body.Hex4(raw[i+3:])
					if pair = utf16.DecodeRune(r, low); pair != utf8.RuneError {
						i += 6
					}
				}
				r = pair
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, raw[i])
		}
	}
	return string(out)
}

// maxSkipped is how deep values may be that scan passes over.
const maxSkipped = 32

// skip passes over a value, which begins here.
func (s *scan) skip(depth int) bool {
	if s.i == len(s.b) || depth > maxSkipped {
		return false
	}
	switch s.b[s.i] {
	case '"':
		_, _, ok := s.str()
		return ok
	case '{':
		s.i++
		return s.list('}', depth, true)
	case '[':
		s.i++
		return s.list(']', depth, false)
	case 'n':
		return s.word("null")
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	}
	return s.number()
}

// list passes over what stands in an array or an object, and its end.
func (s *scan) list(end byte, depth int, keys bool) bool {
	if s.take(end) {
		return true
	}
	for {
		if s.space(); keys {
			if _, _, ok := s.str(); !ok || !s.take(':') {
				return false
			}
			s.space()
		}
		if !s.skip(depth + 1) {
			return false
		}
		if !s.take(',') {
			return s.take(end)
		}
	}
}

func (s *scan) number() bool {
	if s.at('-') {
		s.i++
	}
	switch {
	case s.at('0'):
		s.i++
	case !s.digits():
		return false
	}
	if s.at('.') {
		s.i++
		if !s.digits() {
			return false
		}
	}
	if s.at('e') || s.at('E') {
		s.i++
		if s.at('+') || s.at('-') {
			s.i++
		}
		return s.digits()
	}
	return true
}

func (s *scan) digits() bool {
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}
