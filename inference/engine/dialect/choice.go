package dialect

import (
	"bytes"
	"encoding/json"
	"slices"

	"bendi/chat"
)

// A Mode says whether the model may, must or must not call tools.
type Mode uint8

const (
	Auto     Mode = iota // the model decides
	None                 // no call, whatever the model writes
	Required             // at least one call, of any tool
	Named                // at least one call, of the tool that Choice names
)

// A Choice is a request's tool_choice.
type Choice struct {
	Mode Mode
	Name string // of the tool, when Named
}

// ParseChoice reads a request's tool_choice. Where the client said nothing the
// model decides, given tools; with no tools there is nothing to decide.
func ParseChoice(raw json.RawMessage, tools []chat.Tool) (Choice, error) {
	const param = "tool_choice"
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		if len(tools) == 0 {
			return Choice{Mode: None}, nil
		}
		return Choice{Mode: Auto}, nil
	}
	var word string
	if json.Unmarshal(raw, &word) == nil {
		switch {
		case word == "none", word == "auto" && len(tools) == 0:
			return Choice{Mode: None}, nil
		case word == "auto":
			return Choice{Mode: Auto}, nil
		case word == "required" && len(tools) == 0:
			return Choice{}, chat.BadParam(param, `'tool_choice' is "required", but 'tools' offers none: add a tool, or leave 'tool_choice' out.`)
		case word == "required":
			return Choice{Mode: Required}, nil
		}
		return Choice{}, chat.BadParam(param, `'tool_choice' must be "none", "auto", "required" or {"type": "function", "function": {"name": …}}, but is another string of %d bytes.`, len(word))
	}
	var object struct {
		Type     string
		Function struct{ Name string }
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return Choice{}, chat.BadParam(param, `'tool_choice' must be "none", "auto", "required" or {"type": "function", "function": {"name": …}}.`)
	}
	if object.Type != "function" {
		return Choice{}, chat.Unsupported(param, `'tool_choice.type' may be "function" alone.`)
	}
	if object.Function.Name == "" {
		return Choice{}, chat.BadParam(param, `'tool_choice' is of type "function" but lacks 'function.name': name one of the %d tools.`, len(tools))
	}
	if !slices.ContainsFunc(tools, func(t chat.Tool) bool { return t.Name == object.Function.Name }) {
		return Choice{}, chat.BadParam(param, `'tool_choice.function.name' is not the name of one of the %d tools.`, len(tools))
	}
	return Choice{Mode: Named, Name: object.Function.Name}, nil
}

// Allows returns those of tools that the choice lets the model call.
func (c Choice) Allows(tools []chat.Tool) []chat.Tool {
	switch c.Mode {
	case None:
		return nil
	case Named:
		for i, t := range tools {
			if t.Name == c.Name {
				return tools[i : i+1 : i+1]
			}
		}
		return nil
	}
	return tools
}
