package ollama

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	ollamamodel "github.com/ollama/ollama/types/model"

	"bendi/chat"
)

const noTools = "this model cannot call tools"

// tools returns the tools that the model may call.
func tools(req *chat.Request, f facts) ([]json.RawMessage, error) {
	choice := string(compact(req.ToolChoice))
	switch choice {
	case "", "null", `"auto"`:
	case `"none"`:
		return nil, nil // a tool that it does not know is none that it calls
	default:
		return nil, chat.Unsupported("tool_choice", "Ollama leaves it to the model whether it calls a tool: send \"auto\" or \"none\"")
	}
	if len(req.Tools) > 0 && !f.can(ollamamodel.CapabilityTools) {
		return nil, chat.Unsupported("tools", noTools)
	}
	var out []json.RawMessage
	for i, t := range req.Tools {
		param := fmt.Sprintf("tools[%d].function", i)
		if t.Strict {
			return nil, chat.Unsupported(param+".strict", "Ollama cannot promise that arguments keep to their schema: leave 'strict' out, and check them")
		}
		text, err := tool(t)
		if err != nil {
			return nil, chat.BadParam(param+".parameters", "%v", err)
		}
		out = append(out, text)
	}
	return out, nil
}

// tool returns a tool in Ollama's words. Its type of one holds, of a JSON
// Schema, the properties with their type, items, description and enum, and
// nothing below a property; the rest would not reach the model. So that
// nothing is lost, what the type does not hold stands in the description.
func tool(t chat.Tool) (json.RawMessage, error) {
	parameters, lost, err := takes(t.Parameters)
	if err != nil {
		return nil, err
	}
	description := t.Description
	if lost {
		description = describe(description, t.Parameters)
	}
	var b bytes.Buffer
	b.WriteString(`{"type":"function","function":{"name":`)
	b.Write(quote(t.Name))
	b.WriteString(`,"description":`)
	b.Write(quote(description))
	b.WriteString(`,"parameters":`)
	b.Write(parameters)
	b.WriteString(`}}`)
	return b.Bytes(), nil
}

// What Ollama's type holds of the parameters, and of a property; and what says
// nothing that a model would have to know.
var (
	heldOfAll      = []string{"type", "$defs", "items", "required", "properties"}
	heldOfProperty = []string{"type", "items", "enum"} // and the description
	idle           = []string{"title", "$schema", "$id", "$comment", "strict"}
)

// takes returns the schema of a tool's parameters as Ollama takes it, and
// whether something at the top of it is lost.
func takes(schema json.RawMessage) (out json.RawMessage, lost bool, err error) {
	if len(schema) == 0 || string(compact(schema)) == "null" {
		return json.RawMessage(`{"type":"object","properties":{}}`), false, nil
	}
	all, err := members(schema)
	if err != nil {
		return nil, false, fmt.Errorf("is no JSON Schema of an object: %w", err)
	}
	kept, typed := []member(nil), false
	for _, m := range all {
		switch {
		case m.name == "properties":
			if m.value, err = properties(m.value); err != nil {
				return nil, false, err
			}
		case m.name == "type":
			if string(m.value) != `"object"` {
				return nil, false, fmt.Errorf("must be of the type \"object\"; a tool takes arguments by name")
			}
			typed = true
		case m.name == "required":
			if json.Unmarshal(m.value, new([]string)) != nil {
				return nil, false, fmt.Errorf("must have an array of names as 'required'")
			}
		case slices.Contains(heldOfAll, m.name):
		case slices.Contains(idle, m.name), m.name == "additionalProperties" && string(m.value) == "false":
			continue
		default:
			lost = true
			continue
		}
		kept = append(kept, m)
	}
	if !typed {
		kept = append([]member{{"type", json.RawMessage(`"object"`)}}, kept...)
	}
	return join(kept), lost, nil
}

// properties returns the properties of a schema as Ollama takes them.
func properties(schema json.RawMessage) (json.RawMessage, error) {
	all, err := members(schema)
	if err != nil {
		return nil, fmt.Errorf("must have an object as 'properties': %w", err)
	}
	for i, p := range all {
		inner, err := members(p.value)
		if err != nil { // true or false
			all[i].value = join([]member{{"description", quote(describe("", p.value))}})
			continue
		}
		kept, lost, description := []member(nil), false, ""
		for _, m := range inner {
			switch {
			case m.name == "description" && json.Unmarshal(m.value, &description) == nil: // written anew below
			case m.name == "type" && json.Unmarshal(m.value, new(string)) != nil && json.Unmarshal(m.value, new([]string)) != nil,
				m.name == "enum" && json.Unmarshal(m.value, new([]any)) != nil:
				lost = true
			case slices.Contains(heldOfProperty, m.name):
				kept = append(kept, m)
			case !slices.Contains(idle, m.name):
				lost = true
			}
		}
		if lost {
			rest := slices.DeleteFunc(inner, func(m member) bool { return m.name == "description" })
			description = describe(description, join(rest))
		}
		if description != "" {
			kept = append(kept, member{"description", quote(description)})
		}
		all[i].value = join(kept)
	}
	return join(all), nil
}

// describe puts a schema behind a description.
func describe(description string, schema json.RawMessage) string {
	if description != "" {
		description += "\n"
	}
	return description + "JSON Schema: " + string(compact(schema))
}

// A member is one of a JSON object, in its place.
type member struct {
	name  string
	value json.RawMessage
}

// members returns the members of an object in their order.
func members(object json.RawMessage) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, fmt.Errorf("it is no JSON object")
	}
	var all []member
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, shapeOf(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, shapeOf(err)
		}
		all = append(all, member{name.(string), compact(value)})
	}
	return all, nil
}

// join returns the object of members.
func join(all []member) json.RawMessage {
	b := []byte{'{'}
	for i, m := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, quote(m.name)...), ':'), m.value...)
	}
	return append(b, '}')
}

// quote returns a text as JSON.
func quote(s string) json.RawMessage {
	text, _ := json.Marshal(s) // of a string, it cannot fail
	return text
}
