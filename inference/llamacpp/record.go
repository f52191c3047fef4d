package llamacpp

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	deathLimit  = 5                      // so many deaths make a worker failed
	deathWindow = time.Minute            // when they come within this time
	firstDelay  = 250 * time.Millisecond // before the second restart; the first is immediate
)

// A record of a worker's deaths decides whether and when it starts again.
//
// A worker has failed after five deaths within a minute, and after five in a
// row that came before it was ready: a large model may take longer than that
// to find out that it cannot be loaded.
type record struct {
	recent  []time.Time // deaths within the window
	unready int         // deaths in a row before it was ready
	failed  string      // what made the worker fail; empty: it has not
}

// died notes a death. It returns how long to wait before the next attempt, or
// that the worker has failed.
func (r *record) died(now time.Time, wasReady bool) (delay time.Duration, failed bool) {
	r.recent = append(slices.DeleteFunc(r.recent, func(t time.Time) bool { return now.Sub(t) >= deathWindow }), now)
	if wasReady {
		r.unready = 0
	} else {
		r.unready++
	}
	n := max(len(r.recent), r.unready)
	switch {
	case r.failed != "":
		return 0, true
	case len(r.recent) >= deathLimit:
		r.failed = fmt.Sprintf("died %d times within %d s", len(r.recent), int(deathWindow.Seconds()))
		return 0, true
	case n >= deathLimit:
		r.failed = fmt.Sprintf("died %d times in a row while it was loading", n)
		return 0, true
	case n == 1:
		return 0, false
	}
	d := firstDelay << (n - 2)
	return d/2 + rand.N(d/2+1), false // jitter, so that many workers do not load at once
}

// ready notes that a process got ready. It absolves a failed worker.
func (r *record) ready() {
	if r.failed != "" {
		*r = record{}
	}
	r.unready = 0
}
