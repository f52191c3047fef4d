package wire

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"strings"

	"bendi/chat"
)

// A decoder takes a JSON body apart, field by field, and keeps the first fault
// it meets; after that its answers mean nothing.
type decoder struct{ err error }

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// A value is a JSON value with the path that leads to it. The methods of an
// absent value return zero values: absent and null are the same.
type value struct {
	d   *decoder
	in  string          // path of the object that it is a field of, or its own
	key string          // of the field
	raw json.RawMessage // nil: absent
}

func (v value) absent() bool { return v.raw == nil }

// path returns the path of v, which is made only when it is wanted.
func (v value) path() string {
	if v.in == "" || v.key == "" {
		return v.in + v.key
	}
	return v.in + "." + v.key
}

// want fails the decoder when v is not of the type that what describes.
func (v value) want(what string, is bool) bool {
	if !is {
		v.d.fail(chat.BadParam(v.path(), "%s must be %s, but is %s.", v.name(), what, v.typ()))
	}
	return is
}

// bad fails the decoder with a message about v; format goes on after its name.
func (v value) bad(format string, args ...any) {
	v.d.fail(chat.BadParam(v.path(), "%s "+format, append([]any{v.name()}, args...)...))
}

func (v value) name() string {
	if path := v.path(); path != "" {
		return "'" + path + "'"
	}
	return "The request body"
}

// typ says of which JSON type v is.
func (v value) typ() string {
	switch v.raw[0] {
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

func (v value) is(first string) bool { return strings.IndexByte(first, v.raw[0]) >= 0 }

func (v value) str() string {
	if v.absent() || !v.want("a string", v.is(`"`)) {
		return ""
	}
	var s string
	if err := json.Unmarshal(v.raw, &s); err != nil {
		v.d.fail(err) // cannot be: the body was checked
	}
	if strings.IndexByte(s, 0) >= 0 {
		v.nul()
	}
	return s
}

func (v value) nul() {
	v.bad(`holds a NUL character (\u0000), which no model can read; remove it.`)
}

func (v value) boolean() *bool {
	if v.absent() || !v.want("a boolean", v.is("tf")) {
		return nil
	}
	return new(v.raw[0] == 't')
}

func (v value) isTrue() bool {
	b := v.boolean()
	return b != nil && *b
}

// number returns a number from lo to hi.
func (v value) number(lo, hi float64) *float64 {
	if v.absent() || !v.want("a number", v.is("-0123456789")) {
		return nil
	}
	f, err := strconv.ParseFloat(string(v.raw), 64)
	if err != nil || f < lo || f > hi {
		v.bad("must be from %v to %v, but is %s.", lo, hi, shortNumber(v.raw))
		return nil
	}
	return &f
}

// integer returns a whole number from lo to hi, however it is written.
func (v value) integer(lo, hi int64) *int64 {
	if v.absent() || !v.want("an integer", v.is("-0123456789")) {
		return nil
	}
	n, err := strconv.ParseInt(string(v.raw), 10, 64)
	if err != nil {
		// Such as 1e3 and 7.0, which some clients write.
		f, ferr := strconv.ParseFloat(string(v.raw), 64)
		if whole := f == math.Trunc(f) && math.Abs(f) < 1<<53; ferr == nil && whole {
			n, err = int64(f), nil
		} else if ferr == nil && f != math.Trunc(f) {
			v.bad("must be an integer, but is %s.", shortNumber(v.raw))
			return nil
		}
	}
	if err != nil || n < lo || n > hi {
		v.bad("must be from %d to %d, but is %s.", lo, hi, shortNumber(v.raw))
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

// json returns v as it is on the wire, without insignificant space.
func (v value) json() json.RawMessage {
	if v.absent() {
		return nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, v.raw); err != nil {
		v.d.fail(err) // cannot be: the body was checked
	}
	return b.Bytes()
}

// text is json for a value whose strings reach a model.
func (v value) text() json.RawMessage {
	if !v.absent() && holdsNUL(v.raw) {
		v.nul()
	}
	return v.json()
}

// array yields the elements of v, until one is at fault.
func (v value) array() iter.Seq[value] {
	return func(yield func(value) bool) {
		if v.absent() || !v.want("an array", v.is("[")) {
			return
		}
		path, i := v.path(), 0
		for _, raw := range split(v.raw) {
			if v.d.err != nil || !yield(value{d: v.d, in: path + "[" + strconv.Itoa(i) + "]", raw: raw}) {
				return
			}
			i++
		}
	}
}

// An object is a JSON object whose fields are taken out one by one.
type object struct {
	value
	fields []field
}

type field struct {
	key string
	raw json.RawMessage // nil: taken
}

func (v value) object() object {
	o := object{value: v}
	if v.absent() || !v.want("an object", v.is("{")) {
		return o
	}
	o.in, o.key = v.path(), ""
	for key, raw := range split(v.raw) {
		o.fields = append(o.fields, field{key, raw})
	}
	return o
}

// take returns the field and removes it, so that what is left is unknown. Of
// several by one name, the last is meant.
func (o object) take(key string) value {
	v := value{d: o.d, in: o.in, key: key}
	for i := range o.fields {
		if f := &o.fields[i]; f.key == key && f.raw != nil {
			v.raw, f.raw = f.raw, nil
		}
	}
	if v.raw != nil && v.raw[0] == 'n' {
		v.raw = nil
	}
	return v
}

// rest yields the fields that were not taken and are not null.
func (o object) rest() iter.Seq2[string, value] {
	return func(yield func(string, value) bool) {
		for _, f := range o.fields {
			if f.raw == nil || f.raw[0] == 'n' {
				continue
			}
			if !yield(f.key, value{d: o.d, in: o.in, key: f.key, raw: f.raw}) {
				return
			}
		}
	}
}

// need is take for a field that must be there.
func (o object) need(key string) value {
	v := o.take(key)
	if v.absent() && o.d.err == nil {
		v.bad("is missing.")
	}
	return v
}
