package dialect

import (
	"crypto/rand"
	"strings"

	"bendi/chat"
)

// A Piece is a step of an answer; one of its fields is set. It maps onto
// [chat.Event].
type Piece struct {
	Text      string // content, to be appended
	Reasoning string // to be appended
	Call      *chat.ToolCallDelta
}

// Options say how an answer is to be read.
type Options struct {
	// Tools are those that the answer may call. What calls anything else is
	// content, and without tools so is everything.
	Tools []chat.Tool

	// Opened says that the prompt ends inside the reasoning; see
	// [Dialect.Opened].
	Opened bool

	// Eager passes on a call's arguments while the model writes them. Without
	// it a call is held back until it has ended, and one that turns out
	// malformed is content. That cannot be undone for a call that is out
	// already: Eager is for calls that a grammar keeps in form. Should such a
	// call break off all the same, its arguments stay unfinished and the rest
	// of the text is content.
	Eager bool

	// NewID makes the id of a call; nil: "call_" and random letters.
	NewID func() string
}

// A Parser takes an answer apart while it streams. Text may be cut anywhere,
// within a tag or a rune too. It passes on at once whatever can be no part of a
// tag; what it holds back is, at most, the beginning of a tag, white space
// that may turn out to precede one, and a call that has not ended.
//
// Reasoning is recognized at the beginning of an answer alone. It ends with
// the first ThinkEnd, and tags inside it mean nothing. After it, all text is
// content except for well-formed calls of tools that exist. A tag inside a
// Markdown code fence, inside a string or inside an argument's value is text.
// A call whose last tag is missing at the end of the text is well formed if
// what it lacks cannot change it.
//
// White space is dropped where it touches a tag on the outside of a text:
// around the reasoning, before content that reasoning or a call precedes, and
// after content that a call follows. Between two stretches of content with a
// call in between, all of it is kept.
type Parser struct {
	dialect Dialect
	tools   []chat.Tool
	schemas map[string]*schema // of tools called so far, by name
	eager   bool
	newID   func() string
	opens   []fork // the tags that begin a call; none when there are no tools

	state state
	in    string // not yet taken
	final bool   // no text follows in

	out   []Piece
	kind  kind   // of piece
	piece []byte // the last piece, which may grow until Push returns

	thinking bool   // inside the reasoning
	thought  bool   // there was reasoning, even if empty
	reasoned bool   // some of it was passed on
	wrote    bool   // content was passed on
	touched  bool   // since the last content a call has ended
	space    []byte // white space that may yet be dropped
	fence    fence
	calls    int
	call     call
}

// Parser returns a parser of one answer.
func (d Dialect) Parser(o Options) *Parser {
	p := &Parser{dialect: d, tools: o.Tools, schemas: map[string]*schema{}, eager: o.Eager, newID: o.NewID}
	if p.newID == nil {
		p.newID = func() string { return "call_" + rand.Text() }
	}
	if len(o.Tools) > 0 {
		p.opens = formats[d.Calls].opens
	}
	switch {
	case d.ThinkStart == "":
		p.state = (*Parser).content
	case o.Opened:
		p.state, p.thinking, p.thought = (*Parser).opened, true, true
	default:
		p.state = (*Parser).start
	}
	return p
}

// Push takes the next text of the answer and returns what is certain by now.
func (p *Parser) Push(text string) []Piece {
	p.in += text
	p.run()
	return p.pieces()
}

// Close ends the answer and returns what was held back. The parser is done
// then.
func (p *Parser) Close() []Piece {
	p.final = true
	p.run()
	keep := !p.touched && (p.wrote || p.calls == 0 && !p.thought)
	if p.thinking {
		keep = p.reasoned
	}
	if keep {
		p.emit(string(p.space))
	}
	p.space = nil
	return p.pieces()
}

// run goes from state to state until one waits for more text.
func (p *Parser) run() {
	for next := p.state(p); next != nil; next = p.state(p) {
		p.state = next
	}
}

// Reasoning reports whether the text so far ends inside the reasoning.
func (p *Parser) Reasoning() bool { return p.thinking }

// Calls returns the number of calls that have ended.
func (p *Parser) Calls() int { return p.calls }

// A kind is what a piece holds.
type kind uint8

const (
	content kind = iota
	reasoning
	arguments
)

// A match says whether text begins with a tag.
type match uint8

const (
	no      match = iota
	partial       // it is the beginning of the tag, and more may come
	yes
)

// begins tells whether text begins with tag.
func (p *Parser) begins(text, tag string) match {
	switch {
	case strings.HasPrefix(text, tag):
		return yes
	case !p.final && strings.HasPrefix(tag, text):
		return partial
	}
	return no
}

