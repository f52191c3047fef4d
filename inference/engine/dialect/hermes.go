package dialect

import (
	"encoding/json"
	"slices"
	"strings"
)

// Hermes: one JSON object with "name" and "arguments", in any order, between
// <tool_call> and </tool_call>. Some models say "parameters", write the
// arguments as a string of JSON, or leave them out when there are none; other
// keys are passed over.
var hermesFormat = format{
	name:  "hermes",
	marks: []string{toolCall},
	tags:  []string{toolCall, toolCallEnd},
	opens: []fork{{toolCall, hermesObject}},
	call: func(name string) (string, string) {
		return toolCall + "\n{\"name\": " + quote(name) + ", \"arguments\": ", "}\n" + toolCallEnd
	},
}

func hermesObject(p *Parser) state { return p.tag(fork{"{", hermesKey}) }
func hermesKey(p *Parser) state    { return p.string((*Parser).newKey, hermesColon) }
func hermesColon(p *Parser) state  { return p.tag(fork{":", hermesValue}) }
func hermesName(p *Parser) state   { return p.string((*Parser).nameOfArgs, hermesNext) }
func hermesNext(p *Parser) state   { return p.tag(fork{",", hermesKey}, fork{"}", hermesEnd}) }

func hermesValue(p *Parser) state {
	switch p.call.key {
	case "name":
		return hermesName
	case "arguments", "parameters":
		return hermesArguments
	}
	return jsonValue(func(string) {}, hermesNext)
}

func hermesArguments(p *Parser) state {
	switch {
	case !p.skip():
		return nil
	case len(p.call.args) > 0 || p.call.sent: // twice
		return p.fail()
	case strings.HasPrefix(p.in, `"`), strings.HasPrefix(p.in, "n"):
		return hermesText()
	}
	return p.object(hermesNext)
}

// hermesText reads arguments that are null or a string.
func hermesText() state {
	var text []byte
	return jsonValue(func(s string) { text = append(text, s...) }, func(p *Parser) state {
		var object *string
		switch err := json.Unmarshal(text, &object); {
		case err != nil:
			return p.fail()
		case object == nil:
			p.arg("{}")
		case json.Valid([]byte(*object)) && strings.HasPrefix(strings.TrimLeft(*object, whiteSpace), "{"):
			p.arg(*object)
		default:
			return p.fail()
		}
		return hermesNext
	})
}

func hermesEnd(p *Parser) state {
	if p.call.name == "" {
		return p.fail()
	}
	return p.last(toolCallEnd, hermesDone)
}

func hermesDone(p *Parser) state {
	if len(p.call.args) == 0 && !p.call.sent {
		p.arg("{}")
	}
	return p.done()
}

// newKey notes a key, which must not come twice.
func (p *Parser) newKey(key string) bool {
	if slices.Contains(p.call.keys, key) {
		return false
	}
	p.call.keys = append(p.call.keys, key)
	return p.keyed(key)
}

// nameOfArgs notes the name of the tool, which the arguments may precede.
func (p *Parser) nameOfArgs(name string) bool {
	if !p.named(name) {
		return false
	}
	if len(p.call.args) > 0 {
		p.arg("")
	}
	return true
}
