package filter

import (
	"slices"
	"strings"
	"unicode/utf8"

	"bendi/chat"
)

// logs are log probabilities that wait until the text they belong to is out.
type logs struct {
	reasoning, content, refusal, call mark
	read                              int // of the text that all tokens up to here make
	tokens                            []chat.TokenLogProbs
}

// A mark is a place in a strand.
type mark struct {
	*strand
	at int
}

func (s *strand) mark() mark {
	if s == nil {
		return mark{}
	}
	return mark{s, s.in}
}

// isOut reports whether what stands before the mark is out.
func (m mark) isOut() bool { return m.strand == nil || m.at <= m.out }

// logs sets the log probabilities that ev is to carry: those of what is out
// with it. Of a choice that was rewritten nothing is told any more: they would
// tell what it said. Nor are likely tokens that would be rewritten themselves.
//
// The tokens are looked through as a text of their own: a backend need not send
// them with the text that they are of.
func (a *answer) logs(c *choice, ev *chat.Event) {
	if len(ev.LogProbs) > 0 {
		if c.tokens == nil {
			c.tokens = a.quiet()
		}
		for i := range ev.LogProbs {
			t := &ev.LogProbs[i].TokenLogProb
			c.tokens.write(spelt(t), false)
			c.tokens.altered = c.tokens.altered || !agrees(t)
		}
	}
	if c.altered() {
		c.logs, ev.LogProbs = nil, nil
		return
	}
	if len(ev.LogProbs) > 0 {
		c.logs = append(c.logs, logs{
			reasoning: c.reasoning.mark(), content: c.content.mark(), refusal: c.refusal.mark(), call: c.args.mark(),
			read: c.tokens.read, tokens: a.decent(ev.LogProbs),
		})
	}
	ev.LogProbs = nil
	n := 0
	for _, l := range c.logs {
		if !l.reasoning.isOut() || !l.content.isOut() || !l.refusal.isOut() || !l.call.isOut() || l.read > c.tokens.base {
			break
		}
		ev.LogProbs = append(ev.LogProbs, l.tokens...)
		n++
	}
	c.logs = c.logs[:copy(c.logs, c.logs[n:])]
}

// quiet returns an editor that nobody is told by.
func (a *answer) quiet() *editor {
	return a.plan.editor(&bench{plan: a.plan, direction: Answer, tell: func(outcome, []byte) {}})
}

// decent returns tokens without the alternatives that the policy would not let
// through.
func (a *answer) decent(tokens []chat.TokenLogProbs) []chat.TokenLogProbs {
	if a.tokens == nil {
		a.tokens = a.quiet()
	}
	copied := false
	for i := range tokens {
		top := slices.Clone(tokens[i].Top)
		top = slices.DeleteFunc(top, func(t chat.TokenLogProb) bool {
			a.tokens.reset()
			a.tokens.write(spelt(&t), true)
			return a.tokens.altered || !agrees(&t)
		})
		if len(top) < len(tokens[i].Top) {
			if !copied {
				tokens, copied = slices.Clone(tokens), true
			}
			tokens[i].Top = top
		}
	}
	return tokens
}

// spelt returns what a token is, exactly where it has bytes.
func spelt(t *chat.TokenLogProb) string {
	if len(t.Bytes) > 0 {
		return string(t.Bytes)
	}
	return t.Token
}

// agrees reports whether a token and its bytes are the same, but for what is no
// whole rune.
func agrees(t *chat.TokenLogProb) bool {
	if len(t.Bytes) == 0 || string(t.Bytes) == t.Token {
		return true
	}
	whole := func(s string) string {
		return strings.ReplaceAll(strings.ToValidUTF8(s, ""), string(utf8.RuneError), "")
	}
	return whole(string(t.Bytes)) == whole(t.Token)
}
