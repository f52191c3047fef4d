package router

import (
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
)

// An answer that may come as a whole is asked for as such, but where it matters
// when a backend begins: for a hedge, for half an answer, for a bound of its own.
func TestWhole(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options PoolOptions
		backend BackendOptions
		want    bool
	}{
		{"as asked", PoolOptions{}, BackendOptions{}, true},
		{"with a hedge", PoolOptions{Hedge: true}, BackendOptions{}, false},
		{"with another that goes on", PoolOptions{Continue: true}, BackendOptions{Prefill: true}, false},
		{"with a bound of the backend's", PoolOptions{}, BackendOptions{FirstToken: time.Second}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := plays(scene("hi"))
			tt.options.ID = "m"
			tt.backend.Name, tt.backend.Model, tt.backend.Zone = "a", f, Inside
			b := NewBackend(tt.backend)
			tt.options.Tiers = tiers(b)
			p, err := NewPool(tt.options)
			if err != nil {
				t.Fatal(err)
			}
			req := ask()
			req.Whole = true
			for range latencyLeast {
				if _, err := chattest.Collect(p.Chat(t.Context(), req), 1); err != nil {
					t.Fatal(err)
				}
			}
			if got := f.reqs[0].Whole; got != tt.want || !req.Whole {
				t.Errorf("the backend was asked for a whole answer: %v, want %v", got, tt.want)
			}
			// Its end does not tell when it began.
			if _, known := b.first.quantile(0.5); known == tt.want {
				t.Errorf("the time until the first token is known: %v", known)
			}
		})
	}
}

// A whole answer has twice the time of a first token.
func TestWholeTakesLonger(t *testing.T) {
	for whole, want := range map[bool]bool{true: true, false: false} {
		synctest.Test(t, func(t *testing.T) {
			p, err := NewPool(PoolOptions{
				ModelInfo: chat.ModelInfo{ID: "m"}, Tiers: tiers(inside("a", plays(scene(90*time.Second, "hi")))), FirstToken: time.Minute, Tries: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
			req := ask()
			req.Whole = whole
			if _, err := chattest.Collect(p.Chat(t.Context(), req), 1); (err == nil) != want {
				t.Errorf("whole %v: %v", whole, err)
			}
		})
	}
}

// A hedge hears nothing of bursts: it is asked in a goroutine of its own.
func TestHedgesHaveNoBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, quick := plays(scene(time.Minute, "late")), plays(scene("hi"))
		p, err := NewPool(PoolOptions{ModelInfo: chat.ModelInfo{ID: "m"}, Tiers: tiers(inside("a", slow), inside("b", quick)), Hedge: true})
		if err != nil {
			t.Fatal(err)
		}
		train(p.backends[0], 10*time.Millisecond)
		p.backends[1].outstanding.Add(1) // so that the first is asked first
		req := ask()
		req.Burst = func(bool) {}
		if _, err := chattest.Collect(p.Chat(t.Context(), req), 1); err != nil {
			t.Fatal(err)
		}
		if slow.reqs[0].Burst == nil || len(quick.reqs) == 0 || quick.reqs[0].Burst != nil {
			t.Errorf("the first backend hears of bursts: %v; the hedge was asked %d times", slow.reqs[0].Burst != nil, len(quick.reqs))
		}
	})
}
