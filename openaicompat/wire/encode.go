package wire

import (
	"bytes"
	"encoding/json"

	"bendi/chat"
)

// marshal is json.Marshal that leaves <, > and & alone.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Marshal is json.Marshal that leaves <, > and & alone, of what always can.
func Marshal(v any) []byte {
	text, err := marshal(v)
	if err != nil {
		panic(err) // a fault of ours
	}
	return text
}

// EncodeRequest writes the body that asks a server of this protocol for the
// answer to req: as a stream that ends with the usage, unless it may come as a
// whole. What DecodeRequest makes of it is req again, but for the ID, which
// travels in a header.
func EncodeRequest(req *chat.Request) ([]byte, error) {
	if body, ok := appendRequest(make([]byte, 0, roomFor(req)), req); ok {
		return body, nil
	}
	return encodeRequest(req)
}

// roomFor is about how long the body of a request is.
func roomFor(req *chat.Request) int {
	n := 256
	for i := range req.Messages {
		m := &req.Messages[i]
		n += 64 + len(m.Reasoning)
		for j := range m.Content {
			n += len(m.Content[j].Text)
		}
	}
	return n + n/16 // escapes
}

func encodeRequest(req *chat.Request) ([]byte, error) {
	body := requestBody{
		Model:             req.Model,
		Messages:          messagesOf(req.Messages),
		generation:        generationOf(req),
		Tools:             toolsOf(req.Tools),
		ToolChoice:        req.ToolChoice,
		ParallelToolCalls: req.ParallelToolCalls,
		form:              formOf(req.Format),
		LogProbs:          req.LogProbs,
		TopLogProbs:       req.TopLogProbs,
		ReasoningEffort:   req.ReasoningEffort,
		ThinkingBudget:    req.ThinkingBudget,
		Continue:          req.Continue,
		Stream:            !req.Whole,
	}
	if body.Stream {
		body.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	if req.Continue {
		body.Generate = new(false) // vLLM refuses to do both
	}
	return withExtra(body, req.Extra)
}

func messagesOf(list []chat.Message) []messageBody {
	out := make([]messageBody, len(list))
	for i, m := range list {
		out[i] = message(m)
	}
	return out
}

func toolsOf(tools []chat.Tool) []toolBody {
	var bodies []toolBody
	for _, t := range tools {
		bodies = append(bodies, toolBody{"function", functionBody(t)})
	}
	return bodies
}

func message(m chat.Message) messageBody {
	body := messageBody{
		Role:       m.Role,
		Name:       m.Name,
		Reasoning:  m.Reasoning,
		ToolCallID: m.ToolCallID,
	}
	switch {
	case len(m.Content) == 1 && m.Content[0].Kind == chat.TextPart:
		body.Content = m.Content[0].Text
	case len(m.Content) > 0:
		parts := make([]any, len(m.Content))
		for i, p := range m.Content {
			switch p.Kind {
			case chat.TextPart:
				parts[i] = textPart{p.Kind, p.Text}
			case chat.RefusalPart:
				parts[i] = refusalPart{p.Kind, p.Text}
			default:
				parts[i] = p.Data
			}
		}
		body.Content = parts
	}
	for _, c := range m.ToolCalls {
		body.ToolCalls = append(body.ToolCalls, callBody{c.ID, "function", callFunction{c.Name, c.Arguments}})
	}
	return body
}

type requestBody struct {
	Model    string        `json:"model,omitempty"`
	Messages []messageBody `json:"messages"`
	generation
	Tools             []toolBody      `json:"tools,omitempty"`
	ToolChoice        json.RawMessage `json:"tool_choice,omitempty"`
	ParallelToolCalls *bool           `json:"parallel_tool_calls,omitempty"`
	form
	LogProbs        bool           `json:"logprobs,omitempty"`
	TopLogProbs     int            `json:"top_logprobs,omitempty"`
	ReasoningEffort string         `json:"reasoning_effort,omitempty"`
	ThinkingBudget  *int           `json:"thinking_budget_tokens,omitempty"`
	Continue        bool           `json:"continue_final_message,omitempty"`
	Generate        *bool          `json:"add_generation_prompt,omitempty"`
	Stream          bool           `json:"stream"`
	StreamOptions   *streamOptions `json:"stream_options,omitempty"`
}

// generation says how an answer is generated, whatever it answers.
type generation struct {
	MaxTokens        int      `json:"max_tokens,omitempty"` // every server knows this one
	Stop             []string `json:"stop,omitempty"`
	N                int      `json:"n,omitempty"`
	Temperature      *float64 `json:"temperature,omitempty"`
	TopP             *float64 `json:"top_p,omitempty"`
	TopK             *int     `json:"top_k,omitempty"`
	MinP             *float64 `json:"min_p,omitempty"`
	FrequencyPenalty *float64 `json:"frequency_penalty,omitempty"`
	PresencePenalty  *float64 `json:"presence_penalty,omitempty"`
	samplerBody
	LogitBias map[int]float64 `json:"logit_bias,omitempty"`
	Seed      *int64          `json:"seed,omitempty"`
}

func generationOf(req *chat.Request) generation {
	g := generation{
		MaxTokens:        req.MaxTokens,
		Stop:             req.Stop,
		Temperature:      req.Sampling.Temperature,
		TopP:             req.Sampling.TopP,
		TopK:             req.Sampling.TopK,
		MinP:             req.Sampling.MinP,
		FrequencyPenalty: req.Sampling.FrequencyPenalty,
		PresencePenalty:  req.Sampling.PresencePenalty,
		samplerBody:      samplerBodyOf(req.Sampling),
		LogitBias:        req.Sampling.LogitBias,
		Seed:             req.Sampling.Seed,
	}
	if req.N > 1 {
		g.N = req.N
	}
	return g
}

// form says what bounds the text of an answer.
type form struct {
	Format  *formatBody `json:"response_format,omitempty"`
	Grammar string      `json:"grammar,omitempty"`
}

func formOf(f *chat.Format) form {
	switch {
	case f == nil:
		return form{}
	case f.Type == "grammar":
		return form{Grammar: f.Grammar}
	case f.Type == "json_schema":
		return form{Format: &formatBody{Type: f.Type, Schema: &schemaBody{f.Name, f.Schema, f.Strict}}}
	}
	return form{Format: &formatBody{Type: f.Type}}
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type messageBody struct {
	Role       chat.Role  `json:"role"`
	Name       string     `json:"name,omitempty"`
	Content    any        `json:"content"` // a string, an array of parts, or null
	Reasoning  string     `json:"reasoning_content,omitempty"`
	ToolCalls  []callBody `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type textPart struct {
	Type chat.PartKind `json:"type"`
	Text string        `json:"text"`
}

type refusalPart struct {
	Type    chat.PartKind `json:"type"`
	Refusal string        `json:"refusal"`
}

type callBody struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function callFunction `json:"function"`
}

type callFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type toolBody struct {
	Type     string       `json:"type"`
	Function functionBody `json:"function"`
}

type functionBody struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
	Strict      bool            `json:"strict,omitempty"`
}

type formatBody struct {
	Type   string      `json:"type"`
	Schema *schemaBody `json:"json_schema,omitempty"`
}

type schemaBody struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema,omitempty"`
	Strict bool            `json:"strict,omitempty"`
}
