package stats

import "math"

// logMixture returns the logarithm of how much better a mixture over all shares
// explains x of n than the share p does. Under p it is a martingale, so that it
// exceeds 1/alpha at any look with a probability of at most alpha: exactly, from
// the first observation on (Ville; Robbins, 1970; Howard et al., 2021). The mixture
// is Jeffreys' Beta(1/2, 1/2). Observations may lie between 0 and 1.
func logMixture(x, n, p float64) float64 {
	m := logBeta(x+0.5, n-x+0.5) - logPi
	if x > 0 {
		m -= x * math.Log(p)
	}
	if n > x {
		m -= (n - x) * math.Log1p(-p)
	}
	return m
}

// logPi is logBeta(1/2, 1/2), the logarithm of pi.
const logPi = 1.1447298858494002

func logBeta(a, b float64) float64 {
	return lgamma(a) + lgamma(b) - lgamma(a+b)
}

func lgamma(x float64) float64 {
	y, _ := math.Lgamma(x)
	return y
}

// share returns the interval of the shares that explain x of n well enough.
func share(x, n, alpha float64) Interval {
	if n <= 0 {
		return Interval{0, 1}
	}
	limit := -math.Log(alpha)
	mle := x / n
	inside := func(p float64) bool { return logMixture(x, n, p) < limit }
	i := Interval{0, 1}
	if x > 0 {
		i.Low = edge(mle, 0, inside)
	}
	if x < n {
		i.High = edge(mle, 1, inside)
	}
	return i
}

// ranks returns the interval of the ranks, of n, at which the quantile p may be.
func ranks(n, p, alpha float64) Interval {
	limit := -math.Log(alpha)
	inside := func(x float64) bool { return logMixture(x, n, p) < limit }
	i := Interval{0, n}
	if !inside(0) {
		i.Low = edge(n*p, 0, inside)
	}
	if !inside(n) {
		i.High = edge(n*p, n, inside)
	}
	return i
}

// edge returns the last point on the way from one, which is inside, to another,
// which is not.
func edge(from, to float64, inside func(float64) bool) float64 {
	for range 60 {
		if mid := (from + to) / 2; inside(mid) {
			from = mid
		} else {
			to = mid
		}
	}
	return to
}
