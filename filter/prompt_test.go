package filter

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
)

// prompted keeps the prompt that it is asked to go on with.
type prompted struct {
	chattest.Gifts
	got *chat.Prompt
}

func (p *prompted) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	p.got = req.Prompt
	return chattest.Script("ok\n").Chat(ctx, req)
}

// A prompt is looked through as messages are, and one of tokens as the text that
// the model says they are. It goes on as it is unless it was rewritten.
func TestPrompts(t *testing.T) {
	ask := func(m chat.Model, p *chat.Prompt) error {
		_, err := chattest.Collect(m.Chat(t.Context(), &chat.Request{N: 1, Prompt: p}), 1)
		return err
	}
	end := new(prompted)
	m := guard(end, nil)
	if err := ask(m, &chat.Prompt{Text: "今天天气", Suffix: "天气"}); err != nil || end.got.Text != "今天[gone]" || end.got.Suffix != "[gone]" {
		t.Errorf("the model got %+v, %v", end.got, err)
	}
	if err := ask(m, &chat.Prompt{Tokens: tokensOf("今天")}); err != nil || !slices.Equal(end.got.Tokens, tokensOf("今天")) {
		t.Errorf("the model got %+v, %v", end.got, err)
	}
	if err := ask(m, &chat.Prompt{Tokens: tokensOf("今天天气")}); err != nil || end.got.Tokens != nil || end.got.Text != "今天[gone]" {
		t.Errorf("the model got %+v, %v", end.got, err)
	}
	for _, tt := range []struct {
		m           chat.Model
		p           *chat.Prompt
		code, param string
	}{
		{m, &chat.Prompt{Text: "我要赌博"}, chat.CodeContentFilter, "prompt"},
		{m, &chat.Prompt{Tokens: tokensOf("我要赌博")}, chat.CodeContentFilter, "prompt"},
		{m, &chat.Prompt{Tokens: []int{1, 999}}, chat.CodeInvalidValue, "prompt"},
		{guard(chattest.Script("ok\n"), nil), &chat.Prompt{Tokens: []int{1}}, chat.CodeUnsupported, "prompt"},
	} {
		e, ok := errors.AsType[*chat.Error](ask(tt.m, tt.p))
		if !ok || e.Code != tt.code || e.Param != tt.param {
			t.Errorf("%+v: %v", tt.p, e)
		}
	}
}

// What would leave the house is told by no prompt, and by none that nobody can
// look into.
func TestPromptsThatLeave(t *testing.T) {
	end := new(prompted)
	m := Conceal(end, ConcealOptions{})
	ask := func(p *chat.Prompt) error {
		_, err := chattest.Collect(m.Chat(t.Context(), &chat.Request{N: 1, Prompt: p}), 1)
		return err
	}
	const phone = "13800138000"
	if err := ask(&chat.Prompt{Text: "打 " + phone}); err != nil || end.got.Text == "打 "+phone {
		t.Errorf("the model got %+v, %v", end.got, err)
	}
	if err := ask(&chat.Prompt{Tokens: tokensOf("打 " + phone)}); err == nil {
		t.Errorf("tokens left: %+v", end.got)
	}
}

// To count a chat is to send it: it is filtered.
func TestCountedChats(t *testing.T) {
	m := guard(new(prompted), nil)
	count := func(text string) (*chat.Tokens, error) {
		return m.Tokenize(t.Context(), &chat.TokenizeRequest{Chat: &chat.Request{N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, text)}}})
	}
	if out, err := count("天气"); err != nil || len(out.Tokens) != len("[gone]") {
		t.Errorf("got %v, %v", out, err)
	}
	if _, err := count("我要赌博"); err == nil {
		t.Error("what is blocked was counted")
	}
}
