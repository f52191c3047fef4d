package ollama

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	ollamamodel "github.com/ollama/ollama/types/model"

	"bendi/chat"
)

var able = []ollamamodel.Capability{ollamamodel.CapabilityCompletion, ollamamodel.CapabilityTools, ollamamodel.CapabilityVision, ollamamodel.CapabilityThinking}

// bodyOf returns what would be sent for a request, as JSON.
func bodyOf(t *testing.T, req *chat.Request, f facts) (string, error) {
	t.Helper()
	m := dial(t, Config{Name: "near"})
	b, err := m.body(req, Offer{Model: "m"}, f)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

// What changes an answer and Ollama cannot do is refused by the name that the
// field has on the wire; what asks for nothing is not.
func TestUnsupported(t *testing.T) {
	part := func(kind chat.PartKind, data string) func(*chat.Request, *facts) {
		return func(r *chat.Request, f *facts) {
			r.Messages[0].Content = append(r.Messages[0].Content, chat.Part{Kind: kind, Data: json.RawMessage(data)})
		}
	}
	tool := []chat.Tool{{Name: "f"}}
	tests := []struct {
		name   string
		param  string // empty: it is supported
		change func(*chat.Request, *facts)
	}{
		{"plain", "", func(r *chat.Request, f *facts) {}},
		{"top_n_sigma", "top_n_sigma", func(r *chat.Request, f *facts) { r.Sampling.TopNSigma = new(1.0) }},
		{"top_n_sigma off", "", func(r *chat.Request, f *facts) { r.Sampling.TopNSigma = new(0.0) }},
		{"DRY", "dry_multiplier", func(r *chat.Request, f *facts) { r.Sampling.DRY = &chat.DRY{Multiplier: 0.8} }},
		{"DRY off", "", func(r *chat.Request, f *facts) { r.Sampling.DRY = &chat.DRY{} }},
		{"XTC", "xtc_probability", func(r *chat.Request, f *facts) {
			r.Sampling.XTC = &chat.XTC{Probability: 0.5, Threshold: 0.1}
		}},
		{"XTC off", "", func(r *chat.Request, f *facts) { r.Sampling.XTC = &chat.XTC{Probability: 0.5, Threshold: 0.6} }},
		{"Mirostat", "mirostat", func(r *chat.Request, f *facts) { r.Sampling.Mirostat = &chat.Mirostat{Tau: 5} }},
		{"logit bias", "logit_bias", func(r *chat.Request, f *facts) { r.Sampling.LogitBias = map[int]float64{1: -100} }},
		{"ignore EOS", "ignore_eos", func(r *chat.Request, f *facts) { r.Sampling.IgnoreEOS = true }},
		{"log probabilities", "logprobs", func(r *chat.Request, f *facts) { r.LogProbs = true }},
		{"a penalty of Ollama's own engine", "frequency_penalty", func(r *chat.Request, f *facts) { f.plain, r.Sampling.FrequencyPenalty = true, new(0.5) }},
		{"none of its", "", func(r *chat.Request, f *facts) {
			f.plain, r.Sampling.FrequencyPenalty, r.Sampling.RepeatPenalty = true, new(0.0), new(1.0)
		}},
		{"template variables", "chat_template_kwargs", func(r *chat.Request, f *facts) {
			r.Extra = map[string]json.RawMessage{"chat_template_kwargs": json.RawMessage(`{}`)}
		}},
		{"a model for embeddings", "model", func(r *chat.Request, f *facts) { f.abilities = []ollamamodel.Capability{"embedding"} }},

		{"tools", "", func(r *chat.Request, f *facts) { r.Tools = tool }},
		{"tools of a model without", "tools", func(r *chat.Request, f *facts) { r.Tools, f.abilities = tool, able[:1] }},
		{"calls of a model without", "messages[0]", func(r *chat.Request, f *facts) {
			f.abilities, r.Messages[0].ToolCalls = able[:1], []chat.ToolCall{{Name: "f"}}
		}},
		{"strict tools", "tools[0].function.strict", func(r *chat.Request, f *facts) { r.Tools = []chat.Tool{{Name: "f", Strict: true}} }},
		{"tools that are no schema", "tools[0].function.parameters", func(r *chat.Request, f *facts) {
			r.Tools = []chat.Tool{{Name: "f", Parameters: json.RawMessage(`{"type":"string"}`)}}
		}},
		{"the model chooses", "", func(r *chat.Request, f *facts) { r.Tools, r.ToolChoice = tool, json.RawMessage(`"auto"`) }},
		{"no call", "", func(r *chat.Request, f *facts) { r.Tools, r.ToolChoice = tool, json.RawMessage(` "none"`) }},
		{"a call", "tool_choice", func(r *chat.Request, f *facts) { r.Tools, r.ToolChoice = tool, json.RawMessage(`"required"`) }},
		{"this call", "tool_choice", func(r *chat.Request, f *facts) {
			r.Tools, r.ToolChoice = tool, json.RawMessage(`{"type":"function","function":{"name":"f"}}`)
		}},

		{"JSON", "", func(r *chat.Request, f *facts) { r.Format = &chat.Format{Type: "json_object"} }},
		{"JSON and tools", "response_format", func(r *chat.Request, f *facts) { r.Tools, r.Format = tool, &chat.Format{Type: "json_object"} }},
		{"a schema that is true", "response_format", func(r *chat.Request, f *facts) {
			r.Format = &chat.Format{Type: "json_schema", Schema: json.RawMessage(`true`)}
		}},
		{"a grammar", "response_format", func(r *chat.Request, f *facts) { r.Format = &chat.Format{Type: "grammar", Grammar: "root ::= x"} }},

		{"no reasoning", "", func(r *chat.Request, f *facts) { r.ReasoningEffort = "none" }},
		{"no reasoning of a model without", "", func(r *chat.Request, f *facts) { r.ThinkingBudget, f.abilities = new(0), able[:1] }},
		{"some effort", "reasoning_effort", func(r *chat.Request, f *facts) { r.ReasoningEffort = "low" }},
		{"some effort of a model with levels", "", func(r *chat.Request, f *facts) { r.ReasoningEffort, f.family = "low", "gptoss" }},
		{"no effort of a model with levels", "reasoning_effort", func(r *chat.Request, f *facts) { r.ReasoningEffort, f.family = "none", "gptoss" }},
		{"effort of a model without", "reasoning_effort", func(r *chat.Request, f *facts) { r.ReasoningEffort, f.abilities = "high", able[:1] }},
		{"a budget", "thinking_budget_tokens", func(r *chat.Request, f *facts) { r.ThinkingBudget = new(100) }},

		{"an image", "", part(chat.ImagePart, `{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw=="}}`)},
		{"an image by its URL", "messages[0].content[1]", part(chat.ImagePart, `{"image_url":{"url":"https://example.com/a.png"}}`)},
		{"an image from a file", "messages[0].content[1]", part(chat.ImagePart, `{"image_url":{"url":"file:///etc/passwd"}}`)},
		{"an image that is none", "messages[0].content[1]", part(chat.ImagePart, `{"image_url":{"url":"data:text/html;base64,iVBORw=="}}`)},
		{"an image of bad base64", "messages[0].content[1]", part(chat.ImagePart, `{"image_url":{"url":"data:image/png;base64,canary!"}}`)},
		{"an image for a model without", "messages[0].content[1]", func(r *chat.Request, f *facts) {
			f.abilities = able[:2]
			part(chat.ImagePart, `{"image_url":{"url":"data:image/png;base64,iVBORw=="}}`)(r, f)
		}},
		{"sound", "messages[0].content[1]", part(chat.AudioPart, `{}`)},
		{"a text that looks like an image's place", "messages[0]", func(r *chat.Request, f *facts) { r.Messages[0].Content[0].Text = "what is [img-0]?" }},
		{"such a text for a model without", "", func(r *chat.Request, f *facts) {
			f.abilities, r.Messages[0].Content[0].Text = able[:1], "what is [img-0]?"
		}},
		{"arguments that are no object", "messages[0].tool_calls[0].function.arguments", func(r *chat.Request, f *facts) {
			r.Messages[0].ToolCalls = []chat.ToolCall{{Name: "f", Arguments: "[canary]"}}
		}},
		{"a result of no call", "messages[0].tool_call_id", func(r *chat.Request, f *facts) { r.Messages[0].Role = chat.ToolRole }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, f := ask(), facts{abilities: able}
			tt.change(req, &f)
			_, err := bodyOf(t, req, f)
			e, ok := errors.AsType[*chat.Error](err)
			switch {
			case tt.param == "" && err != nil, tt.param != "" && (!ok || e.Kind != chat.Invalid || e.Param != tt.param):
				t.Errorf("got %v, want a fault of %q", err, tt.param)
			case err != nil && strings.Contains(err.Error(), "canary"):
				t.Errorf("the error shows a user's words: %v", err)
			}
		})
	}
}

