package ledger_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"bendi/chat"
	"bendi/ledger"
)

// A sending model is one that sends a request to two backends, one of them
// outside.
type sending struct{}

func (sending) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		ledger.Found(ctx, []string{"pii.phone"})
		ledger.Leaves(ctx, "near", false, []byte("abc"))
		ledger.Leaves(ctx, "cloud", true, []byte("abc"))
		yield(chat.Event{}, chat.Errorf(chat.BadBackend, "no"))
	}
}

// Everybody above who makes an entry learns what happens below.
func TestNotes(t *testing.T) {
	ctx, tell := ledger.Listen(t.Context(), time.Now())
	var inner *ledger.Entry
	for range ledger.Record(sending{}, "/v1/chat", func(e *ledger.Entry) { inner = e }).Chat(ctx, &chat.Request{}) {
	}
	outer := new(ledger.Entry)
	tell(outer)
	for _, e := range []*ledger.Entry{inner, outer} {
		if len(e.Sent) != 2 || e.Sent[0].SHA256 != "" || e.Sent[0].Outside || !e.Sent[1].Outside || e.Sent[1].Bytes != 3 ||
			e.Sent[1].SHA256 != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
			t.Errorf("sent: %+v", e.Sent)
		}
		if len(e.Classes) != 1 || e.Classes[0] != "pii.phone" {
			t.Errorf("classes: %v", e.Classes)
		}
	}
	ledger.Leaves(t.Context(), "cloud", true, nil) // nobody listens: nothing happens
}
