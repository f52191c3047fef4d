package dialect

import (
	"slices"

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

	key   string   // read last
	keys  []string // Hermes: of the object so far
	count int      // of arguments between tags so far
	bare  bool     // QwenXML: the outer tag was left out
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

// keyed notes a key.
func (p *Parser) keyed(key string) bool {
	p.call.key = key
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
func (p *Parser) done() state {
	p.send()
	return p.over()
}

// over ends the call as far as it is out. What is left of it is dropped.
func (p *Parser) over() state {
	if p.call.sent {
		p.flush()
		p.calls++
		p.touched = true
	}
	p.call = call{}
	return (*Parser).content
}

// fail gives the call up at the first byte that cannot belong to it. Its text
// so far is content; what follows may begin another call.
func (p *Parser) fail() state {
	raw := string(p.call.raw)
	next := p.over()
	if raw != "" {
		p.plain(raw)
	}
	return next
}
