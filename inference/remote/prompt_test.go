package remote_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/openaicompat/wire"
)

// A prompt goes to /completions of the server; one that has none says so.
func TestPrompts(t *testing.T) {
	req := func() *chat.Request {
		return &chat.Request{Model: "m", N: 1, MaxTokens: 8, Prompt: &chat.Prompt{Text: "从前"}}
	}
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		call, err := wire.DecodePrompts(body)
		if err != nil || r.URL.Path != "/v1/completions" || call.Requests[0].Prompt.Text != "从前" {
			t.Errorf("%s was asked for %s: %v", r.URL.Path, body, err)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		s := wire.TextStream{IncludeUsage: call.IncludeUsage}
		for ev, err := range chattest.Script("有座\n山\n").Chat(r.Context(), call.Requests[0]) {
			if err != nil {
				w.Write(wire.ErrorFrame(err, ""))
				return
			}
			w.Write(s.Frames(ev))
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, wire.Done)
	})
	a, err := chattest.Collect(m.Chat(t.Context(), req()), 1)
	if err != nil || a.Text[0] != "有座山" || a.Finish[0] != chat.Stop {
		t.Errorf("got %+v, %v", a, err)
	}

	m = serve(t, func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	_, err = chattest.Collect(m.Chat(t.Context(), req()), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Invalid || e.Code != chat.CodeUnsupported {
		t.Errorf("got %v", err)
	}
}

// The tokens of a chat are asked for in the shape of vLLM; a server that only
// knows texts, and says that there are none, is not believed.
func TestCountingChats(t *testing.T) {
	answer := `{"count":3,"max_model_len":100,"tokens":[1,2,3]}`
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		call, err := wire.DecodeTokenize(body)
		if err != nil || call.Request.Chat == nil || call.Request.Chat.Messages[0].Text() != "你好" {
			t.Errorf("asked for %s: %v", body, err)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	})
	count := func() (*chat.Tokens, error) {
		return m.Tokenize(t.Context(), &chat.TokenizeRequest{Model: "m", Chat: &chat.Request{N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "你好")}}})
	}
	if out, err := count(); err != nil || len(out.Tokens) != 3 {
		t.Errorf("got %v, %v", out, err)
	}
	answer = `{"tokens":[]}`
	_, err := count()
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Code != chat.CodeUnsupported {
		t.Errorf("got %v", err)
	}
}
