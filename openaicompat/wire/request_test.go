package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"bendi/chat"
)

// secret stands for what a user wrote: no error may show it.
const secret = "秘密-7c1f"

func TestRequestsThatAreRefused(t *testing.T) {
	const hi = `{"messages":[{"role":"user","content":"hi"}],`
	tests := []struct{ body, param, want string }{
		{`{}`, "messages", "'messages' is missing; send a JSON object such as " + ChatExample + "."},
		{`{"messages":null}`, "messages", "'messages' is missing; send a JSON object such as " + ChatExample + "."},
		{`{"messages":[]}`, "messages", "'messages' is empty; it needs at least one message."},
		{`{"messages":"` + secret + `"}`, "messages", "'messages' must be an array, but is a string."},
		{`{"messages":["` + secret + `"]}`, "messages[0]", "'messages[0]' must be an object, but is a string."},
		{`{"messages":[null]}`, "messages[0]", "'messages[0]' must be an object, but is null."},
		{`{"messages":[{"content":"` + secret + `"}]}`, "messages[0].role", "'messages[0].role' is missing."},
		{`{"messages":[{"role":"bot","content":"` + secret + `"}]}`, "messages[0].role", `'messages[0].role' must be "system", "developer", "user", "assistant" or "tool", but is "bot".`},
		{`{"messages":[{"role":"` + secret + secret + `"}]}`, "messages[0].role", `'messages[0].role' must be "system", "developer", "user", "assistant" or "tool", but is a string of 22 bytes.`},
		{`{"messages":[{"role":"function","name":"f","content":"1"}]}`, "messages[0].role", `'messages[0].role' is "function", which is no longer supported; use "tool" with a 'tool_call_id'.`},
		{`{"messages":[{"role":"user","content":{"` + secret + `":1}}]}`, "messages[0].content", "'messages[0].content' must be a string or an array of parts, but is an object."},
		{`{"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":7}]}]}`, "messages[1].content[0].text", "'messages[1].content[0].text' must be a string, but is a number."},
		{`{"messages":[{"role":"user","content":[{"type":"text"}]}]}`, "messages[0].content[0].text", "'messages[0].content[0].text' is missing."},
		{`{"messages":[{"role":"user","content":[{"type":"video"}]}]}`, "messages[0].content[0].type", `'messages[0].content[0].type' must be "text", "refusal", "image_url", "input_audio" or "file", but is "video".`},
		{`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":"` + secret + `"}]}]}`, "messages[0].content[0].image_url", "'messages[0].content[0].image_url' must be an object, but is a string."},
		{`{"messages":[{"role":"user","content":"` + secret + `\u0000"}]}`, "messages[0].content", `'messages[0].content' holds a NUL character (\u0000), which no model can read; remove it.`},
		{`{"messages":[{"role":"user","name":"\u0000","content":""}]}`, "messages[0].name", `'messages[0].name' holds a NUL character (\u0000), which no model can read; remove it.`},
		{`{"messages":[{"role":"assistant","function_call":{"name":"f"}}]}`, "messages[0].function_call", "'messages[0].function_call' is not supported. Use 'tool_calls'."},
		{`{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":{}}}]}]}`, "messages[0].tool_calls[0].function.arguments", "'messages[0].tool_calls[0].function.arguments' must be a string, but is an object."},

		{hi + `"model":7}`, "model", "'model' must be a string, but is a number."},
		{hi + `"model":"a\u0000"}`, "model", `'model' holds a NUL character (\u0000), which no model can read; remove it.`},
		{hi + `"max_tokens":-1}`, "max_tokens", "'max_tokens' must be from 1 to 2147483647, but is -1."},
		{hi + `"max_tokens":0}`, "max_tokens", "'max_tokens' must be from 1 to 2147483647, but is 0."},
		{hi + `"max_tokens":1.5}`, "max_tokens", "'max_tokens' must be an integer, but is 1.5."},
		{hi + `"max_tokens":"5"}`, "max_tokens", "'max_tokens' must be an integer, but is a string."},
		{hi + `"max_tokens":5,"max_completion_tokens":6}`, "max_tokens", "'max_tokens' is 5 and 'max_completion_tokens' is 6; send one of them."},
		{hi + `"n":1000000}`, "n", "'n' must be from 1 to 128, but is 1000000."},
		{hi + `"n":1e400}`, "n", "'n' must be from 1 to 128, but is 1e400."},
		{hi + `"n":` + strings.Repeat("9", 100) + `}`, "n", "'n' must be from 1 to 128, but is a number of 100 digits."},
		{hi + `"temperature":2.1}`, "temperature", "'temperature' must be from 0 to 2, but is 2.1."},
		{hi + `"temperature":true}`, "temperature", "'temperature' must be a number, but is a boolean."},
		{hi + `"top_p":0}`, "top_p", "'top_p' must be above 0 and at most 1, but is 0; for the likeliest token each time set 'temperature' to 0."},
		{hi + `"presence_penalty":-3}`, "presence_penalty", "'presence_penalty' must be from -2 to 2, but is -3."},
		{hi + `"logit_bias":{"` + secret + `":1}}`, "logit_bias", "'logit_bias' must map token ids to numbers; one of its keys is not a token id."},
		{hi + `"logit_bias":{"7":101}}`, "logit_bias.7", "'logit_bias.7' must be from -100 to 100, but is 101."},
		{hi + `"stop":""}`, "stop", "'stop' must not be empty: an empty string would end every answer at once."},
		{hi + `"stop":["a",""]}`, "stop[1]", "'stop[1]' must not be empty: an empty string would end every answer at once."},
		{hi + `"stop":7}`, "stop", "'stop' must be a string or an array of strings, but is a number."},
		{hi + `"stop":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"]}`, "stop", "'stop' holds 17 strings; at most 16 are allowed."},
		{hi + `"stop":"\u0000"}`, "stop", `'stop' holds a NUL character (\u0000), which no model can read; remove it.`},
		{hi + `"stream":"yes"}`, "stream", "'stream' must be a boolean, but is a string."},
		{hi + `"stream_options":{"include_usage":true}}`, "stream_options", "'stream_options' is only allowed when 'stream' is true."},
		{hi + `"top_logprobs":3}`, "top_logprobs", "'top_logprobs' needs 'logprobs' to be true."},
		{hi + `"logprobs":true,"top_logprobs":21}`, "top_logprobs", "'top_logprobs' must be from 0 to 20, but is 21."},
		{hi + `"tools":[{"type":"function"}]}`, "tools[0].function", "'tools[0].function' is missing."},
		{hi + `"tools":[{"type":"custom","custom":{}}]}`, "tools[0].type", `'tools[0].type' may be "function" alone.`},
		{hi + `"tools":[{"function":{"name":""}}]}`, "tools[0].function.name", "'tools[0].function.name' must not be empty."},
		{hi + `"tools":[{"function":{"name":"f","parameters":{"d":"\u0000"}}}]}`, "tools[0].function.parameters", `'tools[0].function.parameters' holds a NUL character (\u0000), which no model can read; remove it.`},
		{hi + `"tool_choice":"required"}`, "tool_choice", `'tool_choice' is "required", but 'tools' offers none.`},
		{hi + `"tool_choice":"` + secret + `"}`, "tool_choice", `'tool_choice' must be "none", "auto", "required" or an object that names a function.`},
		{hi + `"tool_choice":{"type":"function","function":{"name":"` + secret + `"}}}`, "tool_choice.function.name", "'tool_choice.function.name' is not the name of one of the 0 'tools'."},
		{hi + `"response_format":{"type":"` + secret + `"}}`, "response_format.type", `'response_format.type' must be "text", "json_object" or "json_schema".`},
		{hi + `"response_format":{"type":"json_schema","json_schema":{"name":"x"}}}`, "response_format.json_schema.schema", "'response_format.json_schema.schema' is missing."},
		{hi + `"modalities":["text","audio"]}`, "modalities", `'modalities' may hold "text" alone; answers are text.`},
		{hi + `"audio":{"voice":"alloy"}}`, "audio", "'audio' is not supported. Answers are text."},
		{hi + `"functions":[]}`, "functions", "'functions' is not supported. Use 'tools'."},
		{hi + `"function_call":"auto"}`, "function_call", "'function_call' is not supported. Use 'tool_choice'."},
		{hi + `"verbosity":"low"}`, "verbosity", `'verbosity' other than "medium" is not supported; ask for the length in a message, or bound it with 'max_completion_tokens'.`},
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

func TestRequestsThatAreTaken(t *testing.T) {
	hi := []chat.Message{chat.TextMessage(chat.User, "hi")}
	tests := []struct {
		name, body string
		want       Call
	}{
		{"the least", `{"messages":[{"role":"user","content":"hi"}]}`,
			Call{Request: &chat.Request{N: 1, Messages: hi}}},
		{"null is absent", `{"messages":[{"role":"user","content":"hi","name":null,"tool_calls":null}],"model":null,"n":null,"stop":null,
			"stream":null,"stream_options":null,"temperature":null,"tools":null,"tool_choice":null,"response_format":null,"audio":null,
			"functions":null,"logit_bias":null,"modalities":null,"verbosity":null,"user":null}`,
			Call{Request: &chat.Request{N: 1, Messages: hi}}},
		{"defaults that say nothing", `{"messages":[{"role":"user","content":"hi"}],"modalities":["text"],"verbosity":"medium","response_format":{"type":"text"},"stop":[],"tools":[],"logit_bias":{},"logprobs":false}`,
			Call{Request: &chat.Request{N: 1, Messages: hi}}},
		{"both names of the limit", `{"messages":[{"role":"user","content":"hi"}],"max_tokens":5.0,"max_completion_tokens":5,"n":2e0,"top_k":-1}`,
			Call{Request: &chat.Request{N: 2, Messages: hi, MaxTokens: 5, Sampling: chat.Sampling{TopK: new(0)}}}},
		{"a stream", `{"messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}`,
			Call{Request: &chat.Request{N: 1, Messages: hi}, Stream: true, IncludeUsage: true}},
		{"every role and shape of content", `{"messages":[
			{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
			{"role":"developer","content":"c"},
			{"role":"user","name":"Li","content":[{"type":"text","text":"d"},{"type":"image_url","image_url":{"url":"data:,"}}]},
			{"role":"assistant","content":null,"reasoning":"r","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
			{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"e"}]},
			{"role":"assistant","content":"","reasoning_content":"s","reasoning":"r","refusal":"no"}]}`,
			Call{Request: &chat.Request{N: 1, Messages: []chat.Message{
				{Role: chat.System, Content: []chat.Part{{Kind: chat.TextPart, Text: "a"}, {Kind: chat.TextPart, Text: "b"}}},
				chat.TextMessage(chat.Developer, "c"),
				{Role: chat.User, Name: "Li", Content: []chat.Part{{Kind: chat.TextPart, Text: "d"}, {Kind: chat.ImagePart, Data: json.RawMessage(`{"type":"image_url","image_url":{"url":"data:,"}}`)}}},
				{Role: chat.Assistant, Reasoning: "r", ToolCalls: []chat.ToolCall{{ID: "1", Name: "f", Arguments: "{}"}}},
				{Role: chat.ToolRole, ToolCallID: "1", Content: []chat.Part{{Kind: chat.TextPart, Text: "e"}}},
				{Role: chat.Assistant, Reasoning: "s", Content: []chat.Part{{Kind: chat.TextPart}, {Kind: chat.RefusalPart, Text: "no"}}},
			}}}},
		{"unknown fields are kept", `{"messages":[{"role":"user","content":"hi","cache_control":{}}],"store":true,"metadata":{"a": 1},"service_tier":"auto","prediction":{"type":"content"}}`,
			Call{Request: &chat.Request{N: 1, Messages: hi, Extra: map[string]json.RawMessage{
				"store": json.RawMessage("true"), "metadata": json.RawMessage(`{"a":1}`),
				"service_tier": json.RawMessage(`"auto"`), "prediction": json.RawMessage(`{"type":"content"}`),
			}}}},
		{"tools and a schema", `{"messages":[{"role":"user","content":"hi"}],
			"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}],
			"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,
			"response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"$schema":"x"}}}}`,
			Call{Request: &chat.Request{N: 1, Messages: hi,
				Tools:             []chat.Tool{{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`), Strict: true}},
				ToolChoice:        json.RawMessage(`{"type":"function","function":{"name":"f"}}`),
				ParallelToolCalls: new(false),
				Format:            &chat.Format{Type: "json_schema", Name: "s", Strict: true, Schema: json.RawMessage(`{"$schema":"x"}`)},
			}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeRequest([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got.Request, tt.want.Request)
			}
		})
	}
}

// A body of many small values costs little more than itself to refuse.
func TestManySmallValues(t *testing.T) {
	for _, elem := range []string{"0,", "{},", `{"role":0},`} {
		body := []byte(`{"messages":[` + strings.Repeat(elem, 1<<20/len(elem)) + `0]}`)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := DecodeRequest(body); err == nil {
			t.Fatalf("%s: no error", elem)
		}
		runtime.ReadMemStats(&after)
		if n := int(after.TotalAlloc - before.TotalAlloc); n > len(body) {
			t.Errorf("%s: %d bytes allocated for a body of %d", elem, n, len(body))
		}
	}
}

// What DecodeRequest makes of an encoded request is the request.
func checkRoundTrip(t *testing.T, req *chat.Request) {
	t.Helper()
	body, err := EncodeRequest(req)
	if err != nil {
		t.Fatalf("%+v: %v", req, err)
	}
	call, err := DecodeRequest(body)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if !reflect.DeepEqual(call.Request, req) || !call.Stream || !call.IncludeUsage {
		t.Fatalf("by way of %s\n got %+v\nwant %+v", body, call.Request, req)
	}
}

func TestRequestRoundTrip(t *testing.T) {
	for seed := range uint64(2000) {
		checkRoundTrip(t, someRequest(rand.New(rand.NewPCG(seed, 0))))
	}
}

// A body is taken or refused with a *chat.Error of kind Invalid, and what was
// taken survives being sent on.
func FuzzDecodeRequest(f *testing.F) {
	for seed := range uint64(20) {
		body, err := EncodeRequest(someRequest(rand.New(rand.NewPCG(seed, 0))))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"text","text":7}]}],"n":1e400}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		call, err := DecodeRequest(body)
		if err != nil {
			if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Invalid || e.Msg == "" {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		checkRoundTrip(t, call.Request)
	})
}

// someRequest draws a request that uses any part of the vocabulary.
func someRequest(r *rand.Rand) *chat.Request {
	words := []string{"", "a", "你好\n", "<b>&\u2028\"\\", "\t👩‍💻", "\ufffd", "data: [DONE]\n\n"}
	word := func() string { return words[r.IntN(len(words))] }
	name := func() string { return words[1+r.IntN(len(words)-1)] }
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	maybe := func() bool { return r.IntN(3) == 0 }

	req := &chat.Request{Model: word(), N: 1 + r.IntN(3)}
	if maybe() {
		req.Sampling = chat.Sampling{TypicalP: new(0.9), TopNSigma: new(1.5), RepeatPenalty: new(1.1), PenaltyWindow: new(-1), IgnoreEOS: true}
	}
	if maybe() {
		req.Sampling.DRY = &chat.DRY{Multiplier: 0.8, Base: 2, AllowedLength: r.IntN(3), Window: r.IntN(3) - 1}
		req.Sampling.XTC = &chat.XTC{Probability: 0.5, Threshold: float64(r.IntN(2)) / 10}
		req.Sampling.Mirostat = &chat.Mirostat{Tau: 3, Eta: float64(r.IntN(2)) / 10}
	}
	for range 1 + r.IntN(4) {
		roles := []chat.Role{chat.System, chat.Developer, chat.User, chat.Assistant, chat.ToolRole}
		m := chat.Message{Role: roles[r.IntN(len(roles))], Name: word(), Reasoning: word(), ToolCallID: word()}
		for range r.IntN(4) {
			parts := []chat.Part{
				{Kind: chat.TextPart, Text: word()},
				{Kind: chat.RefusalPart, Text: word()},
				{Kind: chat.ImagePart, Data: raw(`{"type":"image_url","image_url":{"url":"data:,<&"}}`)},
				{Kind: chat.AudioPart, Data: raw(`{"type":"input_audio","input_audio":{"data":"","format":"wav"}}`)},
				{Kind: chat.FilePart, Data: raw(`{"type":"file","file":{"file_id":"1"}}`)},
			}
			m.Content = append(m.Content, parts[r.IntN(len(parts))])
		}
		for range r.IntN(3) {
			m.ToolCalls = append(m.ToolCalls, chat.ToolCall{ID: word(), Name: word(), Arguments: word()})
		}
		req.Messages = append(req.Messages, m)
	}
	if maybe() {
		req.MaxTokens = 1 + r.IntN(9)
	}
	for range r.IntN(3) {
		req.Stop = append(req.Stop, name())
	}
	s := &req.Sampling
	for _, f := range []**float64{&s.Temperature, &s.TopP, &s.MinP, &s.FrequencyPenalty, &s.PresencePenalty} {
		if maybe() {
			*f = new(1 - r.Float64())
		}
	}
	if maybe() {
		s.TopK, s.Seed = new(r.IntN(9)), new(r.Int64()-r.Int64())
		s.LogitBias = map[int]float64{r.IntN(1 << 20): 200*r.Float64() - 100, 7: 0}
	}
	if maybe() {
		req.Tools = []chat.Tool{{Name: "f", Description: word(), Parameters: raw(`{"type":"object","d":"<"}`), Strict: maybe()}, {Name: name()}}
		choices := []json.RawMessage{nil, raw(`"auto"`), raw(`"required"`), raw(`{"type":"function","function":{"name":"f"}}`)}
		req.ToolChoice = choices[r.IntN(len(choices))]
		req.ParallelToolCalls = new(maybe())
	}
	if maybe() {
		formats := []*chat.Format{{Type: "json_object"}, {Type: "grammar", Grammar: "root ::= \"你\""}, {Type: "json_schema", Name: word(), Strict: maybe(), Schema: raw(`{"type":"object"}`)}}
		req.Format = formats[r.IntN(len(formats))]
	}
	if maybe() {
		req.LogProbs, req.TopLogProbs = true, r.IntN(21)
	}
	if maybe() {
		req.ReasoningEffort = word()
		req.ThinkingBudget = new(r.IntN(3))
		req.Extra = map[string]json.RawMessage{"user": raw(`"<>"`), "x-" + word(): raw(fmt.Sprint(r.IntN(9)))}
	}
	return req
}
