package dialect

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/ardanlabs/jinja"
)

// toJSON is the filter tojson as transformers defines it, over Python's
// json.dumps: keys in their order, and <, > and & as they are.
//
// Private-use code points are never escaped, not even with ensure_ascii: the
// engine's placeholders are made of them.
func (b *bigNumbers) toJSON(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	arg := func(i int, name string) jinja.Value {
		if v, ok := kwargs[name]; ok {
			return v
		}
		if i < len(args) {
			return args[i]
		}
		return jinja.None()
	}
	if len(args) == 0 {
		return jinja.Undefined(), errors.New("tojson: needs a value")
	}
	e := jsonEncoder{big: b, item: ", ", key: ": ", ascii: arg(1, "ensure_ascii").IsTruthy(), sort: arg(4, "sort_keys").IsTruthy()}
	switch indent := arg(2, "indent"); {
	case indent.IsInt():
		e.indent, e.item, e.lines = strings.Repeat(" ", int(min(max(indent.AsInt(), 0), 64))), ",", true
	case indent.IsString():
		e.indent, e.item, e.lines = indent.AsString(), ",", true
	}
	if s := arg(3, "separators"); s.IsList() {
		items := s.AsList().Items
		if len(items) != 2 || !items[0].IsString() || !items[1].IsString() {
			return jinja.Undefined(), errors.New("tojson: separators must be two strings")
		}
		e.item, e.key = items[0].AsString(), items[1].AsString()
	}
	e.value(args[0], 0)
	return jinja.NewString(e.out.String()), nil
}

type jsonEncoder struct {
	out                strings.Builder
	big                *bigNumbers
	item, key, indent  string
	lines, ascii, sort bool
}

func (e *jsonEncoder) newline(depth int) {
	if e.lines {
		e.out.WriteByte('\n')
		for range depth {
			e.out.WriteString(e.indent)
		}
	}
}

func (e *jsonEncoder) value(v jinja.Value, depth int) {
	switch {
	case v.IsBool():
		e.out.WriteString(strconv.FormatBool(v.AsBool()))
	case v.IsInt():
		e.out.WriteString(strconv.FormatInt(v.AsInt(), 10))
	case v.IsFloat():
		e.out.WriteString(e.big.float(v.AsFloat(), "NaN", "Infinity"))
	case v.IsString():
		e.string(v.AsString())
	case v.IsList():
		e.out.WriteByte('[')
		for i, item := range v.AsList().Items {
			if i > 0 {
				e.out.WriteString(e.item)
			}
			e.newline(depth + 1)
			e.value(item, depth+1)
		}
		if v.AsList().Len() > 0 {
			e.newline(depth)
		}
		e.out.WriteByte(']')
	case v.IsDict():
		keys := v.AsDict().Keys
		if e.sort {
			keys = slices.Sorted(slices.Values(keys))
		}
		e.out.WriteByte('{')
		for i, key := range keys {
			if i > 0 {
				e.out.WriteString(e.item)
			}
			e.newline(depth + 1)
			e.string(key)
			e.out.WriteString(e.key)
			e.value(v.AsDict().Data[key], depth+1)
		}
		if len(keys) > 0 {
			e.newline(depth)
		}
		e.out.WriteByte('}')
	default:
		e.out.WriteString("null")
	}
}

func (e *jsonEncoder) string(s string) {
	e.out.WriteByte('"')
	for _, r := range s {
		if r < 0x80 || !e.ascii || unicode.Is(unicode.Co, r) {
			writeJSONRune(&e.out, r)
			continue
		}
		if r > 0xffff {
			r -= 0x10000
			fmt.Fprintf(&e.out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			continue
		}
		fmt.Fprintf(&e.out, `\u%04x`, r)
	}
	e.out.WriteByte('"')
}

// writeJSONRune writes r as part of a JSON string, escaping no more than JSON
// demands.
func writeJSONRune(b *strings.Builder, r rune) {
	switch {
	case r == '"' || r == '\\':
		b.WriteByte('\\')
		b.WriteByte(byte(r))
	case r >= 0x20:
		b.WriteRune(r)
	case lineEscape(r) != "":
		b.WriteString(lineEscape(r))
	case r == '\b':
		b.WriteString(`\b`)
	case r == '\f':
		b.WriteString(`\f`)
	default:
		fmt.Fprintf(b, `\u%04x`, r)
	}
}

// lineEscape returns how JSON and Python alike escape r, if it breaks a line or
// moves along it.
func lineEscape(r rune) string {
	if i := strings.IndexRune("\n\r\t", r); i >= 0 {
		return `\` + "nrt"[i:i+1]
	}
	return ""
}

// string is str(v) in Python, and the filter string.
func (b *bigNumbers) string(v jinja.Value) string {
	switch {
	case v.IsString():
		return v.AsString()
	case v.IsUndefined(), v.IsCallable():
		return ""
	}
	var out strings.Builder
	b.repr(&out, v)
	return out.String()
}

// repr writes repr(v) in Python.
func (b *bigNumbers) repr(out *strings.Builder, v jinja.Value) {
	switch {
	case v.IsNone():
		out.WriteString("None")
	case v.IsBool():
		out.WriteString(map[bool]string{true: "True", false: "False"}[v.AsBool()])
	case v.IsInt():
		out.WriteString(strconv.FormatInt(v.AsInt(), 10))
	case v.IsFloat():
		out.WriteString(b.float(v.AsFloat(), "nan", "inf"))
	case v.IsString():
		pythonQuote(out, v.AsString())
	case v.IsList():
		out.WriteByte('[')
		for i, item := range v.AsList().Items {
			if i > 0 {
				out.WriteString(", ")
			}
			b.repr(out, item)
		}
		out.WriteByte(']')
	case v.IsDict():
		out.WriteByte('{')
		for i, key := range v.AsDict().Keys {
			if i > 0 {
				out.WriteString(", ")
			}
			pythonQuote(out, key)
			out.WriteString(": ")
			b.repr(out, v.AsDict().Data[key])
		}
		out.WriteByte('}')
	}
}

func pythonQuote(b *strings.Builder, s string) {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case lineEscape(r) != "":
			b.WriteString(lineEscape(r))
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteRune(quote)
}

// pythonFloat is repr(f) in Python: the shortest digits that read back as f,
// with a point or an exponent, so that it stays a float.
func pythonFloat(f float64, nan, inf string) string {
	switch {
	case math.IsNaN(f):
		return nan
	case math.IsInf(f, 1):
		return inf
	case math.IsInf(f, -1):
		return "-" + inf
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
