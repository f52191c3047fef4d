package dialect

import (
	"slices"
	"strings"

	"bendi/chat"
)

// A call is what the parser knows of a call that has not ended. Until it is
// passed on it is a candidate: the raw text becomes content if it turns out to
// be no call.
type call struct {
	raw    []byte // text taken since the call began, or since the last that is out
	name   string
	schema *schema // of the tool's parameters
	args   []byte  // arguments that are not out
	sent   bool    // the first piece is out
	bare   bool    // the outer tag was left out

	key   string      // Hermes: of the value being read
	seen  []string    // Hermes: keys before it
	scan  jsonScanner // of a JSON value
	value []byte      // of a value that is needed whole
	form  valueForm   // how the value being read is written
	types types       // of that value
	count int         // of arguments so far
	fence bool        // DeepSeek V3: the arguments are in a code fence
}

// The longest name and key that the parser waits for.
const (
	longestName = 128
	longestKey  = 256
)

// begin takes the tag that a call begins with.
func (p *Parser) begin(tag string) {
	p.call = call{}
	p.take(len(tag))
	switch {
	case tag == function:
		p.call.bare = true
		p.state = (*Parser).qwenName
	case tag == dsCalls:
		p.state = (*Parser).deepSeekCalls
	case tag == dsCall:
		p.state = (*Parser).deepSeekHead
	case p.dialect.Calls == GLM:
		p.state = (*Parser).glmName
	case p.dialect.Calls == QwenXML:
		p.state = (*Parser).qwenFunction
	default:
		p.state = (*Parser).hermesObject
	}
}

// take moves n bytes of the text into the call.
func (p *Parser) take(n int) {
	p.call.raw = append(p.call.raw, p.in[:n]...)
	p.in = p.in[n:]
}

// skip takes white space, and reports whether what follows can be looked at.
func (p *Parser) skip() bool {
	p.take(spaces(p.in))
	return p.in != "" || p.final
}

// byte takes the next byte if it is c.
func (p *Parser) byte(c byte) bool {
	if p.in == "" || p.in[0] != c {
		return false
	}
	p.take(1)
	return true
}

// next makes state the next one and goes on.
func (p *Parser) next(state func(*Parser) bool) bool {
	p.state = state
	return true
}

// until takes text up to one of the bytes in stop, at most longest bytes of
// it, without the stop byte.
func (p *Parser) until(stop string, longest int) (string, match) {
	i := strings.IndexAny(p.in, stop)
	switch {
	case i > longest, i < 0 && (len(p.in) > longest || p.final):
		return "", no
	case i < 0:
		return "", partial
	}
	s := p.in[:i]
	p.take(i)
	return s, yes
}

// named notes the name of the tool and reports whether there is such a tool.
func (p *Parser) named(name string) bool {
	i := slices.IndexFunc(p.tools, func(t chat.Tool) bool { return t.Name == name })
	if i < 0 {
		return false
	}
	s := p.schemas[name]
	if s == nil {
		s = readSchema(p.tools[i].Parameters)
		p.schemas[name] = s
	}
	p.call.name, p.call.schema = name, s
	return true
}

// arg adds to the arguments of the call, and passes them on when Eager.
func (p *Parser) arg(s string) {
	c := &p.call
	c.args = append(c.args, s...)
	if p.eager && c.name != "" {
		p.send()
	}
}

// send passes on what is known of the call.
func (p *Parser) send() {
	c := &p.call
	if !c.sent {
		c.sent = true
		p.flush()
		p.out = append(p.out, Piece{Call: &chat.ToolCallDelta{Index: p.calls, ID: p.newID(), Name: c.name}})
	}
	p.add(arguments, string(c.args))
	c.args, c.raw = c.args[:0], c.raw[:0]
}

// done ends the call.
func (p *Parser) done() bool {
	p.send()
	p.flush()
	p.calls++
	p.touched = true
	p.call = call{}
	return p.next((*Parser).content)
}

// fail gives the call up at the first byte that cannot belong to it. Its text
// so far is content; what follows may begin another call.
func (p *Parser) fail() bool {
	raw := string(p.call.raw)
	if p.call.sent {
		p.flush()
		p.calls++
		p.touched = true
	}
	p.call = call{}
	if raw != "" {
		p.plain(raw)
	}
	return p.next((*Parser).content)
}

// ended reports whether the text is at tag, or so near the end of all text that
// the tag is only cut short. It takes either.
func (p *Parser) ended(tag string) match {
	if p.final && strings.HasPrefix(tag, p.in) {
		p.in = ""
		return yes
	}
	_, m := p.at(tag)
	if m == yes {
		p.take(len(tag))
	}
	return m
}

// scanValue takes the bytes of the JSON value at hand, gives them to each, and
// reports whether the value has ended. bad means that it is none.
func (p *Parser) scanValue(each func(string)) (m match, bad bool) {
	for i := range len(p.in) {
		verdict := p.call.scan.feed(p.in[i])
		if verdict == jsonMore {
			continue
		}
		if verdict == jsonLast {
			i++
		}
		s := p.in[:i]
		p.take(i)
		each(s)
		return yes, verdict == jsonBad
	}
	s := p.in
	p.take(len(s))
	each(s)
	return partial, p.final
}
