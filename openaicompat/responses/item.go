package responses

import (
	"encoding/json"

	"bendi/chat"
)

// Kinds of items, as on the wire.
const (
	messageKind   = "message"
	reasoningKind = "reasoning"
	callKind      = "function_call"
	outputKind    = "function_call_output"
	referenceKind = "item_reference"
)

// What the ids of items begin with.
const (
	messagePrefix   = "msg_"
	reasoningPrefix = "rs_"
	callPrefix      = "fc_"
	outputPrefix    = "fco_"
)

// Statuses.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
	failed     = "failed"
)

// An item as it is told.
type messageBody struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Role    chat.Role `json:"role"`
	Content []any     `json:"content"`
}

type reasoningBody struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Status  string `json:"status"`
	Summary []any  `json:"summary"`
	Content []any  `json:"content,omitempty"`
}

type callBody struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Status    string `json:"status"`
	CallID    string `json:"call_id"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type outputBody struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Status string `json:"status"`
	CallID string `json:"call_id"`
	Output any    `json:"output"` // a text, or parts
}

// A part of a message or of reasoning.
type textBody struct {
	Type        string    `json:"type"` // output_text
	Text        string    `json:"text"`
	Annotations []any     `json:"annotations"`
	LogProbs    []logBody `json:"logprobs"`
}

type refusalBody struct {
	Type    string `json:"type"`
	Refusal string `json:"refusal"`
}

type plainBody struct {
	Type string `json:"type"` // input_text, reasoning_text or summary_text
	Text string `json:"text"`
}

type imageBody struct {
	Type   string `json:"type"`
	URL    string `json:"image_url"`
	Detail string `json:"detail"`
}

type fileBody struct {
	Type string `json:"type"`
	Name string `json:"filename,omitempty"`
	Data string `json:"file_data,omitempty"`
}

func outputText(text string, logs []logBody) textBody {
	if logs == nil {
		logs = []logBody{}
	}
	return textBody{"output_text", text, []any{}, logs}
}

// A logBody tells the log probability of a token.
type logBody struct {
	Token   string    `json:"token"`
	LogProb float64   `json:"logprob"`
	Bytes   []int     `json:"bytes"` // numbers, where Go would write base64
	Top     []topBody `json:"top_logprobs"`
}

type topBody struct {
	Token   string  `json:"token"`
	LogProb float64 `json:"logprob"`
	Bytes   []int   `json:"bytes"`
}

func logsOf(tokens []chat.TokenLogProbs) []logBody {
	out := make([]logBody, len(tokens))
	for i, t := range tokens {
		out[i] = logBody{t.Token, t.LogProb, numbers(t.Bytes), make([]topBody, len(t.Top))}
		for j, top := range t.Top {
			out[i].Top[j] = topBody{top.Token, top.LogProb, numbers(top.Bytes)}
		}
	}
	return out
}

func numbers(b []byte) []int {
	out := make([]int, len(b))
	for i, c := range b {
		out[i] = int(c)
	}
	return out
}

// A kept item is one of a turn, with the part of a message that it is.
type kept struct {
	id    string
	body  any
	piece chat.Message
}

// inputs returns the items that messages are, which a response was asked with.
func inputs(id ID, messages []chat.Message, set *settings) []kept {
	var all []kept
	for _, m := range messages {
		all = append(all, split(m, func(prefix string) string { return id.input(prefix, len(all)) }, set, false)...)
	}
	return all
}

// outputs returns the items that a response gave.
func outputs(id ID, messages []chat.Message, status string, set *settings) []kept {
	summary := set != nil && set.Reasoning != nil && set.Reasoning.Summary != nil
	counts := make(map[string]int)
	var all []kept
	for _, m := range messages {
		all = append(all, split(m, func(prefix string) string {
			counts[prefix]++
			return id.item(prefix, counts[prefix]-1)
		}, set, summary)...)
	}
	if n := len(all); n > 0 && status != completed {
		all[n-1].body = unfinished(all[n-1].body)
	}
	return all
}

func unfinished(body any) any {
	switch b := body.(type) {
	case messageBody:
		b.Status = incomplete
		return b
	case reasoningBody:
		b.Status = incomplete
		return b
	case callBody:
		b.Status = incomplete
		return b
	}
	return body
}

// split returns the items that a message is.
func split(m chat.Message, name func(prefix string) string, set *settings, summary bool) []kept {
	var all []kept
	if m.Reasoning != "" {
		b := reasoningItem(name(reasoningPrefix), completed, m.Reasoning, summary)
		all = append(all, kept{b.ID, b, chat.Message{Role: m.Role, Reasoning: m.Reasoning}})
	}
	switch {
	case m.Role == chat.ToolRole:
		b := outputBody{name(outputPrefix), outputKind, completed, m.ToolCallID, textOrParts(m)}
		all = append(all, kept{b.ID, b, m})
	case len(m.Content) > 0:
		b := messageBody{name(messagePrefix), messageKind, completed, m.Role, partsOf(m)}
		all = append(all, kept{b.ID, b, chat.Message{Role: m.Role, Name: m.Name, Content: m.Content}})
	}
	for _, c := range m.ToolCalls {
		namespace, bare := set.parted(c.Name)
		b := callBody{name(callPrefix), callKind, completed, c.ID, namespace, bare, c.Arguments}
		all = append(all, kept{b.ID, b, chat.Message{Role: m.Role, ToolCalls: []chat.ToolCall{c}}})
	}
	return all
}

func reasoningItem(id, status, text string, summary bool) reasoningBody {
	b := reasoningBody{ID: id, Type: reasoningKind, Status: status, Summary: []any{}}
	if summary {
		b.Summary = append(b.Summary, plainBody{"summary_text", text})
	} else {
		b.Content = append(b.Content, plainBody{"reasoning_text", text})
	}
	return b
}

func textOrParts(m chat.Message) any {
	if len(m.Content) == 0 || len(m.Content) == 1 && m.Content[0].Kind == chat.TextPart {
		return m.Text()
	}
	return partsOf(m)
}

func partsOf(m chat.Message) []any {
	parts := make([]any, len(m.Content))
	for i, p := range m.Content {
		parts[i] = partOf(m.Role, p)
	}
	return parts
}

func partOf(role chat.Role, p chat.Part) any {
	switch {
	case p.Kind == chat.RefusalPart:
		return refusalBody{"refusal", p.Text}
	case p.Kind == chat.TextPart && role == chat.Assistant:
		return outputText(p.Text, nil)
	case p.Kind == chat.TextPart:
		return plainBody{"input_text", p.Text}
	}
	var data struct {
		Image struct{ URL, Detail string } `json:"image_url"`
		File  struct {
			Name string `json:"filename"`
			Data string `json:"file_data"`
		} `json:"file"`
	}
	json.Unmarshal(p.Data, &data) // it is ours, and what the filter made of it
	if p.Kind == chat.ImagePart {
		return imageBody{"input_image", data.Image.URL, data.Image.Detail}
	}
	return fileBody{"input_file", data.File.Name, data.File.Data}
}
