package sqlite_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"bendi/conversation"
	"bendi/conversation/sqlite"
	"bendi/conversation/storetest"
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
			storetest.BenchTurn(b, conversation.Options{Store: store, Limit: time.Minute, TTL: time.Hour})
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
