package ledger_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"bendi/chat"
	"bendi/ledger"
)

func TestRecordEndsInOneOutcome(t *testing.T) {
	broken := errors.New("broken")
	whole := []chat.Event{{Text: "你", Backend: "here", Arm: "x/a"}, {Text: "好", Finish: chat.Stop}, {Usage: &chat.Usage{CompletionTokens: 2}}}
	tests := []struct {
		name  string
		err   error
		take  int // events that the client reads; 0: all
		want  ledger.Outcome
		runes int
	}{
		{"whole", nil, 0, ledger.Success, 2},
		{"broken off", broken, 0, ledger.Failed, 2},
		{"the client leaves", nil, 1, ledger.Gone, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var entries []*ledger.Entry
			next := played{whole, tt.err}
			m := ledger.Record(next, "/v1/chat", func(e *ledger.Entry) { entries = append(entries, e) })
			n := 0
			for range m.Chat(context.Background(), &chat.Request{ID: "r", Session: "s"}) {
				if n++; n == tt.take {
					break
				}
			}
			if len(entries) != 1 {
				t.Fatalf("%d entries, want one", len(entries))
			}
			e := entries[0]
			if e.Outcome != tt.want || e.Runes != tt.runes || e.Backend != "here" || e.Arm != "x/a" || e.Session != "s" || e.Total <= 0 || e.First <= 0 {
				t.Errorf("entry = %+v, want outcome %s and %d runes", e, tt.want, tt.runes)
			}
			if !errors.Is(e.Err, tt.err) {
				t.Errorf("error = %v, want %v", e.Err, tt.err)
			}
		})
	}
}

// played is a Model that gives its events and then its error.
type played struct {
	events []chat.Event
	err    error
}

func (m played) Chat(context.Context, *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
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