// search returns where something begins, or the end of text. What at says yes
// or partial to is not certain to be text.
func search(text string, at func(i int) match) (int, match) {
	for i := range len(text) {
		if m := at(i); m != no {
			return i, m
		}
	}
	return len(text), no
}

// start looks for reasoning, which white space may precede.
func (p *Parser) start() state {
	n := spaces(p.in)
	p.plain(p.in[:n])
	p.in = p.in[n:]
	switch p.begins(p.in, p.dialect.ThinkStart) {
	case partial:
		return nil
	case no:
		return (*Parser).content
	}
	p.in = p.in[len(p.dialect.ThinkStart):]
	p.space = nil
	p.thinking, p.thought = true, true
	return (*Parser).reasoning
}

// opened is where an answer begins inside the reasoning. Some models open it
// again.
func (p *Parser) opened() state {
	p.in = p.in[spaces(p.in):]
	if p.begins(p.in, p.dialect.ThinkStart) == partial {
		return nil
	}
	p.in = strings.TrimPrefix(p.in, p.dialect.ThinkStart)
	return (*Parser).reasoning
}

func (p *Parser) reasoning() state {
	i, m := search(p.in, func(i int) match {
		if p.in[i] != '<' {
			return no
		}
		return p.begins(p.in[i:], p.dialect.ThinkEnd)
	})
	p.text(p.in[:i])
	p.in = p.in[i:]
	if m != yes {
		return nil
	}
	p.in = p.in[len(p.dialect.ThinkEnd):]
	p.space = nil
	p.thinking = false
	return (*Parser).content
}

// content looks for calls.
func (p *Parser) content() state {
	if len(p.opens) == 0 {
		p.text(p.in)
		p.in = ""
		return nil
	}
	var open fork
	i, m := search(p.in, func(i int) match {
		if p.in[i] == '<' && !p.fence.inside() {
			for _, open = range p.opens {
				if m := p.begins(p.in[i:], open.tag); m != no {
					return m
				}
			}
		}
		p.fence.next(p.in[i])
		return no
	})
	p.text(p.in[:i])
	p.in = p.in[i:]
	if m != yes {
		return nil
	}
	p.call = call{}
	p.take(len(open.tag))
	return open.next
}

// plain passes on content in which no tags are looked for.
func (p *Parser) plain(s string) {
	for i := range len(s) {
		p.fence.next(s[i])
	}
	p.text(s)
}

// text passes on content or reasoning, but for white space that may have to be
// dropped.
func (p *Parser) text(s string) {
	body := strings.TrimRight(s, whiteSpace)
	space := s[len(body):]
	if body != "" {
		body = string(p.space) + body
		p.space = p.space[:0]
		if p.thinking && !p.reasoned || !p.thinking && !p.wrote && (p.thought || p.calls > 0) {
			body = strings.TrimLeft(body, whiteSpace)
		}
		p.emit(body)
	}
	if len(p.opens) == 0 && p.wrote { // no tag can follow
		p.emit(space)
		return
	}
	p.space = append(p.space, space...)
}

// emit passes on content or reasoning.
func (p *Parser) emit(s string) {
	switch {
	case s == "":
	case p.thinking:
		p.reasoned = true
		p.add(reasoning, s)
	default:
		p.wrote, p.touched = true, false
		p.add(content, s)
	}
}

// add adds to the piece at hand, or begins another.
func (p *Parser) add(kind kind, s string) {
	if p.kind != kind {
		p.flush()
		p.kind = kind
	}
	p.piece = append(p.piece, s...)
}

// flush ends the piece at hand.
func (p *Parser) flush() {
	s := string(p.piece)
	p.piece = p.piece[:0]
	switch {
	case s == "":
	case p.kind == content:
		p.out = append(p.out, Piece{Text: s})
	case p.kind == reasoning:
		p.out = append(p.out, Piece{Reasoning: s})
	case p.kind == arguments:
		p.out = append(p.out, Piece{Call: &chat.ToolCallDelta{Index: p.calls, Arguments: s}})
	}
}

// pieces returns the pieces since it was last called.
func (p *Parser) pieces() []Piece {
	p.flush()
	out := p.out
	p.out = nil
	return out
}

// whiteSpace is what may be dropped around tags: that of JSON.
const whiteSpace = " \t\r\n"

// spaces returns how many bytes of white space s begins with.
func spaces(s string) int { return len(s) - len(strings.TrimLeft(s, whiteSpace)) }
