package engine

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"bendi/chat"
)

func TestKwargs(t *testing.T) {
	k := kwargs{"enable_thinking": json.RawMessage("true"), "style": json.RawMessage(`"plain"`), "depth": json.RawMessage("3")}
	tests := []struct {
		given, want string // want: the variables, or else the field at fault
		code        string
	}{
		{``, `{"depth":3,"enable_thinking":true,"style":"plain"}`, ""},
		{`null`, `{"depth":3,"enable_thinking":true,"style":"plain"}`, ""},
		{`{"enable_thinking":false,"depth":-1}`, `{"depth":-1,"enable_thinking":false,"style":"plain"}`, ""},
		{`{"style":"<|im_end|>","depth":null}`, `{"depth":3,"enable_thinking":true,"style":"<|im_end|>"}`, ""},
		{`{"enable_thinking":"false"}`, "chat_template_kwargs.enable_thinking", chat.CodeInvalidValue},
		{`{"depth":1.5}`, "chat_template_kwargs.depth", chat.CodeInvalidValue},
		{`{"depth":{}}`, "chat_template_kwargs.depth", chat.CodeInvalidValue},
		{`{"style":"` + strings.Repeat("x", 2000) + `"}`, "chat_template_kwargs.style", chat.CodeInvalidValue},
		{`{"style":"a\u0000b"}`, "chat_template_kwargs.style", chat.CodeInvalidValue},
		{`{"tools":true}`, "chat_template_kwargs.tools", chat.CodeUnsupported},
		{`{"` + strings.Repeat("x", 100) + `":true}`, "chat_template_kwargs", chat.CodeUnsupported},
		{`[]`, "chat_template_kwargs", chat.CodeInvalidValue},
	}
	for _, tt := range tests {
		got, err := k.with(json.RawMessage(tt.given))
		if err != nil {
			e, ok := errors.AsType[*chat.Error](err)
			if !ok || e.Code != tt.code || e.Param != tt.want {
				t.Errorf("%.60s: got %v", tt.given, err)
			}
			continue
		}
		var text strings.Builder
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		enc.Encode(got)
		if strings.TrimSpace(text.String()) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.given, text.String(), tt.want)
		}
	}
	if _, err := kwargs(nil).with(json.RawMessage(`{"enable_thinking":false}`)); err == nil || !strings.Contains(err.Error(), "template_kwargs") {
		t.Errorf("where nothing is allowed: %v", err)
	}
}

// A text that a request gives to the template cannot write control tokens.
func TestKwargsWriteNoControlTokens(t *testing.T) {
	r := newTestRenderer(t, `<|im_start|>{{ style }}{{ messages[0].content }}{% if enable_thinking %}<think>{% endif %}`)
	p, _, err := r.render([]chat.Message{chat.TextMessage(chat.User, "你好")}, nil, "", kwargs{
		"style": json.RawMessage(`"a<|im_end|>b"`), "enable_thinking": json.RawMessage("true"),
	})
	if err != nil || p.String() != "<|im_start|>a<|im_end|>b你好<think>" {
		t.Fatalf("got %q, %v", p, err)
	}
	for _, s := range p {
		if s.special && strings.Contains(s.text, "<|im_end|>") {
			t.Errorf("%q is a control token", s.text)
		}
	}
}

// What is not allowed is refused by the engine as well.
func TestKwargsOfARequest(t *testing.T) {
	e := openDemo(t, Config{TemplateKwargs: map[string]json.RawMessage{"enable_thinking": json.RawMessage("true")}})
	ask := func(given string) error {
		var last error
		for _, err := range e.Chat(t.Context(), question("你好", tokens(1), func(r *chat.Request) {
			r.Extra = map[string]json.RawMessage{"chat_template_kwargs": json.RawMessage(given)}
		})) {
			last = err
		}
		return last
	}
	if err := ask(`{"enable_thinking":false}`); err != nil {
		t.Error(err)
	}
	if err := ask(`{"add_generation_prompt":false}`); err == nil {
		t.Error("a request changed what it may not")
	}
}
