package conversation

import (
	"cmp"
	"slices"
	"strings"

	"bendi/chat"
)

// An answer is what a client has been told so far.
type answer struct {
	text, reasoning, refusal strings.Builder
	calls                    []call
	finish                   chat.Finish
	backend, arm             string
	usage                    chat.Usage
	classes                  []string
	aigc                     *chat.AIGC
}

type call struct {
	id, name  string
	arguments strings.Builder
}

func (a *answer) add(ev *chat.Event) {
	a.text.WriteString(ev.Text)
	a.reasoning.WriteString(ev.Reasoning)
	a.refusal.WriteString(ev.Refusal)
	if d := ev.ToolCall; d != nil {
		for len(a.calls) <= d.Index {
			a.calls = append(a.calls, call{})
		}
		c := &a.calls[d.Index]
		c.id, c.name = cmp.Or(c.id, d.ID), cmp.Or(c.name, d.Name)
		c.arguments.WriteString(d.Arguments)
	}
	a.finish = cmp.Or(ev.Finish, a.finish)
	if a.backend == "" && ev.Backend != "" {
		a.backend, a.arm = ev.Backend, ev.Arm
	}
	if ev.Usage != nil {
		a.usage = *ev.Usage
	}
	a.aigc = cmp.Or(ev.AIGC, a.aigc)
	if ev.Filtered != nil {
		a.classes = union(a.classes, ev.Filtered.Categories)
	}
}

// message returns the answer as a message of the conversation. Of one that was
// interrupted, tool calls are left out: their arguments may not be whole. It
// reports false where there is nothing to keep.
func (a *answer) message(interrupted, reasoning bool) (chat.Message, bool) {
	m := chat.Message{Role: chat.Assistant}
	if a.text.Len() > 0 {
		m.Content = append(m.Content, chat.Part{Kind: chat.TextPart, Text: a.text.String()})
	}
	if a.refusal.Len() > 0 {
		m.Content = append(m.Content, chat.Part{Kind: chat.RefusalPart, Text: a.refusal.String()})
	}
	if reasoning {
		m.Reasoning = a.reasoning.String()
	}
	if !interrupted {
		for i := range a.calls {
			c := &a.calls[i]
			m.ToolCalls = append(m.ToolCalls, chat.ToolCall{ID: c.id, Name: c.name, Arguments: c.arguments.String()})
		}
	}
	return m, m.Content != nil || m.ToolCalls != nil
}

// union returns the names of both lists, sorted, each once.
func union(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
