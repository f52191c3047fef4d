package wire

import (
	"strings"

	"bendi/chat"
)

// A Completion adds up the events of an answer to the one body that a client
// gets who did not ask for a stream.
type Completion struct {
	Head

	choices []*choice
	usage   chat.Usage
	prompt  *chat.Filtered
	aigc    *chat.AIGC
}

type choice struct {
	text, reasoning, refusal strings.Builder
	calls                    []*call
	logs                     []chat.TokenLogProbs
	finish                   chat.Finish
	stopped                  string
	filtered                 *chat.Filtered
}

type call struct {
	id, name  string
	arguments strings.Builder
}

// Add takes the next event.
func (c *Completion) Add(ev chat.Event) {
	for len(c.choices) <= ev.Choice {
		c.choices = append(c.choices, &choice{})
	}
	ch := c.choices[ev.Choice]
	ch.text.WriteString(ev.Text)
	ch.reasoning.WriteString(ev.Reasoning)
	ch.refusal.WriteString(ev.Refusal)
	ch.logs = append(ch.logs, ev.LogProbs...)
	if d := ev.ToolCall; d != nil {
		for len(ch.calls) <= d.Index {
			ch.calls = append(ch.calls, &call{})
		}
		cl := ch.calls[d.Index]
		cl.id += d.ID
		cl.name += d.Name
		cl.arguments.WriteString(d.Arguments)
	}
	if ev.Finish != "" {
		ch.finish, ch.stopped = ev.Finish, ev.Stopped
	}
	if ev.Usage != nil {
		c.usage = *ev.Usage
	}
	if ev.AIGC != nil {
		c.aigc = ev.AIGC
	}
	switch f := ev.Filtered; {
	case f == nil:
	case f.Answer:
		ch.filtered = f
	default:
		c.prompt = f
	}
}

// Filtered returns what the filter did to the request, and to the choice that
// it did most to; nil where it did nothing.
func (c *Completion) Filtered() (request, answer *chat.Filtered) {
	for _, ch := range c.choices {
		answer = stronger(answer, ch.filtered)
	}
	return c.prompt, answer
}

// Encode returns the body of the whole answer.
func (c *Completion) Encode() ([]byte, error) {
	n := 384
	for _, ch := range c.choices {
		n += 128 + ch.text.Len() + ch.reasoning.Len() + ch.refusal.Len()
	}
	if body, ok := c.appendTo(make([]byte, 0, n+n/16)); ok {
		return body, nil
	}
	return c.encode()
}

func (c *Completion) encode() ([]byte, error) {
	body := completionBody{
		ID:      c.ID,
		Object:  "chat.completion",
		Created: c.Created,
		Model:   c.Model,
		Choices: make([]wholeChoice, len(c.choices)),
		Prompt:  promptResultsOf(c.prompt),
		AIGC:    c.aigc,
		Usage:   usageOf(c.usage),
	}
	for i, ch := range c.choices {
		m := answerBody{Role: chat.Assistant, Reasoning: ch.reasoning.String()}
		if s := ch.refusal.String(); s != "" {
			m.Refusal = &s
		}
		if s := ch.text.String(); s != "" || (m.Refusal == nil && len(ch.calls) == 0) {
			m.Content = &s
		}
		for _, cl := range ch.calls {
			m.ToolCalls = append(m.ToolCalls, callBody{cl.id, "function", callFunction{cl.name, cl.arguments.String()}})
		}
		body.Choices[i] = wholeChoice{Index: i, Message: m, LogProbs: logprobsOf(ch.logs), Finish: ch.finish, Stopped: ch.stopped, Results: resultsOf(ch.filtered)}
	}
	return marshal(body)
}

type completionBody struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created int64           `json:"created"`
	Model   string          `json:"model"`
	Choices []wholeChoice   `json:"choices"`
	Prompt  []promptResults `json:"prompt_filter_results,omitempty"`
	AIGC    *chat.AIGC      `json:"AIGC,omitempty"`
	Usage   usageBody       `json:"usage"`
}

type wholeChoice struct {
	Index    int           `json:"index"`
	Message  answerBody    `json:"message"`
	LogProbs *logprobsBody `json:"logprobs"`
	Finish   chat.Finish   `json:"finish_reason"`
	Stopped  string        `json:"stop_reason,omitempty"`
	Results  filterResults `json:"content_filter_results,omitempty"`
}

type answerBody struct {
	Role      chat.Role  `json:"role"`
	Content   *string    `json:"content"`
	Reasoning string     `json:"reasoning_content,omitempty"`
	Refusal   *string    `json:"refusal"`
	ToolCalls []callBody `json:"tool_calls,omitempty"`
}
