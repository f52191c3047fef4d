package e2e_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestBadInput sends what no client should. Each request gets an error that
// says what is wrong with it, and the worker does not even notice.
func TestBadInput(t *testing.T) {
	const hello = `{"role":"user","content":"你好"}`
	with := func(fields string) string { return `{"messages":[` + hello + `],` + fields + `}` }
	tests := []struct {
		name, body  string
		status      int
		code, param string   // as JSON strings; empty: any
		words       []string // in the message
	}{
		{"an empty body", "", 400, "", "", []string{"empty", "messages"}},
		{"a body of spaces", " \n\t", 400, "", "", []string{"empty"}},
		{"invalid JSON", `{"messages":[`, 400, "", "", []string{"JSON", "unexpected end"}},
		{"two JSON values", with(`"n":1`) + "{}", 400, "", "", []string{"JSON"}},
		{"an array", `[1]`, 400, "", "", []string{"object"}},
		{"no messages", `{"model":"bendi-demo"}`, 400, "", "messages", []string{"missing"}},
		{"empty messages", `{"messages":[]}`, 400, "", "messages", []string{"at least one"}},
		{"messages of another type", `{"messages":"你好"}`, 400, "", "messages", []string{"array", "string"}},
		{"an unknown role", `{"messages":[{"role":"wizard","content":"x"}]}`, 400, "", "messages[0].role", []string{"wizard", "assistant"}},
		{"content of another type", `{"messages":[{"role":"user","content":7}]}`, 400, "", "messages[0].content", []string{"number"}},
		{"10 MB", with(`"x":"` + strings.Repeat("x", 10_000_000) + `"`), 413, "", "", []string{"10000", "8388608"}},
		{"1000 levels", with(`"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000)), 400, "", "", []string{"100", "128"}},
		{"a million levels that never end", strings.Repeat("[", 1_000_000), 400, "", "", []string{"1000000", "128"}},
		{"a million choices", with(`"n":1000000`), 400, "", "n", []string{"1000000"}},
		{"negative max_tokens", with(`"max_tokens":-1`), 400, "", "max_tokens", []string{"-1"}},
		{"max_tokens 0", with(`"max_tokens":0`), 400, "", "max_tokens", []string{"0"}},
		{"hot temperature", with(`"temperature":9`), 400, "", "temperature", []string{"9", "2"}},
		{"a NUL", question("a\x00b"), 400, "", "messages[0].content", []string{"NUL"}},
		{"a lone surrogate", `{"messages":[{"role":"user","content":"\ud83d"}]}`, 400, "", "", []string{"surrogate"}},
		{"invalid UTF-8", "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}", 400, "", "", []string{"UTF-8"}},
		{"a prompt beyond the window", question(strings.Repeat("你好,请帮我查一下。", 400)), 400, "context_length_exceeded", "messages", []string{"2048"}},
		{"a prompt far beyond the window", question(strings.Repeat("啊", 1_000_000)), 400, "context_length_exceeded", "messages", []string{"2048"}},
		{"an unknown model", with(`"model":"bendi-dmo"`), 404, "model_not_found", "model", []string{"bendi-dmo", "bendi-demo"}},
		{"an unknown token", with(`"logit_bias":{"999999":1}`), 400, "", "logit_bias", []string{"999999"}},
		{"tools", with(`"tools":[{"type":"function","function":{"name":"f"}}]`), 400, "unsupported_parameter", "tools", nil},
		{"a picture", `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]}`, 400, "unsupported_parameter", "messages[0].content[0]", nil},
	}
	s := sharedServer(t)
	worker := s.worker(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// As it is, and as a stream: nothing has been sent yet, so the
			// status is the same.
			for _, body := range []string{tt.body, strings.Replace(tt.body, `"messages":`, `"stream":true,"messages":`, 1)} {
				status, c := s.ask(t, "/v1/chat", body)
				if status != tt.status {
					t.Errorf("status %d, want %d; error %v", status, tt.status, c.Error)
				}
				if err := c.Error.check(); err != nil {
					t.Fatal(err)
				}
				if want := `"` + tt.code + `"`; tt.code != "" && string(c.Error.Code) != want {
					t.Errorf("code %s, want %s", c.Error.Code, want)
				}
				if want := `"` + tt.param + `"`; tt.param != "" && string(c.Error.Param) != want {
					t.Errorf("param %s, want %s", c.Error.Param, want)
				}
				for _, word := range tt.words {
					if !strings.Contains(c.Error.Message, word) {
						t.Errorf("%q is not in the message %q", word, c.Error.Message)
					}
				}
				if body == tt.body && !strings.Contains(body, `"messages":`) {
					break
				}
			}
		})
	}
	s.answer(t, "/v1/chat", question("你好", `"max_tokens":8`))
	if after := s.worker(t); after != worker {
		t.Errorf("the worker died: it was process %d and is %d%v", worker, after, s)
	}
	if status := s.readyz(); status != http.StatusOK {
		t.Errorf("/readyz is %d", status)
	}
}
