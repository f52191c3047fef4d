package wire

import (
	"encoding/json"

	"bendi/chat"
)

// DecodeChunk reads the data of one event of a stream, other than "[DONE]".
// A chunk may tell several events, or none: an empty delta, or one that only
// names the role, is no news.
//
// The error is a *chat.Error: what the server reported within the stream, or
// that this is no chunk. The usage comes as an event of its own. Some servers
// send it with each chunk or before the end; a Model has to hold it back.
//
// Of a delta's index that is missing, the position in the chunk takes the
// place.
func DecodeChunk(data []byte) ([]chat.Event, error) { return new(Chunks).Append(nil, data) }

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
	Index    int             `json:"index"`
	Delta    json.RawMessage `json:"delta"`
	Message  json.RawMessage `json:"message"`
	LogProbs *logprobsBody   `json:"logprobs"`
	Finish   string          `json:"finish_reason"`
	Stopped  any             `json:"stop_reason"` // a stop string; of vLLM also the number of a token
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
	var chunk struct {
		Choices []answerChoice  `json:"choices"`
		Usage   *usageBody      `json:"usage"`
		Error   json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(data, &chunk); err != nil {
		return nil, noChunk(err)
	}
	if len(chunk.Error) > 0 && string(chunk.Error) != "null" {
		return nil, DecodeError(0, data)
	}

	for i := range chunk.Choices {
		c := &chunk.Choices[i]
		var said answerPiece
		if raw := piece(c); raw != nil {
			if err := json.Unmarshal(raw, &said); err != nil {
				return nil, noChunk(err)
			}
		}
		if c.Index < 0 || c.Index >= MaxChoices {
			return nil, chat.Errorf(chat.BadBackend, "The backend sent a piece of choice %d, which nobody can have asked for.", c.Index)
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
		finish, err := finishOf(c.Finish)
		if err != nil {
			return nil, err
		}
		if finish != "" {
			stopped, _ := c.Stopped.(string)
			events = append(events, chat.Event{Choice: c.Index, Finish: finish, Stopped: stopped})
		}
	}
	if u := chunk.Usage; u != nil && !u.unknown {
		events = append(events, chat.Event{Usage: u.usage()})
	}
	return events, nil
}

func noChunk(err error) error {
	return &chat.Error{Kind: chat.BadBackend, Msg: "The backend sent an event that is not a chunk of an answer.", Err: err}
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
