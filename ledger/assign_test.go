package ledger_test

import (
	"context"
	"iter"
	"testing"

	"bendi/chat"
	"bendi/ledger"
)

// An assigning model is a wrapper that learns an arm, of a request that then ends
// without an event.
type assigning struct{ err error }

func (m assigning) Chat(ctx context.Context, _ *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		ledger.Assign(ctx, "x/a", "unit")
		yield(chat.Event{}, m.err)
	}
}

// The arm of a request is known though it fails before its first event.
func TestAssign(t *testing.T) {
	var got *ledger.Entry
	m := ledger.Record(assigning{chat.Errorf(chat.BadBackend, "no")}, "/v1/chat", func(e *ledger.Entry) { got = e })
	for range m.Chat(t.Context(), &chat.Request{AnswerID: "chatcmpl-1"}) {
	}
	if got == nil || got.Arm != "x/a" || got.Unit != "unit" || got.AnswerID != "chatcmpl-1" || got.Outcome != ledger.Failed {
		t.Errorf("entry = %+v", got)
	}
	ledger.Assign(t.Context(), "x/a", "unit") // nobody records: nothing happens
}

func TestSoundsLikeRefusal(t *testing.T) {
	tests := []struct {
		text string
		want bool
	}{
		{"I can't help with that.", true},
		{"  I’m sorry, but I cannot do it", true},
		{"抱歉，我无法提供", true},
		{"我不能回答这个问题", true},
		{"Here is how I can help.", false},
		{"我可以帮您", false},
		{"", false},
	}
	for _, tt := range tests {
		if got := ledger.SoundsLikeRefusal(tt.text); got != tt.want {
			t.Errorf("SoundsLikeRefusal(%q) = %v", tt.text, got)
		}
	}
}
