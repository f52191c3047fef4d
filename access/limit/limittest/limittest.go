// Package limittest tests what counts requests.
package limittest

import (
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bendi/access"
	"bendi/access/limit"
)

// Test tests what a Counter promises. Each call of open returns a Counter that
// counts together with those before it; each subtest has subjects of its own. It
// runs within a minute.
func Test(t *testing.T, open func(t *testing.T) limit.Counter) {
	demand := func(tokens int64, subjects ...limit.Subject) *limit.Demand {
		return &limit.Demand{ID: rand.Text(), Subjects: subjects, Tokens: tokens, Zone: time.UTC}
	}
	subject := func(l access.Limits) limit.Subject { return limit.Subject{Name: "key " + rand.Text(), Limits: l} }

	t.Run("exactly as many as there may be", func(t *testing.T) {
		for what, l := range map[string]access.Limits{
			"requests per minute": {RequestsPerMinute: 100},
			"requests per day":    {RequestsPerDay: 100},
			"tokens per minute":   {TokensPerMinute: 1009},
			"tokens per day":      {TokensPerDay: 1009},
			"at once":             {Concurrent: 100},
		} {
			counters := []limit.Counter{open(t), open(t)}
			s := subject(l)
			var passed atomic.Int64
			var group sync.WaitGroup
			for i := range 200 {
				group.Go(func() {
					_, err := counters[i%2].Reserve(t.Context(), demand(10, s))
					if err == nil {
						passed.Add(1)
					} else if _, ok := errors.AsType[*access.Exceeded](err); !ok {
						t.Error(err)
					}
				})
			}
			group.Wait()
			if passed.Load() != 100 {
				t.Errorf("%s: %d of 200 passed where 100 may", what, passed.Load())
			}
		}
	})

	t.Run("all or nothing", func(t *testing.T) {
		c := open(t)
		wide, narrow := subject(access.Limits{RequestsPerMinute: 3, TokensPerMinute: 1000, Concurrent: 3}), subject(access.Limits{RequestsPerMinute: 1})
		if _, err := c.Reserve(t.Context(), demand(10, wide, narrow)); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			_, err := c.Reserve(t.Context(), demand(500, wide, narrow))
			e, ok := errors.AsType[*access.Exceeded](err)
			if !ok || e.Subject != narrow.Name || e.What != "requests per minute" || e.Limit != 1 || e.Used != 1 || e.Asked != 1 {
				t.Fatalf("Reserve = %v, want the narrow limit", err)
			}
			if e.Retry < 50*time.Second || e.Retry > 62*time.Second {
				t.Errorf("it may be tried again in %v, want about a minute", e.Retry)
			}
		}
		for i := range 2 { // nothing was counted of those that did not pass
			if _, err := c.Reserve(t.Context(), demand(400, wide)); err != nil {
				t.Errorf("request %d: %v", i, err)
			}
		}
	})

	t.Run("what was taken counts, not what was set aside", func(t *testing.T) {
		c := open(t)
		s := subject(access.Limits{TokensPerMinute: 100, TokensPerDay: 150})
		reserve := func(tokens int64) *limit.Receipt {
			t.Helper()
			r, err := c.Reserve(t.Context(), demand(tokens, s))
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		settle := func(r *limit.Receipt, tokens int64) {
			t.Helper()
			if err := c.Settle(t.Context(), r, tokens); err != nil {
				t.Fatal(err)
			}
		}
		refused := func(tokens int64, what string, used int64) {
			t.Helper()
			_, err := c.Reserve(t.Context(), demand(tokens, s))
			if e, ok := errors.AsType[*access.Exceeded](err); !ok || e.What != what || e.Used != used {
				t.Fatalf("Reserve of %d = %v, want over %s with %d used", tokens, err, what, used)
			}
		}
		r := reserve(100)
		refused(1, "tokens per minute", 100)
		settle(r, 30)
		r = reserve(70)
		refused(1, "tokens per minute", 100)
		settle(r, 0)
		r = reserve(70)
		settle(r, 90) // more than was set aside
		refused(1, "tokens per minute", 120)
		refused(31, "tokens per day", 120)
	})

	t.Run("what can never pass is told", func(t *testing.T) {
		c := open(t)
		_, err := c.Reserve(t.Context(), demand(101, subject(access.Limits{TokensPerMinute: 100})))
		if e, ok := errors.AsType[*access.Exceeded](err); !ok || e.Retry != 0 || e.Asked != 101 {
			t.Errorf("Reserve = %v, want that it never passes", err)
		}
	})

	t.Run("a place is free again", func(t *testing.T) {
		c := open(t)
		s := subject(access.Limits{Concurrent: 1})
		for range 5 {
			r, err := c.Reserve(t.Context(), demand(0, s))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Reserve(t.Context(), demand(0, s)); err == nil {
				t.Fatal("two have the place of one")
			}
			if err := c.Settle(t.Context(), r, 0); err != nil {
				t.Fatal(err)
			}
		}
	})

	t.Run("what is left is told", func(t *testing.T) {
		c := open(t)
		s, route := subject(access.Limits{RequestsPerMinute: 10, TokensPerDay: 500}), subject(access.Limits{RequestsPerMinute: 3})
		r, err := c.Reserve(t.Context(), demand(120, s, route))
		if err != nil {
			t.Fatal(err)
		}
		got := r.Standing
		if got.Requests.Limit != 3 || got.Requests.Remaining != 2 || got.Tokens.Limit != 500 || got.Tokens.Remaining != 380 {
			t.Errorf("left: %+v, want 2 of 3 requests and 380 of 500 tokens", got)
		}
		if got.Requests.Reset != 61*time.Second || got.Tokens.Reset <= 0 || got.Tokens.Reset > 24*time.Hour {
			t.Errorf("all is there again in %v and %v, want 61 s and when the day is over", got.Requests.Reset, got.Tokens.Reset)
		}
	})
}
