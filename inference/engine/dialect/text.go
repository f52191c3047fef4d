package dialect

// QwenXML and GLM write each argument between tags, as text. A string is
// written bare, so that only the schema tells "12" from 12; any other value is
// JSON.

// A textForm says where the text of an argument ends.
type textForm struct {
	end     string    // the tag after it,
	follow  [2]string // which one of these follows; else the tag belongs to the text
	newline bool      // a newline before the tag belongs to the form
}

// farthest is how much white space may lie between the end of an argument and
// the tag that follows.
const farthest = 64

// argument reads the argument whose key has been read.
func (p *Parser) argument(form textForm, next state) state {
	types := p.call.schema.types(p.call.key)
	separator := ""
	if p.call.count > 0 {
		separator = ", "
	}
	p.call.count++
	p.arg(separator + quote(p.call.key) + ": ")
	if types.onlyText() {
		p.arg(`"`)
		return bareString(form, next)
	}
	return wholeValue(form, types, next)
}

// bareString reads the text of a string, which is passed on as it comes in.
func bareString(form textForm, next state) state {
	return func(p *Parser) state {
		text, m := p.textPart(form)
		p.arg(escape(text))
		switch {
		case m == yes:
			p.arg(`"`)
			return next
		case p.final:
			return p.fail()
		}
		return nil
	}
}

// wholeValue reads the text of a value of which all must be known to tell what
// it is.
func wholeValue(form textForm, types types, next state) state {
	var value []byte
	return func(p *Parser) state {
		text, m := p.textPart(form)
		value = append(value, text...)
		switch {
		case m == yes:
			p.arg(types.value(string(value)))
			return next
		case p.final:
			p.arg(string(value)) // cut short, as the whole call is
			return p.fail()
		}
		return nil
	}
}

// textPart takes what certainly belongs to the text of an argument and, if
// that is all of it, the tag after it.
func (p *Parser) textPart(form textForm) (string, match) {
	n := 0
	i, m := search(p.in, func(i int) (m match) {
		if c := p.in[i]; c == '<' || c == '\n' && form.newline {
			n, m = p.textEnd(form, p.in[i:])
		}
		return m
	})
	text := p.in[:i]
	p.take(i)
	if m == yes {
		p.take(n)
	}
	return text, m
}

// textEnd tells whether s begins with the end of a text, and how long that is.
func (p *Parser) textEnd(form textForm, s string) (int, match) {
	n := 0
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
