package engine

import (
	"context"
	"sync"
	"testing"
	"time"

	"bendi/chat"
)

// Whoever waits is told its place, and that its turn has come.
func TestToldItsPlace(t *testing.T) {
	e := openDemo(t, Config{Slots: 1})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	talk := func() {
		for range e.Chat(ctx, question("你好", endless, tokens(1900))) {
			<-ctx.Done()
		}
	}
	for i := range 3 {
		wg.Go(talk)
		for r, w := e.Load(); r+w != i+1; r, w = e.Load() {
			time.Sleep(time.Millisecond)
		}
	}
	told := make(chan [2]int, 10)
	wg.Go(func() {
		for range e.Chat(t.Context(), question("再见", tokens(2), func(r *chat.Request) {
			r.Waiting = func(position, length int) { told <- [2]int{position, length} }
		})) {
		}
		close(told)
	})
	select {
	case got := <-told:
		if got != [2]int{3, 3} {
			t.Errorf("told of place %d of %d", got[0], got[1])
		}
	case <-time.After(5 * time.Second):
		t.Error("told nothing")
	}
	stop()
	for range told {
	}
	wg.Wait()
}
