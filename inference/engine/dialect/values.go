package dialect

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/ardanlabs/jinja"

	"bendi/chat"
)

// emptySchema stands for the parameters of a tool that takes none. Templates
// reach into parameters without asking whether there are any.
const emptySchema = `{"type":"object","properties":{}}`

// Messages returns messages in the shape that Hugging Face templates expect:
//
//	role                as in the request, but developer is system
//	content             the text parts, joined; "" where there are none
//	name, tool_call_id  where set; a tool turn without a name gets that of the
//	                    call it answers
//	reasoning_content   where set
//	tool_calls          [{"type": "function", "id", "function": {"name", "arguments"}}]
//
// The arguments are an object with its keys in the order they were written;
// what is not a JSON object stays the string that it is. Integers up to 64 bits
// are exact, and in [Template.Render] all numbers are. All system messages
// become one, which comes first.
//
// shield is applied to every string that a client controls, keys included; nil
// leaves them alone.
func Messages(messages []chat.Message, shield func(string) string) []jinja.Value {
	v := values{shield: shield}
	return v.messages(messages)
}

// Tools returns tools in the shape that Hugging Face templates expect, which
// is that of the wire: {"type": "function", "function": {"name",
// "description", "parameters", "strict"}}. The keys of a schema keep their
// order. shield is as in [Messages].
func Tools(tools []chat.Tool, shield func(string) string) []jinja.Value {
	v := values{shield: shield}
	return v.tools(tools)
}

// values makes template values of a request.
type values struct {
	shield func(string) string
	big    *bigNumbers // nil: numbers are as exact as floats are
	// wrapArguments makes arguments that are no object an object with that
	// string as its one value: for templates that cannot do without one.
	wrapArguments bool
	// noneContent makes the content of an assistant turn that only calls tools
	// None and not "": for templates that ask which it is.
	noneContent bool
}

func (v values) str(s string) jinja.Value {
	if v.shield != nil {
		s = v.shield(s)
	}
	return jinja.NewString(s)
}

func (v values) messages(messages []chat.Message) []jinja.Value {
	messages = normalize(messages)
	called := map[string]string{} // names of the calls so far, by id
	list := make([]jinja.Value, 0, len(messages))
	for _, m := range messages {
		d := jinja.NewDict()
		set := d.AsDict().Set
		set("role", jinja.NewString(string(m.Role)))
		if v.noneContent && len(m.Content) == 0 && len(m.ToolCalls) > 0 {
			set("content", jinja.None())
		} else {
			set("content", v.str(m.Text()))
		}
		name := m.Name
		if name == "" && m.Role == chat.ToolRole {
			name = called[m.ToolCallID]
		}
		if name != "" {
			set("name", v.str(name))
		}
		if m.Reasoning != "" {
			set("reasoning_content", v.str(m.Reasoning))
		}
		if len(m.ToolCalls) > 0 {
			set("tool_calls", v.calls(m.ToolCalls))
			for _, c := range m.ToolCalls {
				called[c.ID] = c.Name
			}
		}
		if m.ToolCallID != "" {
			set("tool_call_id", v.str(m.ToolCallID))
		}
		list = append(list, d)
	}
	return list
}

func (v values) calls(calls []chat.ToolCall) jinja.Value {
	list := make([]jinja.Value, 0, len(calls))
	for _, c := range calls {
		function := jinja.NewDict()
		function.AsDict().Set("name", v.str(c.Name))
		function.AsDict().Set("arguments", v.arguments(c.Arguments))
		d := jinja.NewDict()
		d.AsDict().Set("type", jinja.NewString("function"))
		d.AsDict().Set("id", v.str(c.ID))
		d.AsDict().Set("function", function)
		list = append(list, d)
	}
	return jinja.NewList(list)
}

func (v values) arguments(text string) jinja.Value {
	if strings.TrimSpace(text) == "" {
		return jinja.NewDict() // how many clients write a call without arguments
	}
	if parsed, ok := v.json(text); ok && parsed.IsDict() {
		return parsed
	}
	if v.wrapArguments {
		d := jinja.NewDict()
		d.AsDict().Set("arguments", v.str(text))
		return d
	}
	return v.str(text)
}

