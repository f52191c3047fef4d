package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

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

	begun  []bool           // by choice: its role was sent
	found  []*chat.Filtered // by choice: what its next chunk tells of the filter
	prompt []promptResults  // likewise, of the request
	aigc   *chat.AIGC       // the mark that the next chunk carries
	before []byte           // of plain frames, what stands before the number of the choice
	buf    bytes.Buffer
	enc    *json.Encoder
}

// Frames returns the frames that tell ev, which may be none. They are valid
// until the next call.
func (s *Stream) Frames(ev chat.Event) []byte {
	s.buf.Reset()
	if s.isPlain(&ev) {
		return s.plain(&ev)
	}
	return s.frames(ev)
}

func (s *Stream) frames(ev chat.Event) []byte {
	s.note(ev)
	d := deltaOf(&ev)
	says := ev.Text != "" || ev.Reasoning != "" || ev.Refusal != "" || ev.ToolCall != nil || len(ev.LogProbs) > 0

	if says || ev.Finish != "" {
		s.begin(ev.Choice)
	}
	if says {
		s.choice(choiceBody{Index: ev.Choice, Delta: d, LogProbs: logprobsOf(ev.LogProbs)})
	}
	if ev.Finish != "" {
		s.choice(choiceBody{Index: ev.Choice, Finish: &ev.Finish, Stopped: ev.Stopped})
	}
	s.aigc = ev.AIGC
	if ev.Usage != nil && s.IncludeUsage {
		usage, _ := marshal(usageOf(*ev.Usage)) // integers always marshal
		s.chunk([]choiceBody{}, usage)
	} else if ev.AIGC != nil { // not every client takes a chunk without choices that it did not ask for
		s.choice(choiceBody{Index: ev.Choice})
	}
	return s.buf.Bytes()
}

// isPlain reports whether all that there is to tell is a further piece of a
// text: that of most events.
func (s *Stream) isPlain(ev *chat.Event) bool {
	return (ev.Text == "") != (ev.Reasoning == "") &&
		ev.Refusal == "" && ev.ToolCall == nil && len(ev.LogProbs) == 0 && ev.Finish == "" && ev.Stopped == "" &&
		ev.Usage == nil && ev.Filtered == nil && ev.AIGC == nil && s.prompt == nil && s.aigc == nil &&
		ev.Choice < len(s.begun) && s.begun[ev.Choice] && s.found[ev.Choice] == nil
}

// plain returns the frame of a plain event. It is what frames would write,
// without a look at what no such event has.
func (s *Stream) plain(ev *chat.Event) []byte {
	if s.before == nil {
		s.before = fmt.Appendf(nil, `data: {"id":%s,"object":"chat.completion.chunk","created":%d,"model":%s,"choices":[{"index":`,
			appendQuoted(nil, s.ID), s.Created, appendQuoted(nil, s.Model))
	}
	out := append(s.buf.AvailableBuffer(), s.before...)
	out = strconv.AppendInt(out, int64(ev.Choice), 10)
	if ev.Text != "" {
		out = appendQuoted(append(out, `,"delta":{"content":`...), ev.Text)
	} else {
		out = appendQuoted(append(out, `,"delta":{"reasoning_content":`...), ev.Reasoning)
	}
	out = append(out, `},"logprobs":null,"finish_reason":null}]`...)
	if s.IncludeUsage {
		out = append(out, `,"usage":null`...)
	}
	s.buf.Write(append(out, "}\n\n"...))
	return s.buf.Bytes()
}

func deltaOf(ev *chat.Event) deltaBody {
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
	return d
}

// note keeps what the next chunk tells of the filter.
func (s *Stream) note(ev chat.Event) {
	for len(s.begun) <= ev.Choice {
		s.begun, s.found = append(s.begun, false), append(s.found, nil)
	}
	switch f := ev.Filtered; {
	case f == nil || !f.Show:
	case f.Answer:
		s.found[ev.Choice] = f
	default:
		s.prompt = promptResultsOf(f)
	}
}

// begin sends the role of a choice, once.
func (s *Stream) begin(choice int) {
	if !s.begun[choice] {
		s.begun[choice] = true
		found := s.found[choice]
		s.found[choice] = nil // it is told with what it is about
		s.choice(choiceBody{Index: choice, Delta: deltaBody{Role: chat.Assistant, Content: new("")}})
		s.found[choice] = found
	}
}

func (s *Stream) choice(c choiceBody) {
	c.Results, s.found[c.Index] = resultsOf(s.found[c.Index]), nil
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
	body := chunkBody{
		ID:      s.ID,
		Object:  "chat.completion.chunk",
		Created: s.Created,
		Model:   s.Model,
		Choices: choices,
		Prompt:  s.prompt,
		AIGC:    s.aigc,
		Usage:   usage,
	}
	s.prompt, s.aigc = nil, nil
	s.enc.Encode(body) // ends its line; a buffer never fails
	s.buf.WriteByte('\n')
}

// ErrorFrame returns the frame that ends a stream which failed, the answer to
// the request with that id.
func ErrorFrame(err error, request string) []byte {
	_, body := EncodeError(err, request)
	return append(append([]byte("data: "), body...), "\n\n"...)
}

type chunkBody struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created int64           `json:"created"`
	Model   string          `json:"model"`
	Choices []choiceBody    `json:"choices"`
	Prompt  []promptResults `json:"prompt_filter_results,omitempty"`
	AIGC    *chat.AIGC      `json:"AIGC,omitempty"`
	Usage   json.RawMessage `json:"usage,omitempty"`
}

type choiceBody struct {
	Index    int           `json:"index"`
	Delta    deltaBody     `json:"delta"`
	LogProbs *logprobsBody `json:"logprobs"`
	Finish   *chat.Finish  `json:"finish_reason"`
	Stopped  string        `json:"stop_reason,omitempty"` // as vLLM tells it
	Results  filterResults `json:"content_filter_results,omitempty"`
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

	unknown bool // what was read makes no sense
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
