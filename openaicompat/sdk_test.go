package openaicompat_test

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"bendi/chat/chattest"
	"bendi/openaicompat"
)

// sdk returns the official client of a server that plays script, for each base
// URL that a user may type in.
func sdk(t *testing.T, script chattest.Script, test func(t *testing.T, client openai.Client, model string)) {
	e := &engine{script}
	srv := httptest.NewServer(openaicompat.New(openaicompat.Options{Routes: e.routes(t), Keys: keys{"sk-test": "test"}}))
	defer srv.Close()
	for _, tt := range []struct{ base, model string }{
		{"/v1", "bendi-demo"},
		{"/v1/", "bendi-demo"},
		{"/v1/chat/pro", "bendi-demo:service"},
	} {
		t.Run(tt.base, func(t *testing.T) {
			test(t, openai.NewClient(option.WithBaseURL(srv.URL+tt.base), option.WithAPIKey("sk-test"), option.WithMaxRetries(0)), tt.model)
		})
	}
}

func question(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.DeveloperMessage("简短"), openai.UserMessage("你好")},
	}
}

func TestSDKChat(t *testing.T) {
	sdk(t, "你好，\n<世界>\n!finish length\n!usage 7 2\n", func(t *testing.T, client openai.Client, model string) {
		answer, err := client.Chat.Completions.New(t.Context(), question(model))
		if err != nil {
			t.Fatal(err)
		}
		choice := answer.Choices[0]
		if choice.Message.Content != "你好，<世界>" || choice.FinishReason != "length" || answer.Usage.TotalTokens != 9 || answer.Model != model {
			t.Errorf("got %s", answer.RawJSON())
		}
	})
}

func TestSDKStream(t *testing.T) {
	script := chattest.Script("你好，\n!sleep 40ms\n世界\n!tool 0 call_a weather\n!args 0 {\"city\":\n!args 0 \"北京\"}\n!tool 1 call_b now\n!args 1 {}\n!finish tool_calls\n!usage 7 9\n")
	sdk(t, script, func(t *testing.T, client openai.Client, model string) {
		params := question(model)
		params.StreamOptions.IncludeUsage = openai.Bool(true)
		stream := client.Chat.Completions.NewStreaming(t.Context(), params)
		var answer openai.ChatCompletionAccumulator
		for stream.Next() {
			if !answer.AddChunk(stream.Current()) {
				t.Fatalf("the accumulator refuses %s", stream.Current().RawJSON())
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		m := answer.Choices[0].Message
		if m.Content != "你好，世界" || answer.Choices[0].FinishReason != "tool_calls" || answer.Usage.CompletionTokens != 9 || answer.Model != model {
			t.Errorf("got %+v", answer.ChatCompletion)
		}
		if len(m.ToolCalls) != 2 || m.ToolCalls[0].Function.Arguments != `{"city":"北京"}` || m.ToolCalls[1].ID != "call_b" || m.ToolCalls[1].Function.Name != "now" {
			t.Errorf("the calls are %+v", m.ToolCalls)
		}
	})
}

func TestSDKErrorInStream(t *testing.T) {
	sdk(t, "Hel\n!fail bad-backend the engine died\n", func(t *testing.T, client openai.Client, model string) {
		stream := client.Chat.Completions.NewStreaming(t.Context(), question(model))
		for stream.Next() {
		}
		if err := stream.Err(); err == nil || !strings.Contains(err.Error(), "the engine died") {
			t.Errorf("got %v", err)
		}
	})
}

func TestSDKErrors(t *testing.T) {
	sdk(t, "!fail unavailable the engine is busy\n", func(t *testing.T, client openai.Client, model string) {
		tests := []struct {
			name   string
			params func(p *openai.ChatCompletionNewParams)
			opts   []option.RequestOption
			status int
			code   string
			param  string
		}{
			{"unavailable", nil, nil, 503, "", ""},
			{"unknown model", func(p *openai.ChatCompletionNewParams) { p.Model = "gpt-4o" }, nil, 404, "model_not_found", "model"},
			{"bad value", func(p *openai.ChatCompletionNewParams) { p.Temperature = openai.Float(7) }, nil, 400, "invalid_value", "temperature"},
			{"bad key", nil, []option.RequestOption{option.WithAPIKey("sk-wrong")}, 401, "invalid_api_key", ""},
		}
		for _, tt := range tests {
			params := question(model)
			if tt.params != nil {
				tt.params(&params)
			}
			_, err := client.Chat.Completions.New(t.Context(), params, tt.opts...)
			e, ok := errors.AsType[*openai.Error](err)
			if !ok || e.StatusCode != tt.status || e.Code != tt.code || e.Param != tt.param || e.Message == "" {
				t.Errorf("%s: got %#v, want %d %s %s", tt.name, err, tt.status, tt.code, tt.param)
			} else if e.Response.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s: the error has no request id", tt.name)
			}
		}
	})
}

func TestSDKModels(t *testing.T) {
	sdk(t, "好\n", func(t *testing.T, client openai.Client, model string) {
		var names []string
		for page := client.Models.ListAutoPaging(t.Context()); page.Next(); {
			names = append(names, page.Current().ID)
		}
		if !slices.Contains(names, model) {
			t.Errorf("%s is not in the list %q", model, names)
		}
		for _, name := range names {
			if m, err := client.Models.Get(t.Context(), name); err != nil || m.ID != name {
				t.Errorf("Get(%q) = %+v, %v", name, m, err)
			}
		}
		_, err := client.Models.Get(t.Context(), "gpt-4o")
		if e, ok := errors.AsType[*openai.Error](err); !ok || e.StatusCode != 404 || e.Code != "model_not_found" {
			t.Errorf("an unknown model: %v", err)
		}
	})
}
