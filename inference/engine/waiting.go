package engine

import (
	"slices"
	"time"
)

// tellEvery is how often a request that waits is told its place, where that
// has changed.
const tellEvery = time.Second

// tellPlaces notes for each request that waits where in the line it is: the
// place of the first of its choices.
func (l *loop) tellPlaces(now time.Time) {
	if len(l.waiting) == 0 {
		return
	}
	order := slices.Clone(l.waiting)
	slices.SortFunc(order, func(a, b *sequence) int { return compareWaiting(a, b, now) })
	requests := uint64(0)
	place := make(map[*output]uint64)
	for _, s := range order {
		if s.generated() == 0 && place[s.out] == 0 {
			requests++
			place[s.out] = requests
		}
	}
	for out, n := range place {
		out.place.Store(n<<32 | requests)
	}
}

// A waiting tells a request its place until its first token.
type waiting struct {
	job    *job
	ticker *time.Ticker // nil: nobody asks, or it does not wait any more
	told   uint64
}

func newWaiting(j *job) *waiting {
	w := &waiting{job: j}
	if j.waiting != nil {
		w.ticker = time.NewTicker(tellEvery)
	}
	return w
}

// tick returns when to tell.
func (w *waiting) tick() <-chan time.Time {
	if w.ticker == nil {
		return nil
	}
	return w.ticker.C
}

func (w *waiting) tell() {
	if now := w.job.out.place.Load(); now != w.told {
		w.told = now
		w.job.waiting(int(now>>32), int(now&(1<<32-1)))
	}
}

func (w *waiting) stop() {
	if w.ticker != nil {
		w.ticker.Stop()
		w.ticker = nil
	}
}
