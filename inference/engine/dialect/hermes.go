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

func (p *Parser) hermesObject() bool {
	switch {
	case !p.skip():
		return false
	case !p.byte('{'):
		return p.fail()
	}
	return p.next((*Parser).hermesKey)
}

func (p *Parser) hermesKey() bool {
	if !p.skip() {
		return false
	}
	key, m := p.jsonString()
	switch {
	case m == partial:
		return false
	case m == no || slices.Contains(p.call.seen, key):
		return p.fail()
	}
	p.call.key = key
	p.call.seen = append(p.call.seen, key)
	return p.next((*Parser).hermesColon)
}

func (p *Parser) hermesColon() bool {
	switch {
	case !p.skip():
		return false
	case !p.byte(':'):
		return p.fail()
	}
	p.call.scan, p.call.value = jsonScanner{}, p.call.value[:0]
	switch p.call.key {
	case "name":
		return p.next((*Parser).hermesName)
	case "arguments", "parameters":
		return p.next((*Parser).hermesArguments)
	}
	return p.next((*Parser).hermesOther)
}

func (p *Parser) hermesName() bool {
	if !p.skip() {
		return false
	}
	name, m := p.jsonString()
	switch {
	case m == partial:
		return false
	case m == no || !p.named(name):
		return p.fail()
	}
	if len(p.call.args) > 0 {
		p.arg("") // they came first
	}
	return p.next((*Parser).hermesNext)
}

func (p *Parser) hermesArguments() bool {
	switch {
	case !p.skip():
		return false
	case p.in == "" || len(p.call.args) > 0 || p.call.sent:
		return p.fail()
	case p.in[0] == '{':
		return p.next((*Parser).hermesArgumentsObject)
	case p.in[0] == '"' || p.in[0] == 'n':
		return p.next((*Parser).hermesArgumentsWhole)
	}
	return p.fail()
}

func (p *Parser) hermesArgumentsObject() bool {
	switch m, bad := p.scanValue(p.arg); {
	case bad:
		return p.fail()
	case m == partial:
		return false
	}
	return p.next((*Parser).hermesNext)
}

// hermesArgumentsWhole reads arguments that are null or a string.
func (p *Parser) hermesArgumentsWhole() bool {
	switch m, bad := p.scanValue(func(s string) { p.call.value = append(p.call.value, s...) }); {
	case bad:
		return p.fail()
	case m == partial:
		return false
	}
	var text *string
	if json.Unmarshal(p.call.value, &text) != nil {
		return p.fail()
	}
	switch {
	case text == nil:
		p.arg("{}")
	case json.Valid([]byte(*text)) && strings.HasPrefix(strings.TrimLeft(*text, whiteSpace), "{"):
		p.arg(*text)
	default:
		return p.fail()
	}
	return p.next((*Parser).hermesNext)
}

func (p *Parser) hermesOther() bool {
	switch m, bad := p.scanValue(func(string) {}); {
	case bad:
		return p.fail()
	case m == partial:
		return false
	}
	return p.next((*Parser).hermesNext)
}

func (p *Parser) hermesNext() bool {
	switch {
	case !p.skip():
		return false
	case p.byte(','):
		return p.next((*Parser).hermesKey)
	case p.in != "" && p.in[0] == '}' && p.call.name != "":
		p.take(1)
		return p.next((*Parser).hermesEnd)
	}
	return p.fail()
}

func (p *Parser) hermesEnd() bool {
	if !p.skip() {
		return false
	}
	switch p.ended(toolCallEnd) {
	case partial:
		return false
	case no:
		return p.fail()
	}
	if len(p.call.args) == 0 && !p.call.sent {
		p.arg("{}")
	}
	return p.done()
}

// jsonString takes a JSON string that is no longer than a key may be.
func (p *Parser) jsonString() (string, match) {
	if p.in != "" && p.in[0] != '"' {
		return "", no
	}
	for i := 1; i < len(p.in) && i <= longestKey; i++ {
		switch p.in[i] {
		case '\\':
			i++
		case '"':
			var s string
			if json.Unmarshal([]byte(p.in[:i+1]), &s) != nil {
				return "", no
			}
			p.take(i + 1)
			return s, yes
		}
	}
	if p.final || len(p.in) > longestKey {
		return "", no
	}
	return "", partial
}
