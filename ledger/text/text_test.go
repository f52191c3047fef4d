package text_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"testing"

	"bendi/chat"
	"bendi/ledger/chain"
	"bendi/ledger/text"
)

// A filtering model lets a request pass masked, and gives its events and then its
// error.
type filtering struct {
	refuses bool
	events  []chat.Event
	err     error
}

func (m filtering) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		if !m.refuses {
			passed := *req
			if req.Prompt == nil {
				passed.Messages = append([]chat.Message{chat.TextMessage(chat.User, "call ***")}, req.Messages[1:]...)
			}
			text.Passed(ctx, &passed)
		}
		for _, ev := range m.events {
			if !yield(ev, nil) {
				return
			}
		}
		if m.err != nil {
			yield(chat.Event{}, m.err)
		}
	}
}

func TestKeep(t *testing.T) {
	messages := []chat.Message{
		chat.TextMessage(chat.User, "call 13800138000"),
		{Role: chat.Assistant, Reasoning: "hm", ToolCalls: []chat.ToolCall{{ID: "1", Name: "look", Arguments: "{}"}}},
		{Role: chat.User, Content: []chat.Part{{Kind: chat.TextPart, Text: "and "}, {Kind: chat.ImagePart, Data: json.RawMessage(`{"a":1}`)}, {Kind: chat.TextPart, Text: "this"}}},
	}
	events := []chat.Event{
		{Text: "你"}, {Choice: 1, Reasoning: "so"}, {Text: "好"}, {Choice: 1, ToolCall: &chat.ToolCallDelta{Name: "f", Arguments: `{"x"`}},
		{Choice: 1, ToolCall: &chat.ToolCallDelta{Arguments: `:1}`}}, {Finish: chat.Stop}, {Choice: -1, Text: "x"}, {Choice: 1 << 40, Text: "x"}, {Usage: &chat.Usage{}},
	}
	const asked = `"request":[{"role":"user","text":"call ***"},{"role":"assistant","reasoning":"hm","calls":[{"name":"look","arguments":"{}"}]},{"role":"user","text":"and this","other":["image_url, 7 bytes"]}]`
	const head = `{"id":"r","answer":"a","key":"shop","route":"/v1/chat",`
	tests := []struct {
		name  string
		model filtering
		req   chat.Request
		take  int // events; 0: all
		want  string
	}{
		{"whole", filtering{events: events}, chat.Request{Messages: messages}, 0,
			head + asked + `,"choices":[{"text":"你好"},{"reasoning":"so","calls":[{"name":"f","arguments":"{\"x\":1}"}]}],"whole":true}`},
		{"the client leaves", filtering{events: events}, chat.Request{Messages: messages}, 1, head + asked + `,"choices":[{"text":"你"}],"whole":false}`},
		{"broken off", filtering{events: events[:1], err: errors.New("broken")}, chat.Request{Messages: messages}, 0, head + asked + `,"choices":[{"text":"你"}],"whole":false}`},
		{"refused by the filter", filtering{refuses: true, err: errors.New("no")}, chat.Request{Messages: messages}, 0, head + `"whole":false}`},
		{"a prompt", filtering{}, chat.Request{Prompt: &chat.Prompt{Text: "Once"}}, 0, head + `"prompt":"Once","whole":true}`},
		{"one of tokens", filtering{}, chat.Request{Prompt: &chat.Prompt{Tokens: []int{1, 2}}}, 0, head + `"prompt":"(2 tokens by their numbers)","whole":true}`},
	}
	dir := t.TempDir()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log, err := chain.Open(chain.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			told := 0
			m := text.Keep(tt.model, "/v1/chat", func(got *text.Text) {
				told++
				data, err := json.Marshal(got)
				if err != nil || string(data) != tt.want {
					t.Errorf("got\n%s, want\n%s (%v)", data, tt.want, err)
				}
				log.Add(text.Kind, data)
			})
			tt.req.ID, tt.req.AnswerID, tt.req.Principal = "r", "a", "shop"
			n := 0
			for range m.Chat(t.Context(), &tt.req) {
				if n++; n == tt.take {
					break
				}
			}
			if told != 1 {
				t.Errorf("told %d times", told)
			}
			if err := log.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for id, want := range map[string]int{"r": len(tests), "a": len(tests), "x": 0} {
		n := 0
		for _, err := range text.Find(dir, id) {
			if n++; err != nil {
				t.Error(err)
			}
		}
		if n != want {
			t.Errorf("%d texts of %q, want %d", n, id, want)
		}
	}
}
