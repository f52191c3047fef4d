package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/conversation"
)

// BenchTurn is what memory by o adds to a request, in sessions of ten turns.
func BenchTurn(b *testing.B, o conversation.Options) {
	r := conversation.New(o).Remember(chattest.Script("an answer of some words\n"), conversation.Policy{}, nil)
	var took []time.Duration
	n := 0
	for b.Loop() {
		req := &chat.Request{N: 1, Principal: "shop", Session: fmt.Sprint("t", n/10), Messages: []chat.Message{chat.TextMessage(chat.User, "a question of some words")}}
		begin := time.Now()
		if _, err := chattest.Collect(r.Chat(b.Context(), req), 1); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
		n++
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e6, "ms-median")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e6, "ms-p99")
}
