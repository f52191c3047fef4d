package body

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"strings"

	"bendi/chat"
)

// A Decoder takes a JSON body apart, field by field, and keeps the first fault
// it meets; after that its answers mean nothing.
type Decoder struct{ Err error }

// Fail keeps err, unless there was a fault before.
func (d *Decoder) Fail(err error) {
	if d.Err == nil {
		d.Err = err
	}
}

// Decode checks a body, takes it apart with take, and returns what that makes of
// it, or the first fault: a *chat.Error of kind Invalid. An empty body is told
// what it could be like.
func Decode[T any](body []byte, like string, take func(*Decoder, Object) T) (out T, err error) {
	if err := check(body, like); err != nil {
		return out, err
	}
	d := &Decoder{}
	made := take(d, Value{d: d, Raw: bytes.TrimSpace(body)}.Object())
	if d.Err != nil {
		return out, d.Err
	}
	return made, nil
}

// A Value is a JSON value with the path that leads to it. The methods of an
// absent value return zero values: absent and null are the same.
type Value struct {
	d   *Decoder
	in  string          // path of the object that it is a field of, or its own
	key string          // of the field
	Raw json.RawMessage // as on the wire; nil: absent
}

// Absent reports whether the field is not there, or null.
func (v Value) Absent() bool { return v.Raw == nil }

// Path returns the path of v, which is made only when it is wanted.
func (v Value) Path() string {
	if v.in == "" || v.key == "" {
		return v.in + v.key
	}
	return v.in + "." + v.key
}

// Want fails the decoder when v is not of the type that what describes.
func (v Value) Want(what string, is bool) bool {
	if !is {
		v.d.Fail(chat.BadParam(v.Path(), "%s must be %s, but is %s.", v.Name(), what, v.Typ()))
	}
	return is
}

// Bad fails the decoder with a message about v; format goes on after its name.
func (v Value) Bad(format string, args ...any) {
	v.d.Fail(chat.BadParam(v.Path(), "%s "+format, append([]any{v.Name()}, args...)...))
}

// Name returns v as messages name it.
func (v Value) Name() string {
	if path := v.Path(); path != "" {
		return "'" + path + "'"
	}
	return "The request body"
}

// Typ says of which JSON type v is.
func (v Value) Typ() string {
	switch v.Raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// Is reports whether v begins with one of the bytes of first.
func (v Value) Is(first string) bool { return strings.IndexByte(first, v.Raw[0]) >= 0 }

// Str returns a string.
func (v Value) Str() string {
	if v.Absent() || !v.Want("a string", v.Is(`"`)) {
		return ""
	}
	s, err := unquote(v.Raw)
	if err != nil {
		v.d.Fail(err) // cannot be: the body was checked
	}
	if strings.IndexByte(s, 0) >= 0 {
		v.nul()
	}
	return s
}

func (v Value) nul() {
	v.Bad(`holds a NUL character (\u0000), which no model can read; remove it.`)
}

// Boolean returns true or false; nil: it is absent.
func (v Value) Boolean() *bool {
	if v.Absent() || !v.Want("a boolean", v.Is("tf")) {
		return nil
	}
	return new(v.Raw[0] == 't')
}

// IsTrue reports whether v is true.
func (v Value) IsTrue() bool {
	b := v.Boolean()
	return b != nil && *b
}

// Number returns a number from lo to hi.
func (v Value) Number(lo, hi float64) *float64 {
	if v.Absent() || !v.Want("a number", v.Is("-0123456789")) {
		return nil
	}
	f, err := strconv.ParseFloat(string(v.Raw), 64)
	if err != nil || f < lo || f > hi {
		v.Bad("must be from %v to %v, but is %s.", lo, hi, shortNumber(v.Raw))
		return nil
	}
	return &f
}

// Integer returns a whole number from lo to hi, however it is written.
func (v Value) Integer(lo, hi int64) *int64 {
	if v.Absent() || !v.Want("an integer", v.Is("-0123456789")) {
		return nil
	}
	n, err := strconv.ParseInt(string(v.Raw), 10, 64)
	if err != nil {
		// Such as 1e3 and 7.0, which some clients write.
		f, ferr := strconv.ParseFloat(string(v.Raw), 64)
		if whole := f == math.Trunc(f) && math.Abs(f) < 1<<53; ferr == nil && whole {
			n, err = int64(f), nil
		} else if ferr == nil && f != math.Trunc(f) {
			v.Bad("must be an integer, but is %s.", shortNumber(v.Raw))
			return nil
		}
	}
	if err != nil || n < lo || n > hi {
		v.Bad("must be from %d to %d, but is %s.", lo, hi, shortNumber(v.Raw))
		return nil
	}
	return &n
}

// shortNumber returns raw, or how long it is when that is absurd.
func shortNumber(raw json.RawMessage) string {
	if len(raw) > 32 {
		return "a number of " + strconv.Itoa(len(raw)) + " digits"
	}
	return string(raw)
}

// JSON returns v as it is on the wire, without insignificant space.
func (v Value) JSON() json.RawMessage {
	if v.Absent() {
		return nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, v.Raw); err != nil {
		v.d.Fail(err) // cannot be: the body was checked
	}
	return b.Bytes()
}

// Text is JSON for a value whose strings reach a model.
func (v Value) Text() json.RawMessage {
	if !v.Absent() && holdsNUL(v.Raw) {
		v.nul()
	}
	return v.JSON()
}

// ObjectText is Text of an object.
func (v Value) ObjectText() json.RawMessage {
	if v.Absent() || !v.Want("an object", v.Is("{")) {
		return nil
	}
	return v.Text()
}

// Array yields the elements of v, until one is at fault.
func (v Value) Array() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Absent() || !v.Want("an array", v.Is("[")) {
			return
		}
		path, i := v.Path(), 0
		for _, raw := range split(v.Raw) {
			if v.d.Err != nil || !yield(Value{d: v.d, in: path + "[" + strconv.Itoa(i) + "]", Raw: raw}) {
				return
			}
			i++
		}
	}
}

