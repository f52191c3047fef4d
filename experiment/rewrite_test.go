package experiment

import (
	"reflect"
	"testing"

	"bendi/chat"
)

func TestRewrite(t *testing.T) {
	say := chat.TextMessage
	hi := say(chat.User, "hi")
	both := say(chat.System, "Be brief.\n\n")
	both.Content = append(both.Content, chat.Part{Kind: chat.TextPart, Text: "You are Bo."})
	tests := []struct {
		name string
		arm  Arm
		req  chat.Request
		want chat.Request
	}{
		{"nothing", Arm{}, chat.Request{Model: "m", Messages: []chat.Message{hi}}, chat.Request{Model: "m", Messages: []chat.Message{hi}}},
		{"a model and parameters", Arm{As: "n", Params: map[string]float64{"temperature": 0.5, "top_k": 3}, MaxTokens: 5}, chat.Request{Model: "m", MaxTokens: 9},
			chat.Request{Model: "n", MaxTokens: 5, Sampling: chat.Sampling{Temperature: new(0.5), TopK: new(3)}}},
		{"fewer tokens than the arm's", Arm{MaxTokens: 5}, chat.Request{MaxTokens: 3}, chat.Request{MaxTokens: 3}},
		{"a prompt", Arm{System: "Be brief."}, chat.Request{Messages: []chat.Message{hi}}, chat.Request{Messages: []chat.Message{say(chat.System, "Be brief."), hi}}},
		{"a prompt before the request's", Arm{System: "Be brief."}, chat.Request{Messages: []chat.Message{say(chat.System, "You are Bo."), hi}}, chat.Request{Messages: []chat.Message{both, hi}}},
		{"a prompt in place of it", Arm{System: "Be brief.", Replace: true}, chat.Request{Messages: []chat.Message{say(chat.Developer, "You are Bo."), hi}}, chat.Request{Messages: []chat.Message{say(chat.System, "Be brief."), hi}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(tt.req.Messages)
			if got := tt.arm.rewrite(&tt.req); !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("rewritten:\n%+v\nwant:\n%+v", *got, tt.want)
			}
			if len(tt.req.Messages) != before || before > 0 && len(tt.req.Messages[0].Content) != 1 {
				t.Error("the request was changed")
			}
		})
	}
}

func TestBackground(t *testing.T) {
	tests := []struct {
		name, text string
		want       bool
	}{
		{"Open WebUI, a title", "### Task:\nGenerate a concise title\n### Guidelines:\n- …\n### Output:\nJSON format\n### Chat History:\n<chat_history>\nUSER: hi\n</chat_history>", true},
		{"LibreChat", "Provide a concise, 5-word-or-less title for the conversation, using its same language", true},
		{"NextChat", "使用四到五个字直接返回这句话的简要主题，不要解释", true},
		{"a person", "What is the task? Please write a title for my essay.", false},
		{"a person who writes Markdown", "### Task:\nDo my homework", false},
	}
	for _, tt := range tests {
		req := &chat.Request{Messages: []chat.Message{chat.TextMessage(chat.User, tt.text)}}
		if got := Background(req); got != tt.want {
			t.Errorf("%s: background = %v", tt.name, got)
		}
	}
	if Background(&chat.Request{}) {
		t.Error("a request of nothing")
	}
}
