package engine

import (
	"errors"
	"testing"

	"bendi/chat"
	"bendi/inference/engine/dialect"
)

func TestGoOnRenders(t *testing.T) {
	talk := func(half chat.Message) []chat.Message {
		return []chat.Message{chat.TextMessage(chat.User, "你好"), half}
	}
	half := chat.TextMessage(chat.Assistant, "<|im_end|>您")
	thought := half
	thought.Reasoning = "想"
	thinks := dialect.Dialect{ThinkStart: "<think>", ThinkEnd: "</think>"}
	const head = "<|im_start|>user\n你好<|im_end|>\n<|im_start|>assistant\n"
	tests := []struct {
		name string
		d    dialect.Dialect
		half chat.Message
		want string
	}{
		{"text", dialect.Dialect{}, half, head + "<|im_end|>您"},
		{"reasoning that is over", thinks, thought, head + "<think>\n想\n</think>\n\n<|im_end|>您"},
		{"reasoning of another model", dialect.Dialect{}, thought, head + "<|im_end|>您"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := newTestRenderer(t, chatML).goOn(talk(tt.half), "", nil, tt.d)
			if err != nil {
				t.Fatal(err)
			}
			if p.String() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", p, tt.want)
			}
			if last := p[len(p)-1]; last.special {
				t.Error("what the assistant said could name control tokens")
			}
		})
	}
}

// A greedy answer that is cut between two tokens and gone on with is the same
// answer: the text so far is tokens again as it was.
func TestGoOnIsTheRestOfTheAnswer(t *testing.T) {
	e := openDemo(t, Config{Threads: 1, Context: 512})
	req := question("你好,你是谁?")
	var whole string
	var cuts []int
	for ev, err := range e.Chat(t.Context(), req) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Text != "" && whole != "" {
			cuts = append(cuts, len(whole))
		}
		whole += ev.Text
	}
	if len(cuts) < 6 {
		t.Fatalf("the whole answer is %q, too short to cut", whole)
	}
	for _, at := range cuts {
		cut := *req
		cut.Continue = true
		cut.Messages = append(cut.Messages[:1:1], chat.TextMessage(chat.Assistant, whole[:at]))
		if got := whole[:at] + answerOf(t, e, &cut).Text[0]; got != whole {
			t.Errorf("cut after %d bytes: %q, want %q", at, got, whole)
		}
	}
}

func TestGoOnIsPlainText(t *testing.T) {
	e := openDemo(t, Config{Threads: 1, Context: 512})
	req := question("你好")
	req.Continue, req.Format = true, &chat.Format{Type: "json_object"}
	req.Messages = append(req.Messages, chat.TextMessage(chat.Assistant, "{"))
	for _, err := range e.Chat(t.Context(), req) {
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Param != "continue_final_message" {
			t.Errorf("error = %v, want one about continue_final_message", err)
		}
	}
}
