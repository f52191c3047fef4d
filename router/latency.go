package router

import (
	"math"
	"sync"
	"time"
)

const (
	latencySteps = 4   // buckets for each doubling: what is told is at most 19 % too long
	latencyLeast = 20  // samples before anything is told
	latencyMost  = 512 // samples after which the old ones count half
)

// A latency knows how long something took of late.
type latency struct {
	mu      sync.Mutex
	n       int
	buckets [24 * latencySteps]int // from 1 ms on, to more than four hours
}

func (l *latency) add(d time.Duration) {
	i := int(latencySteps * math.Log2(float64(max(d, time.Millisecond))/float64(time.Millisecond)))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buckets[min(i, len(l.buckets)-1)]++
	if l.n++; l.n == latencyMost {
		l.n = 0
		for i := range l.buckets {
			l.buckets[i] /= 2
			l.n += l.buckets[i]
		}
	}
}

// quantile returns within which time the part q of all was over; ok is false
// while there were too few.
func (l *latency) quantile(q float64) (d time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n < latencyLeast {
		return 0, false
	}
	left := int(math.Ceil(q * float64(l.n)))
	for i, n := range l.buckets {
		if left -= n; left <= 0 {
			return time.Duration(float64(time.Millisecond) * math.Exp2(float64(i+1)/latencySteps)), true
		}
	}
	return 0, false
}
