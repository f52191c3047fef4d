package anthropic

import (
	"bytes"
	"encoding/json"
	"strings"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// An answer is the blocks of a message, as far as they have come. The streamed
// and the whole answer are made of the same.
type answer struct {
	blocks  []*block
	finish  chat.Finish
	stopped string
	usage   chat.Usage
	aigc    *chat.AIGC

	request, found *chat.Filtered
}

// A block is a stretch of thinking, a text, or a tool call.
type block struct {
	kind     string // as on the wire
	call     int    // index of a tool call
	id, name string // likewise
	text     strings.Builder
	looked   int // bytes of the arguments that were looked through
}

// Names of blocks.
const (
	textKind     = "text"
	thinkingKind = "thinking"
	toolKind     = "tool_use"
)

// add takes the next event.
func (a *answer) add(ev chat.Event) {
	if ev.Reasoning != "" {
		a.last(thinkingKind).text.WriteString(ev.Reasoning)
	}
	if text := ev.Text + ev.Refusal; text != "" {
		a.last(textKind).text.WriteString(text)
	}
	if d := ev.ToolCall; d != nil {
		b := a.toolCall(d.Index)
		b.id += d.ID
		b.name += d.Name
		b.text.WriteString(d.Arguments)
	}
	if ev.Finish != "" {
		a.finish, a.stopped = ev.Finish, ev.Stopped
	}
	if ev.Usage != nil {
		a.usage = *ev.Usage
	}
	if ev.AIGC != nil {
		a.aigc = ev.AIGC
	}
	switch f := ev.Filtered; {
	case f == nil:
	case f.Answer:
		a.found = f
	default:
		a.request = f
	}
}

// last returns the last block if it is of a kind, and else a new one.
func (a *answer) last(kind string) *block {
	if n := len(a.blocks); n > 0 && a.blocks[n-1].kind == kind {
		return a.blocks[n-1]
	}
	b := &block{kind: kind}
	a.blocks = append(a.blocks, b)
	return b
}

func (a *answer) toolCall(index int) *block {
	for _, b := range a.blocks {
		if b.kind == toolKind && b.call == index {
			return b
		}
	}
	b := &block{kind: toolKind, call: index}
	a.blocks = append(a.blocks, b)
	return b
}

// stopReason says in this protocol's words why the answer ended.
func (a *answer) stopReason() (reason string, sequence *string) {
	switch a.finish {
	case chat.Length:
		return "max_tokens", nil
	case chat.ToolCalls:
		return toolKind, nil
	case chat.ContentFilter:
		return "refusal", nil
	}
	if a.stopped != "" {
		return "stop_sequence", &a.stopped
	}
	return "end_turn", nil
}

// isWhole reports whether the arguments of a tool call are. They are not looked
// through again for each piece of them.
func (b *block) isWhole() bool {
	text := b.text.String()
	if len(text) == b.looked {
		return false
	}
	b.looked = len(text)
	return strings.HasSuffix(strings.TrimRight(text, " \t\r\n"), "}") && json.Valid([]byte(text))
}

// rest returns what makes a tool call's arguments whole that the answer broke
// off in.
func (b *block) rest() (string, error) {
	text := strings.TrimSpace(b.text.String())
	if text == "" {
		return "{}", nil
	}
	if text[0] == '{' {
		if rest, ok := closing(text); ok {
			return rest, nil
		}
	}
	return "", chat.Errorf(chat.BadBackend, "The model called a tool with arguments of %d bytes that are not a JSON object; ask again.", len(text))
}

// closing returns the shortest end that makes whole JSON of the beginning of
// some.
func closing(text string) (end string, ok bool) {
	var open []byte // what closes the objects and arrays that are open
	inString, escaped := false, false
	for i := range len(text) {
		switch c := text[i]; {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			open = append(open, c+2) // '}' and ']' come two behind
		case len(open) > 0 && (c == '}' || c == ']'):
			open = open[:len(open)-1]
		}
	}
	var brackets strings.Builder
	for i := len(open) - 1; i >= 0; i-- {
		brackets.WriteByte(open[i])
	}
	for _, token := range []string{"", `"`, `\"`, `0"`, `00"`, `000"`, `0000"`, "0", "e", "ue", "rue", "se", "lse", "alse", "l", "ll", "ull"} {
		for _, value := range []string{"", "null", ":null", `"":null`} {
			if end := token + value + brackets.String(); json.Valid([]byte(text + end)) {
				return end, true
			}
		}
	}
	return "", false
}

// A Message adds up the events of an answer to the one body that a client gets
// who did not ask for a stream.
type Message struct {
	wire.Head
	answer
}

// Add takes the next event.
func (m *Message) Add(ev chat.Event) { m.add(ev) }

// Filtered returns what the filter did to the request and to the answer; nil
// where it did nothing.
func (m *Message) Filtered() (request, answer *chat.Filtered) { return m.request, m.found }

// Encode returns the body of the whole answer.
func (m *Message) Encode() ([]byte, error) {
	body := messageOf(m.Head)
	for _, b := range m.blocks {
		shown, err := b.whole()
		if err != nil {
			return nil, err
		}
		body.Content = append(body.Content, shown)
	}
	reason, sequence := m.stopReason()
	body.StopReason, body.StopSequence, body.AIGC, body.Usage = &reason, sequence, m.aigc, usageOf(m.usage)
	return wire.Marshal(body), nil
}

type messageBody struct {
	ID           string     `json:"id"`
	Type         string     `json:"type"`
	Role         chat.Role  `json:"role"`
	Model        string     `json:"model"`
	Content      []any      `json:"content"`
	StopReason   *string    `json:"stop_reason"`
	StopSequence *string    `json:"stop_sequence"`
	AIGC         *chat.AIGC `json:"AIGC,omitempty"`
	Usage        usageBody  `json:"usage"`
}

func messageOf(h wire.Head) messageBody {
	return messageBody{ID: h.ID, Type: "message", Role: chat.Assistant, Model: h.Model, Content: []any{}}
}

type textBody struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type thinkingBody struct {
	Type      string `json:"type"`
	Thinking  string `json:"thinking"`
	Signature string `json:"signature"`
}

type toolBody struct {
	Type  string          `json:"type"`
	ID    string          `json:"id"`
	Name  string          `json:"name"`
	Input json.RawMessage `json:"input"`
}

// signature stands where Anthropic's servers seal their thinking. Nothing here
// reads it; clients keep it with the block, and some want one.
const signature = "bendi"

// whole is the block as it is when it has ended.
func (b *block) whole() (any, error) {
	switch b.kind {
	case textKind:
		return textBody{textKind, b.text.String()}, nil
	case thinkingKind:
		return thinkingBody{thinkingKind, b.text.String(), signature}, nil
	}
	rest, err := b.rest()
	if err != nil {
		return nil, err
	}
	var input bytes.Buffer
	if err := json.Compact(&input, []byte(b.text.String()+rest)); err != nil {
		return nil, err // cannot be: rest has seen to it
	}
	return toolBody{toolKind, b.id, b.name, input.Bytes()}, nil
}

// empty is the block as it begins.
func (b *block) empty() any {
	switch b.kind {
	case textKind:
		return textBody{Type: textKind}
	case thinkingKind:
		return thinkingBody{Type: thinkingKind}
	}
	return toolBody{toolKind, b.id, b.name, json.RawMessage("{}")}
}

// usageBody counts tokens. Those that were in the cache are not input.
type usageBody struct {
	Input   int `json:"input_tokens"`
	Created int `json:"cache_creation_input_tokens"`
	Read    int `json:"cache_read_input_tokens"`
	Output  int `json:"output_tokens"`
}

func usageOf(u chat.Usage) usageBody {
	return usageBody{Input: max(u.PromptTokens-u.CachedTokens, 0), Read: u.CachedTokens, Output: u.CompletionTokens}
}
