package chattest_test

import (
	"context"
	"errors"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
)

func ask() *chat.Request {
	return &chat.Request{N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "你好")}}
}

func TestScriptKeepsTheContract(t *testing.T) {
	chattest.Contract(t, chattest.Script("你\n好\n!sleep 1ms\n。\n"), ask)
}

func TestCollectNamesTheBrokenPromise(t *testing.T) {
	end := chat.Event{Finish: chat.Stop, Usage: &chat.Usage{}}
	tests := []struct {
		name   string
		events []chat.Event
		whole  bool
	}{
		{"whole", []chat.Event{{Text: "a"}, end}, true},
		{"no finish", []chat.Event{{Text: "a"}, {Usage: &chat.Usage{}}}, false},
		{"no usage", []chat.Event{{Finish: chat.Stop}}, false},
		{"half a rune", []chat.Event{{Text: "\xe4\xbd"}, end}, false},
		{"text after the finish", []chat.Event{{Finish: chat.Stop}, {Text: "a", Usage: &chat.Usage{}}}, false},
		{"events after the usage", []chat.Event{end, {}}, false},
		{"a choice nobody asked for", []chat.Event{{Choice: 1}, end}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := chattest.Collect(func(yield func(chat.Event, error) bool) {
				for _, ev := range tt.events {
					if !yield(ev, nil) {
						return
					}
				}
			}, 1)
			if (err == nil) != tt.whole {
				t.Errorf("Collect: %v, want whole = %v", err, tt.whole)
			}
		})
	}
}

func TestScriptedFailureHasItsKind(t *testing.T) {
	_, err := chattest.Collect(chattest.Script("Hel\n!fail unavailable try again\n").Chat(context.Background(), ask()), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Unavailable || e.Msg != "try again" {
		t.Errorf("got %v", err)
	}
}
