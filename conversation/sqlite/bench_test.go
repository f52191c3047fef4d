package sqlite_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/conversation"
	"bendi/conversation/sqlite"
)

// BenchmarkTurn is what memory adds to a request in a file of many sessions:
// BENDI_BENCH_SESSIONS of them, or 20000.
func BenchmarkTurn(b *testing.B) {
	many := 20_000
	if text := os.Getenv("BENDI_BENCH_SESSIONS"); text != "" {
		many, _ = strconv.Atoi(text)
	}
	for _, sync := range []sqlite.Sync{sqlite.Normal, sqlite.Full} {
		b.Run(string(sync), func(b *testing.B) {
			store := open(b, filepath.Join(b.TempDir(), "s.db"), sync)
			fill(b, store, many)
			memory := conversation.New(conversation.Options{Store: store, Limit: time.Minute, TTL: time.Hour})
			r := memory.Remember(chattest.Script("an answer of some words\n"), conversation.Policy{}, nil)
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
		})
	}
}

// fill stores many sessions of one kilobyte.
func fill(b *testing.B, store *sqlite.Store, many int) {
	data := bytes.Repeat([]byte("x"), 1000)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < many; i += 64 {
				key := conversation.Key{Owner: conversation.Owner(fmt.Sprint("o", i%1000)), ID: fmt.Sprint(i)}
				if err := store.Save(b.Context(), key, 0, conversation.Value{Version: 1, Data: data}, time.Hour); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
