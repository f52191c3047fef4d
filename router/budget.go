package router

import "sync/atomic"

const (
	budgetShare = 0.2 // of the requests that are being answered
	budgetLeast = 3
)

// A Budget bounds how many requests may be retries or hedges at a time: a
// fifth of those that are being answered, and at least three. So a house where
// everything fails is asked a fifth more than it was, not three times as much.
// Pools may share one. Its zero value is ready.
type Budget struct {
	active, retries atomic.Int64
}

// take takes a place, if there is one.
func (b *Budget) take() bool {
	for {
		n := b.retries.Load()
		if float64(n) >= max(budgetLeast, budgetShare*float64(b.active.Load())) {
			return false
		}
		if b.retries.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// give gives a place back.
func (b *Budget) give() { b.retries.Add(-1) }