func TestBody(t *testing.T) {
	req := ask()
	s := &req.Sampling
	s.Temperature, s.TopP, s.TopK, s.MinP, s.TypicalP = new(0.0), new(0.5), new(0), new(0.05), new(0.9)
	s.FrequencyPenalty, s.PresencePenalty, s.RepeatPenalty, s.PenaltyWindow = new(-1.0), new(0.25), new(1.1), new(-1)
	s.Seed = new(int64(42))
	req.Messages = []chat.Message{
		chat.TextMessage(chat.Developer, "be brief"),
		{Role: chat.User, Content: []chat.Part{
			{Kind: chat.TextPart, Text: "<a> "},
			{Kind: chat.ImagePart, Data: json.RawMessage(`{"image_url":{"url":"data:image/png;base64,` + base64.StdEncoding.EncodeToString([]byte("png")) + `"}}`)},
			{Kind: chat.TextPart, Text: "b"},
		}},
		{Role: chat.Assistant, Reasoning: "hm", ToolCalls: []chat.ToolCall{
			{ID: "1", Name: "f", Arguments: `{"z": 12345678901234567890, "a": "x"}`}, {ID: "2", Name: "g", Arguments: ""},
		}},
		{Role: chat.ToolRole, ToolCallID: "2", Content: []chat.Part{{Kind: chat.TextPart, Text: "two"}}},
		{Role: chat.ToolRole, ToolCallID: "1", Content: []chat.Part{{Kind: chat.TextPart, Text: "one"}}},
	}
	req.Format = &chat.Format{Type: "json_schema", Schema: json.RawMessage(`{ "type": "object" }`)}
	got, err := bodyOf(t, req, facts{abilities: able, exact: true})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"model":"m","messages":[{"role":"system","content":"be brief"},` +
		`{"role":"user","content":"\u003ca\u003e b","images":["cG5n"]},` +
		`{"role":"assistant","content":"","thinking":"hm","tool_calls":[` +
		`{"id":"1","function":{"name":"f","arguments":{"z":12345678901234567890,"a":"x"}}},` +
		`{"id":"2","function":{"index":1,"name":"g","arguments":{}}}]},` +
		`{"role":"tool","content":"one","tool_name":"f","tool_call_id":"1"},` +
		`{"role":"tool","content":"two","tool_name":"g","tool_call_id":"2"}],` +
		`"format":{"type":"object"},"think":true,` +
		`"options":{"frequency_penalty":-1,"min_p":0.05,"num_ctx":4096,"presence_penalty":0.25,"repeat_last_n":-1,"repeat_penalty":1.1,"seed":42,"temperature":0,"top_k":0,"top_p":0.5,"typical_p":0.9},` +
		`"stream":true,"truncate":false,"shift":false}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What Ollama's type of a tool holds is sent as it is; the rest stands in the
