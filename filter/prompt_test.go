package filter

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
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

// A word that begins in the text that an answer goes on with, and ends in the
// answer, is found however it is cut up. What its reader has already is left as
// it is, and judges nothing.
func TestWordsOverTheBeginningOfAnAnswer(t *testing.T) {
	const whole = "一天气 abc 天气abc赌 天气好"
	for cut := range whole {
		if cut == 0 {
			continue // there is nothing before it
		}
		for _, piece := range []int{1, 2, 5, 100} {
			for _, prompt := range []bool{false, true} {
				var events []chat.Event
				for rest := whole[cut:]; rest != ""; {
					n := min(piece, len(rest))
					events = append(events, chat.Event{Text: rest[:n]})
					rest = rest[n:]
				}
				m := guard(play(append(events, theEnd...)...), func(o *Options) {
					for name, c := range o.Policy.Categories { // the beginning goes to the model as it is
						c.Request = Always(Log)
						o.Policy.Categories[name] = c
					}
				})
				req := ask("x")
				if prompt {
					req = &chat.Request{N: 1, Prompt: &chat.Prompt{Text: whole[:cut]}}
				} else {
					req.Messages, req.Continue = append(req.Messages, chat.TextMessage(chat.Assistant, whole[:cut])), true
				}
				got, err := listen(t, m, req)
				if want := rewrittenFrom(whole, cut); err != nil || got.text[0] != want {
					t.Fatalf("after %q, in pieces of %d bytes: %q, %v, want %q", whole[:cut], piece, got.text[0], err, want)
				}
			}
		}
	}
}

// rewrittenFrom is what a client sees of a text from an offset on, where every
// word that ends behind that is rewritten.
func rewrittenFrom(whole string, cut int) string {
	var out strings.Builder
	at := cut
	for i := 0; i < len(whole); {
		word, put := "", ""
		for w, p := range map[string]string{"天气": "[gone]", "abc": "***"} {
			if strings.HasPrefix(whole[i:], w) {
				word, put = w, p
			}
		}
		if word == "" {
			i++
			continue
		}
		if end := i + len(word); end > cut {
			out.WriteString(whole[at:max(i, at)] + put)
			at = end
		}
		i += len(word)
	}
	return out.String() + whole[at:]
}

func TestBlockedOverTheBeginningOfAnAnswer(t *testing.T) {
	m := guard(play(append([]chat.Event{{Text: "博"}, {Text: "吧"}}, theEnd...)...), nil)
	req := ask("x")
	req.Messages, req.Continue = append(req.Messages, chat.TextMessage(chat.Assistant, "我去赌")), true
	got, err := listen(t, m, req)
	if err != nil || got.text[0] != "" || got.finish[0] != chat.ContentFilter {
		t.Errorf("it says %q and ends by %s, %v", got.text[0], got.finish[0], err)
	}
	req.Continue = false // then it begins anew
	if got, err = listen(t, m, req); err != nil || got.text[0] != "博吧" || got.finish[0] != chat.Stop {
		t.Errorf("it says %q and ends by %s, %v", got.text[0], got.finish[0], err)
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
