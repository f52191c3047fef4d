package dialect

import (
	"encoding/json"
	"slices"

	"bendi/chat"
)

// A Grammar says how an answer that calls tools is written, for an engine that
// constrains what the model samples:
//
//	Begin call (Between call)* End
//	call = one of Calls
//
// Where the model reasons, it applies after the reasoning has ended.
type Grammar struct {
	Begin, Between, End string
	Calls               []CallForm

	// Trigger begins every call: when the model need not call, the grammar
	// applies from the Trigger on.
	Trigger string
	// Must says that the answer is a call, and the grammar applies from the
	// start.
	Must bool
}

// A CallForm says how a call of one tool is written: Prefix, arguments,
// Suffix. The arguments are one JSON object of the schema Parameters, unless
// Keyed is set: then they are Params, required ones in this order.
type CallForm struct {
	Name           string // of the tool
	Prefix, Suffix string
	Parameters     json.RawMessage // never nil
	Keyed          bool
	Params         []ParamForm
}

// A ParamForm says how one argument is written: Prefix, value, Suffix. The
// value is JSON of the schema, unless Text is set, where it may be a string:
// strings are written bare, so that it is any text that does not contain
// Suffix. Of a schema that lists its strings (enum, const), those are the texts.
type ParamForm struct {
	Key            string
	Prefix, Suffix string
	Schema         json.RawMessage
	Text           bool
	Required       bool
}

// ToolGrammar returns the grammar of the calls that choice allows, and whether
// there is any: there is none without tools, when the choice is [None], and
// when the model knows no tools.
func (d Dialect) ToolGrammar(tools []chat.Tool, choice Choice) (Grammar, bool) {
	tools = choice.Allows(tools)
	if len(tools) == 0 || d.Calls == NoCalls {
		return Grammar{}, false
	}
	f := formats[d.Calls]
	g := Grammar{
		Begin: f.begin, Between: "\n", End: f.end,
		Trigger: f.opens[0].tag, Must: choice.Mode == Required || choice.Mode == Named,
	}
	for _, t := range tools {
		c := CallForm{Name: t.Name, Parameters: t.Parameters, Keyed: f.param != nil}
		if len(c.Parameters) == 0 {
			c.Parameters = json.RawMessage(emptySchema)
		}
		c.Prefix, c.Suffix = f.call(t.Name)
		if c.Keyed {
			c.Params = params(c.Parameters, f.param)
		}
		g.Calls = append(g.Calls, c)
	}
	return g, true
}

// params returns the forms of the properties of a schema, in their order.
func params(schema json.RawMessage, around func(key string) (prefix, suffix string)) []ParamForm {
	s := readSchema(schema)
	var forms []ParamForm
	for _, key := range s.keys {
		prefix, suffix := around(key)
		forms = append(forms, ParamForm{
			Key: key, Prefix: prefix, Suffix: suffix,
			Schema: s.properties[key], Required: slices.Contains(s.required, key),
			Text: s.types(key).has(stringType),
		})
	}
	return forms
}
