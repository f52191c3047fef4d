package anthropic

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"bendi/chat"
)

// secret stands for what a user wrote: no error may show it.
const secret = "秘密-7c1f"

func TestRequestsThatAreRefused(t *testing.T) {
	const hi = `{"max_tokens":5,"messages":[{"role":"user","content":"hi"}],`
	turn := func(role, block string) string {
		return `{"max_tokens":5,"messages":[{"role":"` + role + `","content":[` + block + `]}]}`
	}
	tests := []struct{ body, param, want string }{
		{``, "", "The request body is empty; send a JSON object such as " + Example + "."},
		{`{"max_tokens":5}`, "messages", "'messages' is missing; send a JSON object such as " + Example + "."},
		{`{"max_tokens":5,"messages":[]}`, "messages", "'messages' holds 0 messages without any content; it needs at least one with some."},
		{`{"max_tokens":5,"messages":[{"role":"user","content":""}]}`, "messages", "'messages' holds 1 messages without any content; it needs at least one with some."},
		{`{"messages":[{"role":"user","content":"` + secret + `"}]}`, "max_tokens", "'max_tokens' is missing."},
		{`{"max_tokens":0,"messages":[{"role":"user","content":"hi"}]}`, "max_tokens", "'max_tokens' must be from 1 to 2147483647, but is 0."},
		{`{"max_tokens":5,"messages":[{"role":"` + secret + `","content":"hi"}]}`, "messages[0].role", `'messages[0].role' must be "user" or "assistant".`},
		{`{"max_tokens":5,"messages":[{"role":"user"}]}`, "messages[0].content", "'messages[0].content' is missing."},
		{`{"max_tokens":5,"messages":[{"role":"user","content":7}]}`, "messages[0].content", "'messages[0].content' must be a string or an array of blocks, but is a number."},
		{turn("user", `{"type":"text","text":"`+secret+`\u0000"}`), "messages[0].content[0].text", `'messages[0].content[0].text' holds a NUL character (\u0000), which no model can read; remove it.`},
		{turn("user", `{"type":"tool_use","id":"1","name":"f","input":{}}`), "messages[0].content[0].type", `'messages[0].content[0].type' is "tool_use", which only an assistant's turn can have.`},
		{turn("user", `{"type":"`+secret+`"}`), "messages[0].content[0].type", "'messages[0].content[0].type' is not supported; there are text, image, document and tool_result."},
		{turn("user", `{"type":"image","source":{"type":"file","file_id":"x"}}`), "messages[0].content[0].source.type", `'messages[0].content[0].source.type' may be "base64" or "url"; there is no store of files here.`},
		{turn("user", `{"type":"document","source":{"type":"url","url":"x"}}`), "messages[0].content[0].source.type", `'messages[0].content[0].source.type' may be "text" or "base64"; nothing is fetched from elsewhere.`},
		{turn("user", `{"type":"document","context":"`+secret+`","source":{"type":"base64","media_type":"application/pdf","data":"eA=="}}`), "messages[0].content[0].context", "'messages[0].content[0].context' has no place beside a file in the protocol that models here are asked by: say it in a block of text."},
		{turn("user", `{"type":"tool_result","content":"x"}`), "messages[0].content[0].tool_use_id", "'messages[0].content[0].tool_use_id' is missing."},
		{turn("assistant", `{"type":"tool_use","id":"1","name":"f","input":"x"}`), "messages[0].content[0].input", "'messages[0].content[0].input' must be an object, but is a string."},
		{turn("assistant", `{"type":"server_tool_use"}`), "messages[0].content[0].type", "'messages[0].content[0].type' is not supported in an assistant's turn; there are text, thinking and tool_use."},
		{hi + `"system":[{"type":"image"}]}`, "system[0].type", `'system[0].type' must be "text".`},
		{hi + `"temperature":1.5}`, "temperature", "'temperature' must be from 0 to 1, but is 1.5."},
		{hi + `"top_k":-1}`, "top_k", "'top_k' must be from 0 to 2147483647, but is -1."},
		{hi + `"stop_sequences":[""]}`, "stop_sequences[0]", "'stop_sequences[0]' must not be empty: an empty string would end every answer at once."},
		{hi + `"tools":[{"type":"web_search_20250305","name":"web_search"}]}`, "tools[0].type", "'tools[0].type' names a tool of Anthropic's servers; only tools that the client runs can be offered here: leave it out, or describe the tool with an 'input_schema'."},
		{hi + `"tool_choice":{"type":"any"}}`, "tool_choice.type", `'tool_choice.type' is "any", but 'tools' offers none.`},
		{hi + `"tool_choice":{"type":"tool","name":"` + secret + `"}}`, "tool_choice.name", "'tool_choice.name' is not the name of one of the 0 'tools'."},
		{hi + `"tool_choice":{"type":"x"}}`, "tool_choice.type", `'tool_choice.type' must be "auto", "any", "tool" or "none".`},
		{hi + `"thinking":{"type":"x"}}`, "thinking.type", `'thinking.type' must be "enabled", "adaptive" or "disabled".`},
		{hi + `"mcp_servers":[{}]}`, "mcp_servers[0]", "'mcp_servers' are not asked from here: have your client ask them, and offer their tools in 'tools'."},
		{hi + `"output_config":{"format":{"type":"xml"}}}`, "output_config.format.type", `'output_config.format.type' must be "json_schema".`},
		{hi + `"session_id":"a b"}`, "session_id", "'session_id' must be at most 128 of the letters, digits and -_.:@ and have no other character."},
	}
	for _, tt := range tests {
		call, err := DecodeRequest([]byte(tt.body))
		e, ok := errors.AsType[*chat.Error](err)
		switch {
		case !ok:
			t.Errorf("%s\n got %+v, %v", tt.body, call, err)
		case e.Kind != chat.Invalid || e.Msg != tt.want || e.Param != tt.param:
			t.Errorf("%s\n got %s: %s\nwant %s: %s", tt.body, e.Param, e.Msg, tt.param, tt.want)
		case strings.Contains(e.Error(), secret):
			t.Errorf("%s\nthe error shows what the user wrote: %v", tt.body, e)
		}
	}
}

