package conversation

import (
	"context"
	"slices"
	"unicode/utf8"

	"bendi/chat"
)

// groups returns where a conversation may be cut: at each message of the user,
// but between a tool's call and its result. The first is 0.
func groups(body []chat.Message) []int {
	called := make(map[string]int) // where, by id
	bound := make([]bool, len(body))
	for i, m := range body {
		for _, c := range m.ToolCalls {
			called[c.ID] = i
		}
		if from, ok := called[m.ToolCallID]; ok && m.Role == chat.ToolRole {
			for j := from + 1; j <= i; j++ {
				bound[j] = true
			}
		}
	}
	starts := []int{0}
	for i := 1; i < len(body); i++ {
		if body[i].Role == chat.User && !bound[i] {
			starts = append(starts, i)
		}
	}
	return starts
}

// cuts returns where a conversation may be cut: within its history, which has
// so many messages, or just behind.
func cuts(body []chat.Message, history int) []int {
	begins := groups(body)
	n := 1
	for n < len(begins) && begins[n] <= history {
		n++
	}
	return begins[:n]
}

// from returns the body without what is before an index, but for the system
// messages there, and how many messages that leaves out.
func from(body []chat.Message, start int) (rest []chat.Message, leftOut int) {
	for _, m := range body[:start] {
		if isSystem(m) {
			rest = append(rest, m)
		}
	}
	return append(rest, body[start:]...), start - len(rest)
}

// A gauge measures messages in tokens of a model.
type gauge struct {
	ctx   context.Context
	model chat.Model
	name  string
	rough bool // the model does not show its tokens: they are estimated
}

// What a message costs beside its texts, and what an image or a file is taken
// for. Templates differ; a model that still finds a request too long is asked
// again with less.
const (
	perMessage = 8
	perMedia   = 1024
)

// message returns about how many tokens a message has.
func (g *gauge) message(m chat.Message) int {
	n := perMessage + g.text(m.Text()) + g.text(m.Reasoning) + len(media(m))*perMedia
	for _, c := range m.ToolCalls {
		n += perMessage + g.text(c.Name) + g.text(c.Arguments)
	}
	return n
}

func (g *gauge) text(s string) int {
	if s == "" {
		return 0
	}
	if !g.rough {
		tokens, err := chat.Tokenize(g.ctx, g.model, &chat.TokenizeRequest{Model: g.name, Text: s, Inside: true})
		if err == nil {
			return len(tokens.Tokens)
		}
		g.rough = true
	}
	return estimate(s)
}

// estimate returns about how many tokens a text has: one for three bytes of
// ASCII, and one for any other character.
func estimate(s string) int {
	ascii := 0
	for i := range len(s) {
		if s[i] < utf8.RuneSelf {
			ascii++
		}
	}
	return (ascii+2)/3 + utf8.RuneCountInString(s) - ascii
}

// What a template may add to a message and to a request at the very most.
const (
	mostPerMessage = 32
	mostPerRequest = 256
)

// most returns more tokens than messages can have: no token is of less than a
// byte.
func most(messages []chat.Message) int {
	n := 0
	for _, m := range messages {
		n += mostPerMessage + len(m.Text()) + len(m.Reasoning) + len(media(m))*perMedia
		for _, c := range m.ToolCalls {
			n += mostPerMessage + len(c.Name) + len(c.Arguments)
		}
	}
	return n
}

// window returns the window of a model in tokens, or 0 where it is not known.
func window(m chat.Model, name string) int {
	if l, ok := m.(chat.Lister); ok {
		for _, info := range l.Models() {
			if info.ID == name {
				return info.Context
			}
		}
	}
	return 0
}

// count returns how many tokens a model makes of a request with messages, or
// false where it does not show that. Nothing is told to backends outside.
func count(ctx context.Context, model chat.Model, req *chat.Request, messages []chat.Message) (int, bool) {
	own := *req
	own.Messages, own.Inside = messages, true
	tokens, err := chat.Tokenize(ctx, model, &chat.TokenizeRequest{ID: req.ID, Model: req.Model, Chat: &own, Classes: req.Classes, Inside: true})
	if err != nil || tokens == nil {
		return 0, false
	}
	return len(tokens.Tokens), len(tokens.Tokens) > 0
}

// fitExactly does what fit does, where the model counts whole requests. The
// later the start, the fewer they are.
func fitExactly(ctx context.Context, model chat.Model, req *chat.Request, system, body []chat.Message, starts []int, budget int, share float64) (at int, ok bool) {
	fits := func(i, budget int) bool {
		rest, _ := from(body, starts[i])
		n, can := count(ctx, model, req, slices.Concat(system, rest))
		ok = can
		return can && n <= budget
	}
	if fits(0, budget) || !ok {
		return 0, ok
	}
	limit := int(float64(budget) * share)
	low, high := 1, len(starts)-1 // the last is taken in any case
	for low < high && ok {
		if mid := (low + high) / 2; fits(mid, limit) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return min(low, len(starts)-1), ok
}

// fit returns from which of the starts on, of which the first is in force, a
// conversation fits the window, with room for the answer. The starts are those
// where it may be cut. Where it has to be, it is to a share of the room.
//
// It is the last start at least, be that too long as well.
func fit(ctx context.Context, model chat.Model, req *chat.Request, system, body []chat.Message, starts []int, share float64) int {
	size := window(model, req.Model)
	if size == 0 {
		return 0 // whoever answers knows it, and says so
	}
	room := req.MaxTokens
	if room == 0 {
		room = size / 8
	}
	budget := size - room
	fixed := mostPerRequest + most(system)
	for _, t := range req.Tools {
		fixed += mostPerMessage + len(t.Name) + len(t.Description) + len(t.Parameters)
	}
	if fixed+most(body[starts[0]:]) <= budget {
		return 0
	}
	if i, ok := fitExactly(ctx, model, req, system, body, starts, budget, share); ok {
		return i
	}
	g := &gauge{ctx: ctx, model: model, name: req.Model}
	for _, m := range system {
		budget -= g.message(m)
	}
	for _, t := range req.Tools {
		budget -= perMessage + g.text(t.Name) + g.text(t.Description) + g.text(string(t.Parameters))
	}
	limit := int(float64(budget) * share)
	best, sum, end := len(starts)-1, 0, len(body)
	for i, start := range slices.Backward(starts) {
		for _, m := range body[start:end] {
			sum += g.message(m)
		}
		end = start
		if sum > budget {
			return best
		}
		if sum <= limit {
			best = i
		}
	}
	return 0
}