// An Object is a JSON object whose fields are taken out one by one.
type Object struct {
	Value
	fields []field
}

type field struct {
	key string
	raw json.RawMessage // nil: taken
}

// Object returns v as an object.
func (v Value) Object() Object {
	o := Object{Value: v}
	if v.Absent() || !v.Want("an object", v.Is("{")) {
		return o
	}
	o.in, o.key = v.Path(), ""
	o.fields = make([]field, 0, 1+min(len(v.Raw)/32, 8)) // more or less
	for key, raw := range split(v.Raw) {
		o.fields = append(o.fields, field{key, raw})
	}
	return o
}

// Take returns the field and removes it, so that what is left is unknown. Of
// several by one name, the last is meant.
func (o Object) Take(key string) Value {
	v := Value{d: o.d, in: o.in, key: key}
	for i := range o.fields {
		if f := &o.fields[i]; f.key == key && f.raw != nil {
			v.Raw, f.raw = f.raw, nil
		}
	}
	if v.Raw != nil && v.Raw[0] == 'n' {
		v.Raw = nil
	}
	return v
}

// Rest yields the fields that were not taken and are not null.
func (o Object) Rest() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for _, f := range o.fields {
			if f.raw == nil || f.raw[0] == 'n' {
				continue
			}
			if !yield(f.key, Value{d: o.d, in: o.in, key: f.key, Raw: f.raw}) {
				return
			}
		}
	}
}

// Need is Take for a field that must be there.
func (o Object) Need(key string) Value {
	v := o.Take(key)
	if v.Absent() && o.d.Err == nil {
		v.Bad("is missing.")
	}
	return v
}

// Extra returns the fields that were not taken.
func (o Object) Extra() map[string]json.RawMessage {
	var extra map[string]json.RawMessage
	for key, v := range o.Rest() {
		if extra == nil {
			extra = map[string]json.RawMessage{}
		}
		extra[key] = v.JSON()
	}
	return extra
}

// Filled returns a string that must not be empty.
func (v Value) Filled() string {
	s := v.Str()
	if s == "" {
		v.Bad("must not be empty: an empty text has nothing to be told by.")
	}
	return s
}

// Tokens reads an array of token ids. There may be as many as bytes in the
// body, so a path is only made for one at fault.
func (v Value) Tokens() []int {
	if v.Absent() || !v.Want("an array of tokens", v.Is("[")) {
		return nil
	}
	tokens := []int{}
	for _, raw := range split(v.Raw) {
		id, err := strconv.ParseInt(string(raw), 10, 32)
		if err != nil || id < 0 {
			e := Value{d: v.d, in: v.Path() + "[" + strconv.Itoa(len(tokens)) + "]", Raw: raw}
			n := e.Integer(0, math.MaxInt32)
			if n == nil {
				return nil
			}
			id = *n
		}
		tokens = append(tokens, int(id))
	}
	if len(tokens) == 0 {
		v.Bad("is empty; it needs at least one token.")
	}
	return tokens
}