func text(role chat.Role, texts ...string) chat.Message {
	m := chat.Message{Role: role}
	for _, s := range texts {
		m.Content = append(m.Content, textPart(s))
	}
	return m
}

func TestRequestsThatAreTaken(t *testing.T) {
	hi := []chat.Message{text(chat.User, "hi")}
	tests := []struct {
		name, body string
		want       Call
	}{
		{"the least", `{"max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`,
			Call{Request: &chat.Request{N: 1, MaxTokens: 5, Messages: hi}}},
		{"what says nothing here", `{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"},"citations":null}]}],
			"metadata":{"user_id":"u"},"service_tier":"auto","cache_control":{"type":"ephemeral"},"context_management":{"edits":[]},"container":null,"mcp_servers":[],"output_config":{"effort":"high"},"thinking":{"type":"adaptive"}}`,
			Call{Request: &chat.Request{N: 1, User: "u", MaxTokens: 5, Messages: hi}}},
		{"how to answer", `{"model":"m","session_id":"s","max_tokens":5,"messages":[{"role":"user","content":"hi"}],"stream":true,"temperature":1,"top_p":0.5,"top_k":3,
			"stop_sequences":["a"," "],"thinking":{"type":"enabled","budget_tokens":1024},"output_format":{"type":"json_schema","schema":{"type":"object"}}}`,
			Call{Stream: true, Request: &chat.Request{N: 1, Model: "m", Session: "s", MaxTokens: 5, Messages: hi, Stop: []string{"a", " "}, ThinkingBudget: new(1024),
				Sampling: chat.Sampling{Temperature: new(1.0), TopP: new(0.5), TopK: new(3)},
				Format:   &chat.Format{Type: "json_schema", Name: "output", Strict: true, Schema: json.RawMessage(`{"type":"object"}`)}}}},
		{"tools", `{"max_tokens":5,"messages":[{"role":"user","content":"hi"}],"thinking":{"type":"disabled"},
			"tools":[{"name":"f","description":"d","input_schema":{"type": "object"},"cache_control":{"type":"ephemeral"}},{"type":"custom","name":"g","input_schema":{}}],
			"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true}}`,
			Call{Request: &chat.Request{N: 1, MaxTokens: 5, Messages: hi, ThinkingBudget: new(0), ParallelToolCalls: new(false),
				Tools:      []chat.Tool{{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`)}, {Name: "g", Parameters: json.RawMessage(`{}`)}},
				ToolChoice: json.RawMessage(`{"function":{"name":"f"},"type":"function"}`)}}},
		{"a conversation", `{"max_tokens":5,"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"messages":[
			{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"text","text":"c"},
				{"type":"document","title":"t","context":"c","source":{"type":"text","media_type":"text/plain","data":"d"}},
				{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}}]},
			{"role":"assistant","content":[{"type":"thinking","thinking":"e","signature":"x"},{"type":"redacted_thinking","data":"x"},{"type":"thinking","thinking":"f"},{"type":"text","text":"g"},
				{"type":"tool_use","id":"1","name":"f","input":{"a": [1]}},{"type":"tool_use","id":"2","name":"f"},{"type":"thinking","thinking":"h"},{"type":"text","text":"i"}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"j"},{"type":"tool_result","tool_use_id":"2","is_error":true,
				"content":[{"type":"text","text":"k"},{"type":"image","source":{"type":"url","url":"http://x"}}]},{"type":"text","text":"l"}]}]}`,
			Call{Request: &chat.Request{N: 1, MaxTokens: 5, Messages: []chat.Message{
				text(chat.System, "a", "b"),
				{Role: chat.User, Content: []chat.Part{
					{Kind: chat.ImagePart, Data: json.RawMessage(`{"image_url":{"url":"data:image/png;base64,AAAA"},"type":"image_url"}`)}, textPart("c"), textPart("t\n\nc\n\nd"),
					{Kind: chat.FilePart, Data: json.RawMessage(`{"file":{"file_data":"data:application/pdf;base64,AAAA","filename":"document.pdf"},"type":"file"}`)}}},
				{Role: chat.Assistant, Reasoning: "e\n\nf", Content: []chat.Part{textPart("g")}, ToolCalls: []chat.ToolCall{{ID: "1", Name: "f", Arguments: `{"a":[1]}`}, {ID: "2", Name: "f", Arguments: "{}"}}},
				{Role: chat.Assistant, Reasoning: "h", Content: []chat.Part{textPart("i")}},
				{Role: chat.ToolRole, ToolCallID: "1", Content: []chat.Part{textPart("j")}},
				{Role: chat.ToolRole, ToolCallID: "2", Content: []chat.Part{textPart("Error: "), textPart("k"), {Kind: chat.ImagePart, Data: json.RawMessage(`{"image_url":{"url":"http://x"},"type":"image_url"}`)}}},
				text(chat.User, "l"),
			}}}},
		{"half an answer", `{"max_tokens":5,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]}`,
			Call{Request: &chat.Request{N: 1, MaxTokens: 5, Continue: true, Messages: []chat.Message{hi[0], text(chat.Assistant, "ho")}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeRequest([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got.Request, tt.want.Request)
			}
		})
	}
}

// Whatever the body, there is a request whose texts are the user's, or an error
// of kind Invalid; and what only counts takes the same.
func FuzzDecodeRequest(f *testing.F) {
	for _, s := range []string{
		Example, CountExample, `{"max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":{"c":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}]}`,
		`{"max_tokens":1,"system":"s","messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"u"}}]}],"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"any"},"thinking":{"type":"enabled","budget_tokens":9}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		call, err := DecodeRequest(body)
		if err != nil {
			if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Invalid {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		req := call.Request
		if len(req.Messages) == 0 || req.MaxTokens < 1 || req.N != 1 {
			t.Errorf("%q: %+v", body, req)
		}
		for _, m := range req.Messages {
			for _, c := range m.ToolCalls {
				if !json.Valid([]byte(c.Arguments)) || c.Arguments[0] != '{' {
					t.Errorf("%q: the arguments are %q", body, c.Arguments)
				}
			}
		}
		counted, err := DecodeCount(body)
		if err != nil {
			t.Fatalf("%q: counting fails: %v", body, err)
		}
		if counted.MaxTokens = req.MaxTokens; !reflect.DeepEqual(counted, req) {
			t.Errorf("%q: counted is %+v, asked %+v", body, counted, req)
		}
	})
}
