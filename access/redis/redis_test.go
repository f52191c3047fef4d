package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"bendi/access"
	"bendi/access/limit"
	"bendi/access/limit/limittest"
	"bendi/internal/redistest"
)

func dial(t testing.TB, address string) redis.UniversalClient {
	client := redis.NewClient(&redis.Options{Addr: address, DisableIdentity: true, ReadTimeout: 10 * time.Second, PoolTimeout: 20 * time.Second})
	t.Cleanup(func() { client.Close() })
	return client
}

func counter(t testing.TB, address string, lease time.Duration) *Counter {
	c := open(dial(t, address), "test", lease)
	t.Cleanup(c.Close)
	return c
}

func TestCounter(t *testing.T) {
	address := redistest.Start(t).Address
	limittest.Test(t, func(t *testing.T) limit.Counter { return counter(t, address, leaseTime) })
}

func demand(tokens int64, name string, l access.Limits) *limit.Demand {
	return &limit.Demand{ID: rand.Text(), Subjects: []limit.Subject{{Name: name, Limits: l}}, Tokens: tokens, Zone: time.UTC}
}

// The places of a gateway that has died are free when its leases run out, and
// those of one that lives are not.
func TestLeases(t *testing.T) {
	address := redistest.Start(t).Address
	dead, alive := open(dial(t, address), "test", 600*time.Millisecond), counter(t, address, 600*time.Millisecond)
	l := access.Limits{Concurrent: 2}
	if _, err := dead.Reserve(t.Context(), demand(0, "key a", l)); err != nil {
		t.Fatal(err)
	}
	r, err := alive.Reserve(t.Context(), demand(0, "key a", l))
	if err != nil {
		t.Fatal(err)
	}
	dead.Close() // without settling
	if _, err := alive.Reserve(t.Context(), demand(0, "key a", l)); err == nil {
		t.Fatal("three have the places of two")
	}
	time.Sleep(3 * time.Second)
	if _, err := alive.Reserve(t.Context(), demand(0, "key a", l)); err != nil {
		t.Errorf("the place of the dead one: %v", err)
	}
	if _, err := alive.Reserve(t.Context(), demand(0, "key a", l)); err == nil {
		t.Error("the lease of the living one was not kept up")
	}
	if err := alive.Settle(t.Context(), r, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := alive.Reserve(t.Context(), demand(0, "key a", l)); err != nil {
		t.Errorf("the place that was settled: %v", err)
	}
}

// Whoever asks again because the answer was lost is counted once.
func TestAskedTwice(t *testing.T) {
	address := redistest.Start(t).Address
	c := counter(t, address, leaseTime)
	d := demand(10, "key a", access.Limits{RequestsPerMinute: 2, TokensPerMinute: 100})
	for range 3 {
		if _, err := c.Reserve(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	r, err := c.Reserve(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := c.Settle(t.Context(), r, 40); err != nil {
			t.Fatal(err)
		}
	}
	d = demand(60, "key a", access.Limits{RequestsPerMinute: 2, TokensPerMinute: 100})
	if _, err := c.Reserve(t.Context(), d); err != nil {
		t.Errorf("one request of 40 tokens leaves room for one of 60: %v", err)
	}
}

// While Redis hangs, requests wait for it once in a second, and are counted here.
func TestHangs(t *testing.T) {
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Address, DisableIdentity: true, ReadTimeout: 50 * time.Millisecond, MaxRetries: -1})
	t.Cleanup(func() { client.Close() })
	c := New(client, "test")
	t.Cleanup(c.Close)
	l := limit.New(limit.Rules{EachKey: access.Limits{RequestsPerMinute: 5}}, c, new(limit.Local), limit.NewHealth(nil, nil))
	who := access.Identity{Name: "a"}
	if _, err := l.Reserve(t.Context(), who, "/", 0); err != nil {
		t.Fatal(err)
	}
	server.Process.Signal(syscall.SIGSTOP)
	passed := 0
	for range 8 {
		if _, err := l.Reserve(t.Context(), who, "/", 0); err == nil {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("%d passed while Redis hung, want the 5 of this process alone", passed)
	}
}

// Under random requests of several gateways, what Redis has counted in the end is
// what was settled, and never was more than the limit.
func TestSettlesExactly(t *testing.T) {
	address := redistest.Start(t).Address
	gateways := []*Counter{counter(t, address, leaseTime), counter(t, address, leaseTime)}
	l := access.Limits{TokensPerDay: 5000, Concurrent: 50}
	var used, running atomic.Int64
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			for n := range 5 {
				tokens := int64(10 + (i*7+n*13)%90)
				d := demand(tokens, "key a", l)
				r, err := gateways[(i+n)%2].Reserve(context.Background(), d)
				if err != nil {
					if _, ok := errors.AsType[*access.Exceeded](err); !ok {
						t.Error(err)
					}
					continue
				}
				if now := running.Add(tokens); now > l.TokensPerDay {
					t.Errorf("%d tokens are set aside or used of %d", now, l.TokensPerDay)
				}
				took := tokens * int64(n) / 5
				running.Add(took - tokens)
				used.Add(took)
				if err := gateways[(i+n)%2].Settle(context.Background(), r, took); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	_, err := gateways[0].Reserve(t.Context(), demand(l.TokensPerDay, "key a", l))
	e, ok := errors.AsType[*access.Exceeded](err)
	if !ok || e.Used != used.Load() {
		t.Errorf("in the end %v, want %d tokens used", err, used.Load())
	}
}

func BenchmarkCounter(b *testing.B) {
	address := redistest.Start(b).Address
	c := counter(b, address, leaseTime)
	l := access.Limits{RequestsPerMinute: 1 << 40, TokensPerMinute: 1 << 40, Concurrent: 1 << 40}
	for b.Loop() {
		r, err := c.Reserve(b.Context(), demand(10, "key a", l))
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Settle(b.Context(), r, 5); err != nil {
			b.Fatal(err)
		}
	}
}
