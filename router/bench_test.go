package router

import (
	"context"
	"iter"
	"testing"
	"time"

	"bendi/chat"
)

// talker answers with n deltas at once, and allocates nothing for them.
type talker int

func (n talker) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		for range n {
			if !yield(chat.Event{Text: "token"}, nil) {
				return
			}
		}
		if yield(chat.Event{Finish: chat.Stop}, nil) {
			yield(chat.Event{Usage: &usage}, nil)
		}
	}
}

var usage chat.Usage

func talkers(t testing.TB, n int, o PoolOptions) *Pool {
	o.ID = "m"
	o.Tiers = tiers(inside("a", talker(n)), inside("b", talker(n)))
	p, err := NewPool(o)
	if err != nil {
		t.Fatal(err)
	}
	train(p.backends[0], time.Hour)
	return p
}

// What a Pool adds to a request, and to each event of its answer.
func BenchmarkPool(b *testing.B) {
	const events = 1000
	models := map[string]chat.Model{
		"bare":  talker(events),
		"pool":  talkers(b, events, PoolOptions{}),
		"hedge": talkers(b, events, PoolOptions{Hedge: true}),
		"empty": talkers(b, 1, PoolOptions{}), // a request and no more
	}
	for _, name := range []string{"bare", "pool", "hedge", "empty"} {
		b.Run(name, func(b *testing.B) {
			req := ask()
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range models[name].Chat(b.Context(), req) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			if name != "empty" {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
			}
		})
	}
}

// A committed answer costs nothing more for each event.
func TestEventsAllocateNothing(t *testing.T) {
	for _, o := range []PoolOptions{{}, {Hedge: true}, {Total: time.Hour}} {
		count := func(events int) float64 {
			p, req := talkers(t, events, o), ask()
			return testing.AllocsPerRun(20, func() {
				for _, err := range p.Chat(t.Context(), req) {
					if err != nil {
						t.Fatal(err)
					}
				}
			})
		}
		if few, many := count(10), count(1010); many > few+1 {
			t.Errorf("%d events more are %v allocations more", 1000, many-few)
		} else {
			t.Logf("%v allocations for a request", few)
		}
	}
}
