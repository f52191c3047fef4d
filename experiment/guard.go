package experiment

import (
	"fmt"
	"math"
	"time"

	"bendi/ledger"
)

// A rate counts how many of how many.
type rate struct{ N, Bad int }

// guardError is the chance that a guard stops an arm that is within its limit,
// over all the looks that will ever be taken.
const guardError = 0.01

// above returns the evidence that what is counted happens more often than the
// limit p, as an e-value: it is a mixture of likelihood ratios of larger shares
// against p, each of which is a supermartingale where the share is p at most.
// Of such a process the chance ever to reach 1/a is no more than a (Ville), so
// that it may be looked at after each request.
func (r rate) above(p float64) float64 {
	const steps = 24
	sum := 0.0
	for i := range steps {
		q := p + (1-p)*math.Pow(2, -float64(i)/3)*0.98 // from nearly 1 down to just above p
		sum += math.Exp(float64(r.Bad)*math.Log(q/p) + float64(r.N-r.Bad)*math.Log((1-q)/(1-p)))
	}
	return sum / steps
}

// over reports whether the share is shown to be over the limit.
func (r rate) over(p float64) bool {
	return p > 0 && p < 1 && float64(r.Bad) > p*float64(r.N) && r.above(p) >= 1/guardError
}

// A vigil counts what the guards of an arm look at. Requests of one unit go
// together: when one fails, its next is likely to. So a unit counts once in a
// while, whatever it asks meanwhile, and no single client stops an arm.
type vigil struct {
	errors, slow, filter rate
	seen                 map[string]time.Time // by unit
}

const (
	guardEvery = 10 * time.Minute
	mostUnits  = 20_000 // that are remembered to have counted
)

// slowShare is how many answers may begin later than the time in which 95 of
// 100 have begun.
const slowShare = 0.05

func (w *vigil) add(o *Observation, g Guards) {
	if last, ok := w.seen[o.Unit]; ok && o.At.Sub(last) < guardEvery {
		return
	}
	if w.seen == nil || len(w.seen) >= mostUnits {
		w.seen = make(map[string]time.Time)
	}
	w.seen[o.Unit] = o.At
	count := func(r *rate, bad bool) {
		r.N++
		if bad {
			r.Bad++
		}
	}
	count(&w.errors, o.Failed())
	count(&w.filter, o.Filtered)
	switch {
	case g.TTFT <= 0:
	case o.First > 0:
		count(&w.slow, o.First > g.TTFT)
	case o.Outcome == ledger.Gone && o.Total > g.TTFT:
		count(&w.slow, true) // the client left before it had come
	}
}

// trip returns why an arm is to be stopped; empty: it is not.
func (w *vigil) trip(g Guards) (guard, why string) {
	text := func(what string, r rate, limit float64) string {
		return fmt.Sprintf("%s in %d of %d requests (%.1f %%), where at most %.1f %% are allowed; evidence %.3g to 1", what, r.Bad, r.N, 100*float64(r.Bad)/float64(r.N), 100*limit, r.above(limit))
	}
	switch {
	case w.errors.N < g.After:
	case w.errors.over(g.Errors):
		return "errors", text("errors", w.errors, g.Errors)
	case w.filter.over(g.Filter):
		return "filter", text("filter hits", w.filter, g.Filter)
	case g.TTFT > 0 && w.slow.N >= g.After && w.slow.over(slowShare):
		return "ttft_p95", text(fmt.Sprintf("first tokens after more than %v", g.TTFT), w.slow, slowShare)
	}
	return "", ""
}
