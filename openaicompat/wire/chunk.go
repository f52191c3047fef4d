package wire

import (
	"encoding/json"

	"bendi/chat"
)

// DecodeCompletion reads the body of an answer that was asked for as a whole,
// as one chunk that has all of it.
func DecodeCompletion(data []byte) ([]chat.Event, error) {
	if events, ok := scanAnswer(nil, data, "message"); ok {
		return events, nil
	}
	return decodeAnswer(nil, data, func(c *answerChoice) json.RawMessage { return c.Message })
}

// An answerChoice is a choice of a chunk or of a whole answer.
type answerChoice struct {
	choiceEnd
	Delta    json.RawMessage `json:"delta"`
	Message  json.RawMessage `json:"message"`
	LogProbs *logprobsBody   `json:"logprobs"`
}

// An answerPiece is what a choice says.
type answerPiece struct {
	Content   string      `json:"content"`
	Reasoning string      `json:"reasoning_content"`
	Thinking  string      `json:"reasoning"` // its name with newer servers
	Refusal   string      `json:"refusal"`
	ToolCalls []callDelta `json:"tool_calls"`
}

// decodeAnswer reads a chunk or a whole answer, in which what a choice says
// stands in piece.
func decodeAnswer(events []chat.Event, data []byte, piece func(*answerChoice) json.RawMessage) ([]chat.Event, error) {
	choices, usage, err := readChunk[answerChoice](data, "an answer")
	if err != nil {
		return nil, err
	}
	for i := range choices {
		c := &choices[i]
		var said answerPiece
		if raw := piece(c); raw != nil {
			if err := json.Unmarshal(raw, &said); err != nil {
				return nil, noChunk("an answer", err)
			}
		}
		if err := c.check(); err != nil {
			return nil, err
		}
		ev := chat.Event{Choice: c.Index, Text: said.Content, Reasoning: said.Reasoning, Refusal: said.Refusal}
		if ev.Reasoning == "" {
			ev.Reasoning = said.Thinking
		}
		ev.LogProbs = c.LogProbs.tokens()
		if ev.Text != "" || ev.Reasoning != "" || ev.Refusal != "" || ev.LogProbs != nil {
			events = append(events, ev)
		}
		for j, t := range said.ToolCalls {
			if t.Index == nil {
				t.Index = new(j)
			}
			if *t.Index < 0 || *t.Index >= maxCalls {
				return nil, chat.Errorf(chat.BadBackend, "The backend sent a piece of tool call %d; at most %d are taken.", *t.Index, maxCalls)
			}
			events = append(events, chat.Event{Choice: c.Index, ToolCall: &chat.ToolCallDelta{
				Index: *t.Index, ID: t.ID, Name: t.Function.Name, Arguments: t.Function.Arguments,
			}})
		}
		if events, err = c.appendTo(events); err != nil {
			return nil, err
		}
	}
	return usage.appendTo(events), nil
}

// readChunk reads a chunk or a whole answer of what it is said to be of, with
// choices of the type C; or the error that the backend tells in its place.
func readChunk[C any](data []byte, of string) ([]C, *usageBody, error) {
	var chunk struct {
		Choices []C             `json:"choices"`
		Usage   *usageBody      `json:"usage"`
		Error   json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(data, &chunk); err != nil {
		return nil, nil, noChunk(of, err)
	}
	if len(chunk.Error) > 0 && string(chunk.Error) != "null" {
		return nil, nil, DecodeError(0, data)
	}
	return chunk.Choices, chunk.Usage, nil
}

func noChunk(of string, err error) error {
	return &chat.Error{Kind: chat.BadBackend, Msg: "The backend sent an event that is not a chunk of " + of + ".", Err: err}
}

// A choiceEnd is which choice something is about, and why that ended.
type choiceEnd struct {
	Index   int    `json:"index"`
	Finish  string `json:"finish_reason"`
	Stopped any    `json:"stop_reason"` // a stop string; of vLLM also the number of a token
}

func (c *choiceEnd) check() error {
	if c.Index < 0 || c.Index >= MaxChoices {
		return chat.Errorf(chat.BadBackend, "The backend sent a piece of choice %d, which nobody can have asked for.", c.Index)
	}
	return nil
}

// appendTo appends the end of the choice, if it has come.
func (c *choiceEnd) appendTo(events []chat.Event) ([]chat.Event, error) {
	finish, err := finishOf(c.Finish)
	if err != nil {
		return nil, err
	}
	if finish != "" {
		stopped, _ := c.Stopped.(string)
		events = append(events, chat.Event{Choice: c.Index, Finish: finish, Stopped: stopped})
	}
	return events, nil
}

// maxCalls bounds the index of a tool call, by which its pieces are kept.
const maxCalls = 1024

// finishOf maps what servers call the end of a choice to what we call it. An
// end that was a failure is an error; one that nobody knows is a stop.
func finishOf(reason string) (chat.Finish, error) {
	switch f := chat.Finish(reason); f {
	case "", chat.Stop, chat.Length, chat.ToolCalls, chat.ContentFilter:
		return f, nil
	case "function_call":
		return chat.ToolCalls, nil
	case "error", "abort":
		return "", chat.Errorf(chat.BadBackend, "The backend broke the answer off.")
	}
	return chat.Stop, nil
}