// descriptions, so that the model knows it.
func TestTool(t *testing.T) {
	tests := []struct{ name, parameters, description, want string }{
		{"none", ``, `d`, `{"type":"object","properties":{}}`},
		{"plain", `{"type":"object","properties":{"b":{"type":"string","description":"x"},"a":{"type":["integer","null"],"enum":[1,2]}},"required":["b"],"additionalProperties":false,"$schema":"s"}`,
			`d`, `{"type":"object","properties":{"b":{"type":"string","description":"x"},"a":{"type":["integer","null"],"enum":[1,2]}},"required":["b"]}`},
		{"nested", `{"properties":{"o":{"type":"object","description":"x","properties":{"p":{"type":"number"}}}}}`,
			`d`, `{"type":"object","properties":{"o":{"type":"object","description":"x\nJSON Schema: {\"type\":\"object\",\"properties\":{\"p\":{\"type\":\"number\"}}}"}}}`},
		{"anything", `{"type":"object","properties":{"o":true}}`,
			`d`, `{"type":"object","properties":{"o":{"description":"JSON Schema: true"}}}`},
		{"a choice at the top", `{"type":"object","oneOf":[{"required":["a"]}]}`,
			`d\nJSON Schema: {\"type\":\"object\",\"oneOf\":[{\"required\":[\"a\"]}]}`, `{"type":"object"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tool(chat.Tool{Name: "f", Description: "d", Parameters: json.RawMessage(tt.parameters)})
			want := `{"type":"function","function":{"name":"f","description":"` + tt.description + `","parameters":` + tt.want + `}}`
			if err != nil || string(got) != want {
				t.Errorf("got  %s, %v\nwant %s", got, err, want)
			}
		})
	}
}

// Whatever schema a tool has, what is sent is one that Ollama's own type reads,
// or the tool is refused.
func FuzzTool(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"type":["x"],"items":{"b":1},"enum":[null]},"b":false},"required":["a"],"$defs":{}}`)
	f.Add(`{"properties":{"a":{"description":1,"type":1,"enum":2}},"items":3}`)
	f.Fuzz(func(t *testing.T, parameters string) {
		text, err := tool(chat.Tool{Name: "f", Parameters: json.RawMessage(parameters)})
		if err != nil {
			return
		}
		if err := json.Unmarshal(text, new(apiTool)); err != nil {
			t.Errorf("%s becomes %s: %v", parameters, text, err)
		}
	})
}

func TestFoldedSeeds(t *testing.T) {
	for seed, want := range map[int64]int64{0: 0, 42: 42, 1<<31 - 1: 1<<31 - 1} {
		if got := fold(seed); got != want {
			t.Errorf("fold(%d) = %d, want %d", seed, got, want)
		}
	}
	for _, seed := range []int64{-1, 1 << 31, 1 << 62, -1 << 63} {
		if got := fold(seed); got < 0 || got > 1<<31-1 {
			t.Errorf("fold(%d) = %d", seed, got)
		}
	}
}
