package engine

import (
	"errors"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
)

// A prompt in the words of the template is answered as the chat is, by text and
// by tokens; and the tokens of the chat are those.
func TestPromptIsReadAsItStands(t *testing.T) {
	e := openDemo(t, Config{Context: 256, Slots: 2})
	asked := question("你好")
	want := answerOf(t, e, asked)

	counted, err := e.Tokenize(t.Context(), &chat.TokenizeRequest{Chat: asked})
	if err != nil || len(counted.Tokens) != want.Usage.PromptTokens {
		t.Fatalf("the chat has %d tokens, %v; the answer counted %d", len(counted.Tokens), err, want.Usage.PromptTokens)
	}
	var ids []int
	for _, token := range counted.Tokens {
		ids = append(ids, token.ID)
	}
	text, err := e.Detokenize(t.Context(), &chat.DetokenizeRequest{Tokens: ids, Special: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*chat.Prompt{{Text: text.Text}, {Tokens: ids}} {
		got := answerOf(t, e, question("", func(r *chat.Request) { r.Messages, r.Prompt = nil, p }))
		if got.Text[0] != want.Text[0] || got.Usage.PromptTokens != want.Usage.PromptTokens {
			t.Errorf("%+v is answered with %+v, the chat with %+v", p, got, want)
		}
	}
	idle(t, e)
}

func TestPromptsThatAreRefused(t *testing.T) {
	e := openDemo(t, Config{Context: 64, Slots: 1})
	for _, tt := range []struct {
		p           chat.Prompt
		code, param string
	}{
		{chat.Prompt{Text: "a", Suffix: "b"}, chat.CodeUnsupported, "suffix"},
		{chat.Prompt{Text: "a\x00"}, chat.CodeInvalidValue, "prompt"},
		{chat.Prompt{Tokens: []int{1, 1 << 30}}, chat.CodeInvalidValue, "prompt[1]"},
		{chat.Prompt{Text: strings.Repeat("退货 ", 60)}, chat.CodeContextLength, "prompt"},
		{chat.Prompt{Tokens: make([]int, 64)}, chat.CodeContextLength, "prompt"},
	} {
		_, err := chattest.Collect(e.Chat(t.Context(), &chat.Request{N: 1, MaxTokens: 4, Prompt: &tt.p}), 1)
		if got, ok := errors.AsType[*chat.Error](err); !ok || got.Code != tt.code || got.Param != tt.param {
			t.Errorf("%.40v: %v, want code %s for %s", tt.p, err, tt.code, tt.param)
		}
	}
	idle(t, e)
}

// The end of an answer names the stop string that made it.
func TestStopStringIsNamed(t *testing.T) {
	e := openDemo(t, Config{Context: 128, Slots: 1})
	whole := answerOf(t, e, question("怎么退货?"))
	word := string([]rune(whole.Text[0])[4:7])
	for stop, want := range map[string]string{word: word, "没有这个": ""} {
		for ev, err := range e.Chat(t.Context(), question("怎么退货?", func(r *chat.Request) { r.Stop = []string{"也没有", stop} })) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Finish != "" && ev.Stopped != want {
				t.Errorf("with %q the answer ends by %q", stop, ev.Stopped)
			}
		}
	}
}
