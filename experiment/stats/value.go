package stats

import "math"

// MinUnits is how many units of equal size both arms need before anything is
// concluded from means: the sequences for those hold for large samples.
const MinUnits = 50

// MinEvents is how often a rate's rarer outcome must have occurred in both arms
// together.
const MinEvents = 10

// A Value is a metric in one arm.
type Value struct {
	N        int64     `json:"n"`        // observations
	Units    int64     `json:"units"`    // that they come from; beyond some 5,000 a lower bound
	Value    float64   `json:"value"`    // the mean, geometric mean or share; 0 where N is 0
	Interval *Interval `json:"interval"` // of Value; nil: not enough data
	P50      *Quantile `json:"p50,omitempty"`
	P95      *Quantile `json:"p95,omitempty"`
	Min      float64   `json:"min"`
	Max      float64   `json:"max"`
}

// A Quantile is a value that a share of the observations do not exceed, 1 % off at
// most, with its interval.
type Quantile struct {
	Value float64 `json:"value"`
	Interval
}

// Value returns the metric with intervals for 1 - alpha.
func (t *Tally) Value(alpha float64) Value {
	v := Value{N: t.n, Units: t.Units(), Value: t.native(t.mean), Interval: t.Interval(alpha), Min: t.min, Max: t.max}
	if t.n > 0 && t.sketched() {
		v.P50, v.P95 = t.Quantile(0.5, alpha), t.Quantile(0.95, alpha)
	}
	return v
}

// Interval returns the interval of the tally's value; nil where the data are not
// enough. That of a share is exact, from the first observation on, as far as units
// can be told apart.
func (t *Tally) Interval(alpha float64) *Interval {
	switch {
	case t.n == 0:
		return nil
	case t.kind == Rate || t.kind == Vote:
		n := float64(t.n) / t.design()
		return new(share(t.mean*n, n, alpha))
	case t.effective() < MinUnits:
		return nil
	}
	n := float64(t.n)
	i := newLook(t.mean, t.spread()/(n*n), n, t.variance()).interval(alpha)
	return &Interval{t.native(i.Low), t.native(i.High)}
}

// Quantile returns the quantile p, such as 0.95, of a Mean or LogMean; nil where
// there are no observations (Howard and Ramdas, 2022).
func (t *Tally) Quantile(p, alpha float64) *Quantile {
	if t.n == 0 || !t.sketched() {
		return nil
	}
	n := float64(t.n)
	d := t.design()
	r := ranks(n/d, p, alpha)
	q := &Quantile{t.quantile(n * p), Interval{t.quantile(r.Low*d - 1), t.quantile(r.High * d)}}
	if r.Low == 0 {
		q.Low = t.min
	}
	if r.High*d >= n {
		q.High = t.max
	}
	return q
}

func (t *Tally) quantile(rank float64) float64 {
	return min(max(t.sketch.at(rank), t.min), t.max)
}

// native turns what is averaged into what was observed.
func (t *Tally) native(y float64) float64 {
	if t.kind == LogMean && t.n > 0 {
		return math.Exp(y)
	}
	return y
}
