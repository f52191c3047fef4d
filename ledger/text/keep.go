package text

import (
	"context"
	"iter"
	"strings"
	"sync"

	"bendi/chat"
)

type textKey struct{}

// Keep returns a Model that asks next and, at the end of each answer that was
// ranged over, gives its Text to sink, which must not block. Below it, Passed is to
// be told of the request.
func Keep(next chat.Model, route string, sink func(*Text)) chat.Model {
	return kept{next, route, sink}
}

type kept struct {
	next  chat.Model
	route string
	sink  func(*Text)
}

func (m kept) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		w := &writer{text: Text{ID: req.ID, Answer: req.AnswerID, Key: req.Principal, Route: m.route}}
		defer func() { m.sink(w.end()) }()
		for ev, err := range m.next.Chat(context.WithValue(ctx, textKey{}, w), req) {
			if err != nil {
				yield(ev, err)
				return
			}
			w.hear(ev)
			if !yield(ev, nil) {
				return
			}
		}
		w.mu.Lock()
		w.text.Whole = true
		w.mu.Unlock()
	}
}

// Passed tells what the filter let pass of a request.
func Passed(ctx context.Context, req *chat.Request) {
	if w, ok := ctx.Value(textKey{}).(*writer); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.text.ask(req)
	}
}

// A writer is a Text that is being heard.
type writer struct {
	mu      sync.Mutex // guards text: below, others may be at work
	text    Text
	choices []*choice
}

// A choice is one of the answer.
type choice struct {
	text, reasoning, refusal strings.Builder
	calls                    []*call
}

type call struct {
	name      string
	arguments strings.Builder
}

// mostChoices bounds what an event of a broken backend could make of an answer.
const mostChoices = 1 << 10

// hear notes what an event says.
func (w *writer) hear(ev chat.Event) {
	if ev.Text == "" && ev.Reasoning == "" && ev.Refusal == "" && ev.ToolCall == nil || ev.Choice < 0 || ev.Choice >= mostChoices {
		return
	}
	for len(w.choices) <= ev.Choice {
		w.choices = append(w.choices, new(choice))
	}
	c := w.choices[ev.Choice]
	c.text.WriteString(ev.Text)
	c.reasoning.WriteString(ev.Reasoning)
	c.refusal.WriteString(ev.Refusal)
	if d := ev.ToolCall; d != nil && d.Index >= 0 && d.Index < mostChoices {
		for len(c.calls) <= d.Index {
			c.calls = append(c.calls, new(call))
		}
		c.calls[d.Index].name += d.Name
		c.calls[d.Index].arguments.WriteString(d.Arguments)
	}
}

// end returns what was heard.
func (w *writer) end() *Text {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.text
	for _, c := range w.choices {
		m := Message{Text: c.text.String(), Reasoning: c.reasoning.String(), Refusal: c.refusal.String()}
		for _, d := range c.calls {
			m.Calls = append(m.Calls, Call{d.name, d.arguments.String()})
		}
		t.Choices = append(t.Choices, m)
	}
	return &t
}
