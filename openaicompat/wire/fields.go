package wire

import (
	"slices"
	"strings"

	"bendi/chat"
	"bendi/openaicompat/body"
)

// A decoder knows the fields of this protocol.
type decoder struct{ *body.Decoder }

type (
	value  = body.Value
	object = body.Object
)

// decode takes a body apart with take, and returns what that makes of it, or the
// first fault.
func decode[T any](text []byte, like string, take func(*decoder, object) T) (T, error) {
	return body.Decode(text, like, func(d *body.Decoder, o object) T { return take(&decoder{d}, o) })
}

// Fields that other protocols have as well.

// MaxSession is the most bytes that the name of a session may have.
const MaxSession = 128

// Session reads the name of a session. It is a client's own, and goes into
// headers, paths and keys of stores.
func Session(v body.Value) string {
	id := v.Str()
	if !SaneSession(id) {
		v.Bad("must be at most %d of the letters, digits and -_.:@ and have no other character.", MaxSession)
	}
	return id
}

// SaneSession reports whether id may name a session; none is no session.
func SaneSession(id string) bool {
	const sane = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@"
	return len(id) <= MaxSession && strings.Trim(id, sane) == ""
}

// Content reads the content of a message: a string, or an array of what part
// reads.
func Content(v body.Value, part func(body.Value) chat.Part) []chat.Part {
	switch {
	case v.Absent():
		return nil
	case v.Is(`"`):
		return []chat.Part{{Kind: chat.TextPart, Text: v.Str()}}
	case !v.Want("a string or an array of parts", v.Is("[")):
		return nil
	}
	var parts []chat.Part
	for e := range v.Array() {
		parts = append(parts, part(e))
	}
	return parts
}

// TopP reads how likely the tokens are together that are drawn from.
func TopP(v body.Value) *float64 {
	p := v.Number(0, 1)
	if p != nil && *p == 0 {
		v.Bad("must be above 0 and at most 1, but is 0; for the likeliest token each time set 'temperature' to 0.")
	}
	return p
}

// Stops reads an array of stop strings.
func Stops(v body.Value) []string {
	var stops []string
	n := 0
	for e := range v.Array() {
		if n++; n <= MaxStops {
			stops = append(stops, stopString(e))
		}
	}
	if n > MaxStops {
		v.Bad("holds %d strings; at most %d are allowed.", n, MaxStops)
	}
	return stops
}

func stopString(v body.Value) string {
	s := v.Str()
	if s == "" {
		v.Bad("must not be empty: an empty string would end every answer at once.")
	}
	return s
}

// Offered reads the name of one of the tools.
func Offered(v body.Value, tools []chat.Tool) string {
	name := v.Str()
	if !slices.ContainsFunc(tools, func(t chat.Tool) bool { return t.Name == name }) {
		v.Bad("is not the name of one of the %d 'tools'.", len(tools))
	}
	return name
}

// Unfinished reports whether an answer can go on with the last of messages.
func Unfinished(messages []chat.Message) bool {
	n := len(messages)
	return n > 0 && messages[n-1].Role == chat.Assistant && messages[n-1].Text() != "" && len(messages[n-1].ToolCalls) == 0
}
