package dialect

import "strings"

// QwenXML and GLM write each argument between tags, as text. A string is
// written bare, so that only the schema tells "12" from 12; any other value is
// JSON.

// A valueForm says where the value of an argument ends.
type valueForm struct {
	end     string    // the tag after it,
	follow  [2]string // which one of these follows; else the tag belongs to the value
	newline bool      // a newline before the tag belongs to the form
}

// farthest is how much white space may lie between the end of a value and the
// tag that follows.
const farthest = 64

var (
	qwenValue = valueForm{end: parameterEnd, follow: [2]string{parameter, functionEnd}, newline: true}
	glmValue  = valueForm{end: argValueEnd, follow: [2]string{argKey, toolCallEnd}}
)

func (p *Parser) qwenFunction() bool {
	if !p.skip() {
		return false
	}
	switch tag, m := p.at(function); m {
	case partial:
		return false
	case yes:
		p.take(len(tag))
		return p.next((*Parser).qwenName)
	}
	return p.fail()
}

func (p *Parser) qwenName() bool {
	switch name, m := p.until(">", longestName); {
	case m == partial:
		return false
	case m == no || !p.named(strings.TrimSpace(name)):
		return p.fail()
	}
	p.take(1)
	p.arg("{")
	return p.next((*Parser).qwenParameter)
}

func (p *Parser) qwenParameter() bool {
	if !p.skip() {
		return false
	}
	switch tag, m := p.at(parameter, functionEnd); {
	case m == partial:
		return false
	case m == no:
		return p.fail()
	case tag == functionEnd:
		p.take(len(tag))
		p.arg("}")
		if p.call.bare {
			p.done()
			return p.next((*Parser).qwenBareEnd)
		}
		return p.next((*Parser).qwenEnd)
	default:
		p.take(len(tag))
		return p.next((*Parser).qwenKey)
	}
}

func (p *Parser) qwenKey() bool {
	key, m := p.until(">", longestKey)
	switch m {
	case partial:
		return false
	case no:
		return p.fail()
	}
	p.take(1)
	p.call.key = strings.TrimSpace(key)
	return p.next((*Parser).qwenValue)
}

func (p *Parser) qwenValue() bool {
	if p.in == "" && !p.final {
		return false
	}
	p.byte('\n')
	return p.beginValue(qwenValue, (*Parser).qwenParameter)
}

func (p *Parser) qwenEnd() bool {
	if !p.skip() {
		return false
	}
	switch p.ended(toolCallEnd) {
	case partial:
		return false
	case no:
		return p.fail()
	}
	return p.done()
}

// qwenBareEnd passes over the end of an outer tag whose beginning was left
// out.
func (p *Parser) qwenBareEnd() bool {
	if !p.skip() {
		return false
	}
	switch p.ended(toolCallEnd) {
	case partial:
		return false
	case no:
		return p.fail()
	}
	p.call = call{}
	return p.next((*Parser).content)
}

func (p *Parser) glmName() bool {
	if !p.skip() {
		return false
	}
	switch name, m := p.until("\n<", longestName); {
	case m == partial:
		return false
	case m == no || !p.named(strings.TrimSpace(name)):
		return p.fail()
	}
	p.arg("{")
	return p.next((*Parser).glmParameter)
}

func (p *Parser) glmParameter() bool {
	if !p.skip() {
		return false
	}
	switch tag, m := p.at(argKey, toolCallEnd); {
	case m == partial:
		return false
	case m == no:
		return p.fail()
	case tag == toolCallEnd:
		p.take(len(tag))
		p.arg("}")
		return p.done()
	default:
		p.take(len(tag))
		return p.next((*Parser).glmKey)
	}
}

func (p *Parser) glmKey() bool {
	key, m := p.until("<", longestKey)
	switch m {
	case partial:
		return false
	case no:
		return p.fail()
	}
	p.call.key = strings.TrimSpace(key)
	return p.next((*Parser).glmKeyEnd)
}

func (p *Parser) glmKeyEnd() bool {
	switch tag, m := p.at(argKeyEnd); m {
	case partial:
		return false
	case yes:
		p.take(len(tag))
		return p.next((*Parser).glmValue)
	}
	return p.fail()
}

func (p *Parser) glmValue() bool {
	if !p.skip() {
		return false
	}
	switch tag, m := p.at(argValue); m {
	case partial:
		return false
	case yes:
		p.take(len(tag))
		return p.beginValue(glmValue, (*Parser).glmParameter)
	}
	return p.fail()
}

// beginValue begins the value of the argument whose key has been read.
func (p *Parser) beginValue(form valueForm, after func(*Parser) bool) bool {
	c := &p.call
	c.form, c.types, c.value = form, c.schema.types(c.key), c.value[:0]
	separator := ""
	if c.count > 0 {
		separator = ", "
	}
	c.count++
	p.arg(separator + quote(c.key) + ": ")
	if c.types.onlyText() {
		p.arg(`"`)
	}
	return p.next(func(p *Parser) bool { return p.valueText(after) })
}

func (p *Parser) valueText(after func(*Parser) bool) bool {
	i, n, m := 0, 0, no
	for ; i < len(p.in); i++ {
		if c := p.in[i]; c == '<' || c == '\n' && p.call.form.newline {
			if n, m = p.valueEnd(p.in[i:]); m != no {
				break
			}
		}
	}
	p.valuePart(i)
	switch {
	case m == yes:
		p.take(n)
		if p.call.types.onlyText() {
			p.arg(`"`)
		} else {
			p.arg(p.call.types.value(string(p.call.value)))
		}
		return p.next(after)
	case p.final && p.call.sent && !p.call.types.onlyText():
		p.arg(string(p.call.value)) // cut short, as the whole call is
		return p.fail()
	case p.final:
		return p.fail()
	}
	return false
}

// valuePart takes n bytes of a value.
func (p *Parser) valuePart(n int) {
	s := p.in[:n]
	p.take(n)
	if p.call.types.onlyText() {
		p.arg(escape(s))
	} else {
		p.call.value = append(p.call.value, s...)
	}
}

// valueEnd tells whether s begins with the end of a value, and how long that
// is.
func (p *Parser) valueEnd(s string) (int, match) {
	form, n := &p.call.form, 0
	if s[0] == '\n' {
		n = 1
	}
	if m := p.begins(s[n:], form.end); m != yes {
		return 0, m
	}
	n += len(form.end)
	gap := spaces(s[n:])
	if gap > farthest {
		return 0, no
	}
	first, second := p.begins(s[n+gap:], form.follow[0]), p.begins(s[n+gap:], form.follow[1])
	return n, max(first, second)
}
