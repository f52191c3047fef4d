package remote

import (
	"bendi/chat"
)

// An answer holds a server's events to the contract of [chat.Model].
type answer struct {
	finished []bool // by choice
	usage    *chat.Usage
	deltas   int // the least number of tokens that came
}

func newAnswer(n int) *answer {
	return &answer{finished: make([]bool, max(n, 1))}
}

// take notes an event, and reports whether it is to be passed on: the usage is
// kept for the end, since some servers send it with every chunk.
func (a *answer) take(ev chat.Event) (pass bool, err error) {
	if ev.Usage != nil {
		u := *ev.Usage
		u.PromptTokens, u.CachedTokens = max(u.PromptTokens, 0), max(u.CachedTokens, 0)
		u.CompletionTokens, u.ReasoningTokens = max(u.CompletionTokens, 0), max(u.ReasoningTokens, 0)
		a.usage = &u
		return false, nil
	}
	if ev.Choice < 0 || ev.Choice >= len(a.finished) {
		return false, chat.Errorf(chat.BadBackend, "the backend sent a piece of choice %d; %d were asked for", ev.Choice, len(a.finished))
	}
	if a.finished[ev.Choice] {
		return false, chat.Errorf(chat.BadBackend, "the backend went on with choice %d after it had finished it", ev.Choice)
	}
	a.finished[ev.Choice] = ev.Finish != ""
	if ev.Text != "" || ev.Reasoning != "" || ev.Refusal != "" || ev.ToolCall != nil {
		a.deltas++
	}
	return true, nil
}

// pass notes events and emits those that are to be passed on. It reports whether
// more are wanted.
func (a *answer) pass(evs []chat.Event, emit func(chat.Event) bool) (more bool, err error) {
	for _, ev := range evs {
		switch pass, err := a.take(ev); {
		case err != nil:
			return false, err
		case pass && !emit(ev):
			return false, nil
		}
	}
	return true, nil
}

// end returns the last event of the answer, or that the answer is not whole.
func (a *answer) end() (chat.Event, error) {
	for i, done := range a.finished {
		if !done {
			return chat.Event{}, chat.Errorf(chat.BadBackend, "the backend ended the stream and had not finished choice %d of %d", i, len(a.finished))
		}
	}
	if a.usage == nil {
		a.usage = &chat.Usage{CompletionTokens: a.deltas}
	}
	return chat.Event{Usage: a.usage}, nil
}