func (v values) tools(tools []chat.Tool) []jinja.Value {
	list := make([]jinja.Value, 0, len(tools))
	for _, t := range tools {
		function := jinja.NewDict()
		set := function.AsDict().Set
		set("name", v.str(t.Name))
		if t.Description != "" {
			set("description", v.str(t.Description))
		}
		parameters, ok := v.json(string(t.Parameters))
		if !ok || parameters.IsNone() {
			parameters, _ = v.json(emptySchema)
		}
		set("parameters", parameters)
		if t.Strict {
			set("strict", jinja.NewBool(true))
		}
		d := jinja.NewDict()
		d.AsDict().Set("type", jinja.NewString("function"))
		d.AsDict().Set("function", function)
		list = append(list, d)
	}
	return list
}

// json reads a JSON text. Of keys that occur twice the last one counts, as in
// Python. Nesting is bounded by encoding/json.
func (v values) json(text string) (jinja.Value, bool) {
	if !json.Valid([]byte(text)) {
		return jinja.Undefined(), false
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	return v.next(dec), true
}

// next reads the next value of dec, which is known to hold one.
func (v values) next(dec *json.Decoder) jinja.Value {
	token, err := dec.Token()
	if err != nil {
		return jinja.Undefined()
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '[' {
			var items []jinja.Value
			for dec.More() {
				items = append(items, v.next(dec))
			}
			dec.Token() // ]
			return jinja.NewList(items)
		}
		d := jinja.NewDict()
		for dec.More() {
			key, _ := dec.Token()
			name, _ := key.(string)
			d.AsDict().Set(v.str(name).AsString(), v.next(dec))
		}
		dec.Token() // }
		return d
	case string:
		return v.str(t)
	case json.Number:
		return v.number(t)
	case bool:
		return jinja.NewBool(t)
	}
	return jinja.None()
}

// number returns n as an integer or a float. What fits neither, such as an
// integer beyond 64 bits, is a float whose digits big keeps; without big it is
// the nearest float.
func (v values) number(n json.Number) jinja.Value {
	if !strings.ContainsAny(string(n), ".eE") {
		if i, err := n.Int64(); err == nil {
			return jinja.NewInt(i)
		}
		if v.big != nil {
			return v.big.add(string(n))
		}
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil && v.big != nil {
		return v.big.add(string(n))
	}
	return jinja.NewFloat(f)
}

// bigNumbers keeps numbers exact that the template engine has no kind for. To
// a template such a number is a float, so that it passes for a number; in fact
// it is a NaN, which JSON does not have, and whose payload counts the numbers
// kept. The filters that print numbers look the digits up.
type bigNumbers struct{ digits []string }

const nan = 0x7ff8_0000_0000_0000

func (b *bigNumbers) add(digits string) jinja.Value {
	b.digits = append(b.digits, digits)
	return jinja.NewFloat(math.Float64frombits(nan | uint64(len(b.digits))))
}

// float is repr(f) in Python, but for NaN and infinity, which are what the
// arguments say.
func (b *bigNumbers) float(f float64, notANumber, infinity string) string {
	if i := math.Float64bits(f) ^ nan; i > 0 && i <= uint64(len(b.digits)) {
		return b.digits[i-1]
	}
	return pythonFloat(f, notANumber, infinity)
}

// normalize rewrites what templates do not know: a developer message is a
// system message, and all system messages become one, which comes first.
func normalize(messages []chat.Message) []chat.Message {
	var system []string
	var rest []chat.Message
	for _, m := range messages {
		if m.Role == chat.System || m.Role == chat.Developer {
			system = append(system, m.Text())
			continue
		}
		rest = append(rest, m)
	}
	if system == nil {
		return rest
	}
	first := chat.TextMessage(chat.System, strings.Join(system, "\n\n"))
	return append([]chat.Message{first}, rest...)
}
