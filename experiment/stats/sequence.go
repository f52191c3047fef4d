package stats

import "math"

// An Interval holds the true value, at all looks at once, with the probability
// that was asked for.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Holds reports whether x is in the interval.
func (i Interval) Holds(x float64) bool { return i.Low <= x && x <= i.High }

// effectSize is the size of the effects that the sequences are tuned for, in
// standard deviations of one observation. They are tightest at some 400
// observations in each arm, and hardly wider at a hundred times as many.
const effectSize = 0.2

// A look is an estimate as it is at one look at the data.
type look struct {
	estimate float64
	variance float64 // of the estimate
	clock    float64 // the variance of the sum, in those of one observation, times effectSize²
}

// newLook returns the look at an estimate that is the mean of n observations, or
// as sure as one, and whose variance has been found between units. Single is the
// variance of one observation. The clock follows the variance of the sum, as the
// time of a random walk must: with large units it runs faster than n.
func newLook(estimate, variance, n, single float64) look {
	l := look{estimate: estimate, variance: variance, clock: n * effectSize * effectSize}
	if single > 0 {
		l.clock *= max(1, n*variance/single)
	}
	return l
}

// bound returns how many standard errors an estimate may be off, at any look.
// It is Robbins' normal mixture, as Waudby-Smith et al. (2024) use it for large
// samples.
func bound(clock, alpha float64) float64 {
	return math.Sqrt((1 + 1/clock) * (math.Log1p(clock) - 2*math.Log(alpha)))
}

// interval returns the confidence sequence's.
func (l look) interval(alpha float64) Interval {
	w := math.Sqrt(l.variance) * bound(l.clock, alpha)
	return Interval{l.estimate - w, l.estimate + w}
}

// score returns how many standard errors the estimate is away from nothing.
func (l look) score() float64 {
	switch {
	case l.estimate == 0:
		return 0
	case l.variance == 0:
		return math.Copysign(math.Inf(1), l.estimate)
	}
	return l.estimate / math.Sqrt(l.variance)
}

// p returns the p-value that goes with interval: at most alpha exactly where zero
// is outside.
func (l look) p() float64 {
	z := l.score()
	log := z*z*l.clock/(1+l.clock)/2 - math.Log1p(l.clock)/2
	return min(1, math.Exp(-log))
}

// positive returns the posterior probability that what is estimated is greater
// than zero, under the prior that the interval is made with: normal around zero.
func (l look) positive() float64 {
	z := l.score()
	if z == 0 {
		return 0.5
	}
	return math.Erfc(-z*math.Sqrt(l.clock/(1+l.clock))/math.Sqrt2) / 2
}

// power is the chance that needed allows an effect to be seen by then.
const power = 0.8

// needed returns how many times the data so far would be enough to see an effect
// of the size given, with the probability power; +Inf where none is.
func (l look) needed(effect, alpha float64) float64 {
	if l.variance == 0 || effect == 0 {
		return math.Inf(1)
	}
	z := math.Abs(effect) / math.Sqrt(l.variance)
	quantile := math.Sqrt2 * math.Erfinv(2*power-1)
	enough := func(times float64) bool {
		return z*math.Sqrt(times) >= bound(l.clock*times, alpha)+quantile
	}
	if enough(1) {
		return 1
	}
	high := 2.0
	for !enough(high) {
		if high *= 2; high > 1e12 {
			return math.Inf(1)
		}
	}
	low := high / 2
	for range 40 {
		if mid := (low + high) / 2; enough(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}
