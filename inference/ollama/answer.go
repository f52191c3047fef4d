package ollama

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/ollama/ollama/api"

	"bendi/chat"
)

// A line is one of an answer of /api/chat or /api/generate.
type line struct {
	Message struct {
		Content   string     `json:"content"`
		Thinking  string     `json:"thinking"`
		ToolCalls []toolCall `json:"tool_calls"`
	} `json:"message"`
	Response   string `json:"response"` // of /api/generate, in place of a message
	Done       bool   `json:"done"`
	DoneReason string `json:"done_reason"`
	RemoteHost string `json:"remote_host"`
	api.Metrics
}

// decode reads a line.
func decode(text []byte) (*line, error) {
	l := new(line)
	if err := json.Unmarshal(text, l); err != nil {
		return nil, &chat.Error{Kind: chat.BadBackend, Msg: "Ollama sent a line that is not of its protocol", Err: shapeOf(err)}
	}
	if l.RemoteHost != "" {
		return nil, elsewhere()
	}
	return l, nil
}

// An asking is a request that is ready to be put to the server.
type asking struct {
	body   *chatBody
	prompt int  // tokens, as counted before; 0: they were not
	single bool // at most one tool call is wanted
}

// answer asks for one choice, and emits its events until it has finished or
// emit returns false. It returns what it took, and false where it was left.
func (m *Model) answer(ctx context.Context, a asking, choice int, emit func(chat.Event) bool) (used chat.Usage, whole bool, err error) {
	calls := 0
	for raw, err := range m.stream(ctx, a.body.path(), a.body.Model, a.body, &whole) {
		if err != nil {
			return used, false, err
		}
		l, err := decode(raw)
		if err != nil {
			return used, false, err
		}
		text := l.Message.Content + l.Response
		if l.Message.Thinking != "" || text != "" {
			if !emit(chat.Event{Choice: choice, Reasoning: l.Message.Thinking, Text: text}) {
				return used, false, nil
			}
		}
		for _, c := range l.Message.ToolCalls {
			if a.single && calls > 0 {
				break // a model cannot be kept from a second call, so it is not passed on
			}
			delta, err := toolDelta(c, calls)
			if err != nil {
				return used, false, err
			}
			calls++
			if !emit(chat.Event{Choice: choice, ToolCall: delta}) {
				return used, false, nil
			}
		}
		if !l.Done {
			continue
		}
		used = chat.Usage{PromptTokens: max(l.PromptEvalCount, 0), CompletionTokens: max(l.EvalCount, 0)}
		if err := a.complete(l); err != nil {
			return used, false, err
		}
		finish, err := finish(l.DoneReason, calls > 0)
		if err != nil {
			return used, false, err
		}
		whole = true
		if !emit(chat.Event{Choice: choice, Finish: finish}) {
			return used, false, nil
		}
		return used, true, nil
	}
	return used, false, brokenOff(errNoEnd)
}

// complete returns an error where the counts of an answer show that it was not
// of the whole prompt after all. That is for servers that break their word, and
// for models that were loaded anew with another window between two requests.
func (a asking) complete(l *line) error {
	window := a.body.Options["num_ctx"].(int)
	switch {
	case l.PromptEvalCount > 0 && l.PromptEvalCount >= window:
		return tooLong(fmt.Sprintf("the messages have %d tokens or more", l.PromptEvalCount), window)
	case a.prompt > 0 && l.PromptEvalCount != a.prompt:
		return chat.Errorf(chat.BadBackend, "Ollama answered to %d tokens of the messages' %d; see whether another program uses this model with another window", l.PromptEvalCount, a.prompt)
	}
	return nil
}

// finish returns why a choice ended.
func finish(reason string, called bool) (chat.Finish, error) {
	switch {
	case reason == "stop" && called:
		return chat.ToolCalls, nil
	case reason == "stop":
		return chat.Stop, nil
	case reason == "length":
		return chat.Length, nil
	case reason == "load", reason == "unload":
		return "", chat.Errorf(chat.BadBackend, "Ollama %sed the model rather than answer", reason)
	}
	return "", chat.Errorf(chat.BadBackend, "Ollama ended its answer for a reason (%q) that is none of stop and length", cut(reason, 32))
}

// toolDelta returns a call, which Ollama sends whole, as a delta. The id is of
// our making: older servers give none.
func toolDelta(c toolCall, index int) (*chat.ToolCallDelta, error) {
	arguments := compact(c.Function.Arguments)
	switch {
	case c.Function.Name == "":
		return nil, chat.Errorf(chat.BadBackend, "Ollama sent a tool call without a name")
	case len(arguments) == 0, string(arguments) == "null":
		arguments = []byte("{}")
	case !bytes.HasPrefix(arguments, []byte("{")):
		return nil, chat.Errorf(chat.BadBackend, "Ollama sent a tool call whose arguments are no object")
	}
	return &chat.ToolCallDelta{Index: index, ID: "call_" + rand.Text(), Name: c.Function.Name, Arguments: string(arguments)}, nil
}
