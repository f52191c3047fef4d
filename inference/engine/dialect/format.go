package dialect

import "slices"

// A format is how a family writes calls: how to tell it from others, read it
// and write it. A family is a file with its format and the states of its
// calls, and a line in formats.
type format struct {
	name  string
	marks []string // a template of the family mentions all of these
	tags  []string // control tokens, perhaps
	opens []fork   // what begins a call; some models leave the outermost out

	begin, end string                                    // around all calls
	call       func(tool string) (prefix, suffix string) // around the arguments
	param      func(key string) (prefix, suffix string)  // around each; nil: they are one JSON object
}

// The tags that several families put around a call.
const toolCall, toolCallEnd = "<tool_call>", "</tool_call>"

var formats = [...]format{
	NoCalls:     {name: "none"},
	Hermes:      hermesFormat,
	QwenXML:     qwenFormat,
	GLM:         glmFormat,
	DeepSeekV31: deepSeekV31Format,
	DeepSeekV3:  deepSeekV3Format,
}

func (f Family) String() string { return formats[f].name }

// familyOf returns the family whose marks are all mentioned. Later ones are
// more particular.
func familyOf(mentions func(string) bool) Family {
	for f := len(formats) - 1; f > 0; f-- {
		if !slices.ContainsFunc(formats[f].marks, func(mark string) bool { return !mentions(mark) }) {
			return Family(f)
		}
	}
	return NoCalls
}
