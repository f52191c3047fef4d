package wire

import (
	"bytes"
	"encoding/json"

	"bendi/chat"
)

// Frames of a stream of server-sent events that carry no chunk.
const (
	Done      = "data: [DONE]\n\n" // the last frame of a whole answer
	KeepAlive = ": keep-alive\n\n" // a comment, which every client skips
)

// A Head is what an answer says about itself, the same in each of its chunks.
type Head struct {
	ID      string // such as "chatcmpl-7f3c"
	Model   string // who answers
	Created int64  // Unix seconds
}

// A Stream writes an answer as server-sent events, one data frame for each
// chunk. A Stream serves one answer and one goroutine.
type Stream struct {
	Head
	IncludeUsage bool // the usage gets a chunk of its own; other chunks say null

	begun []bool // by choice: its role was sent
	buf   bytes.Buffer
	enc   *json.Encoder
}

// Frames returns the frames that tell ev, which may be none. They are valid
// until the next call.
func (s *Stream) Frames(ev chat.Event) []byte {
	s.buf.Reset()
	d := deltaBody{Reasoning: ev.Reasoning, Refusal: ev.Refusal}
	if ev.Text != "" {
		d.Content = &ev.Text
	}
	if c := ev.ToolCall; c != nil {
		call := callDelta{Index: &c.Index, ID: c.ID}
		call.Function.Name, call.Function.Arguments = c.Name, c.Arguments
		if c.ID != "" || c.Name != "" {
			call.Type = "function"
		}
		d.ToolCalls = []callDelta{call}
	}
	says := ev.Text != "" || ev.Reasoning != "" || ev.Refusal != "" || ev.ToolCall != nil || len(ev.LogProbs) > 0

	if says || ev.Finish != "" {
		s.begin(ev.Choice)
	}
	if says {
		s.choice(choiceBody{Index: ev.Choice, Delta: d, LogProbs: logprobsOf(ev.LogProbs)})
	}
	if ev.Finish != "" {
		s.choice(choiceBody{Index: ev.Choice, Finish: &ev.Finish})
	}
	if ev.Usage != nil && s.IncludeUsage {
		usage, _ := marshal(usageOf(*ev.Usage)) // integers always marshal
		s.chunk([]choiceBody{}, usage)
	}
	return s.buf.Bytes()
}

// begin sends the role of a choice, once.
func (s *Stream) begin(choice int) {
	for len(s.begun) <= choice {
		s.begun = append(s.begun, false)
	}
	if !s.begun[choice] {
		s.begun[choice] = true
		s.choice(choiceBody{Index: choice, Delta: deltaBody{Role: chat.Assistant, Content: new("")}})
	}
}

func (s *Stream) choice(c choiceBody) {
	var usage json.RawMessage
	if s.IncludeUsage {
		usage = null
	}
	s.chunk([]choiceBody{c}, usage)
}

var null = json.RawMessage("null")

func (s *Stream) chunk(choices []choiceBody, usage json.RawMessage) {
	if s.enc == nil {
		s.enc = json.NewEncoder(&s.buf)
		s.enc.SetEscapeHTML(false)
	}
	s.buf.WriteString("data: ")
	s.enc.Encode(chunkBody{ // ends its line; a buffer never fails
		ID:      s.ID,
		Object:  "chat.completion.chunk",
		Created: s.Created,
		Model:   s.Model,
		Choices: choices,
		Usage:   usage,
	})
	s.buf.WriteByte('\n')
}

// ErrorFrame returns the frame that ends a stream which failed.
func ErrorFrame(err error) []byte {
	_, body := EncodeError(err)
	return append(append([]byte("data: "), body...), "\n\n"...)
}

type chunkBody struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created int64           `json:"created"`
	Model   string          `json:"model"`
	Choices []choiceBody    `json:"choices"`
	Usage   json.RawMessage `json:"usage,omitempty"`
}

type choiceBody struct {
	Index    int           `json:"index"`
	Delta    deltaBody     `json:"delta"`
	LogProbs *logprobsBody `json:"logprobs"`
	Finish   *chat.Finish  `json:"finish_reason"`
}

type deltaBody struct {
	Role      chat.Role   `json:"role,omitempty"`
	Content   *string     `json:"content,omitempty"`
	Reasoning string      `json:"reasoning_content,omitempty"`
	Refusal   string      `json:"refusal,omitempty"`
	ToolCalls []callDelta `json:"tool_calls,omitempty"`
}

type callDelta struct {
	Index    *int   `json:"index"`
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type usageBody struct {
	Prompt        int               `json:"prompt_tokens"`
	Completion    int               `json:"completion_tokens"`
	Total         int               `json:"total_tokens"`
	PromptDetails promptDetails     `json:"prompt_tokens_details"`
	Details       completionDetails `json:"completion_tokens_details"`
}

type promptDetails struct {
	Cached int `json:"cached_tokens"`
}

type completionDetails struct {
	Reasoning int `json:"reasoning_tokens"`
}

func usageOf(u chat.Usage) usageBody {
	return usageBody{
		Prompt:        u.PromptTokens,
		Completion:    u.CompletionTokens,
		Total:         u.PromptTokens + u.CompletionTokens,
		PromptDetails: promptDetails{u.CachedTokens},
		Details:       completionDetails{u.ReasoningTokens},
	}
}
