package engine

import (
	"bytes"
	"errors"
	"iter"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/inference/engine/dialect"
	"bendi/inference/engine/grammar"
)

// A constraint keeps the text of a sequence to a grammar. It fails closed: a
// token is drawn only if the grammar allows it, and the turn ends only where
// the grammar does.
type constraint struct {
	state grammar.State

	// after is a text that must have gone by before the grammar applies: the
	// end of the model's reasoning. before is what came so far. Empty: the
	// grammar applies.
	after  string
	before []byte
}

// constrain returns the constraint that a request's format asks for, or nil.
// opened says that the prompt ends inside the reasoning, which stays free.
func constrain(f *chat.Format, d dialect.Dialect, opened bool) (*constraint, error) {
	if f == nil {
		return nil, nil
	}
	param, text := "response_format", ""
	var err error
	switch f.Type {
	case "json_object":
		text = grammar.AnyJSON()
	case "json_schema":
		param = "response_format.json_schema.schema"
		text, err = grammar.FromSchema(f.Schema)
	case "grammar":
		param, text = "grammar", f.Grammar
	default:
		return nil, chat.Unsupported(param, "'response_format' of another type than text, json_object and json_schema is not supported")
	}
	if err != nil {
		return nil, formatError(param, err)
	}
	return newConstraint(param, text, d, opened)
}

// newConstraint returns the constraint of a grammar in GBNF; what is wrong with
// it is the fault of the request's field param.
func newConstraint(param, gbnf string, d dialect.Dialect, opened bool) (*constraint, error) {
	g, err := grammar.Parse(gbnf)
	if err != nil {
		return nil, formatError(param, err)
	}
	c := &constraint{state: g.Start()}
	if opened {
		c.after = d.ThinkEnd
	}
	return c, nil
}

// formatError tells a client what is wrong with its schema or grammar.
func formatError(param string, err error) error {
	if e, ok := errors.AsType[*grammar.UnsupportedError](err); ok {
		return chat.Unsupported(param, "%v", e)
	}
	return chat.BadParam(param, "%v", err)
}

// clone returns a constraint for another choice.
func (c *constraint) clone() *constraint {
	if c == nil {
		return nil
	}
	own := *c
	own.before = bytes.Clone(c.before)
	return &own
}

// rule returns which tokens may come next, or nil while all may.
func (c *constraint) rule(v *vocab) rule {
	if c == nil || c.after != "" {
		return nil
	}
	return &going{c.state, v}
}

// A going is a grammar that has come to some state: the rule of what goes on.
type going struct {
	state grammar.State
	vocab *vocab
}

func (g *going) allows(token llama.Token) bool {
	if g.vocab.eog[token] {
		return g.state.Done()
	}
	piece := g.vocab.pieces[token]
	if len(piece) == 0 {
		return false // a control token would end nothing and say nothing
	}
	_, ok := g.state.Accept(piece)
	return ok
}

func (g *going) all() iter.Seq[llama.Token] {
	return func(yield func(llama.Token) bool) {
		if g.state.Done() {
			for token, end := range g.vocab.eog {
				if end && !yield(llama.Token(token)) {
					return
				}
			}
		}
		g.vocab.spelling().walk(g.state, yield)
	}
}

// take notes a token that was drawn. It reports whether the text is whole: no
// more could follow.
func (c *constraint) take(piece []byte) (whole bool) {
	if c == nil {
		return false
	}
	if c.after == "" {
		c.state, _ = c.state.Accept(piece) // which allows has allowed
		return c.state.Final()
	}
	c.before = append(c.before, piece...)
	_, rest, found := bytes.Cut(c.before, []byte(c.after))
	if !found {
		c.before = c.before[max(0, len(c.before)-len(c.after)):]
		return false
	}
	c.after, c.before = "", nil
	c.state, _ = c.state.Accept(bytes.TrimLeft(rest, " \t\r\n")) // if it does not, nothing will be allowed
	return false
}
