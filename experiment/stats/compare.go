package stats

import "math"

// A Verdict is what may be said of an arm beside the control.
type Verdict string

const (
	ArmBetter     Verdict = "better"
	ArmWorse      Verdict = "worse"
	Different     Verdict = "different" // of a metric that is neither good nor bad
	NoDifference  Verdict = "no_difference_yet"
	NotEnoughData Verdict = "not_enough_data"
)

// A Comparison sets one metric of an arm beside that of the control.
type Comparison struct {
	Metric Metric `json:"-"`
	Arm    Value  `json:"value"`

	// Estimate is the difference of the arm from the control; of a LogMean the
	// ratio of the arm to the control, and of a Vote the share that the arm won.
	// It and all below it are missing where Verdict is NotEnoughData.
	Estimate *float64  `json:"estimate"`
	Interval *Interval `json:"interval"`
	Nothing  float64   `json:"nothing"` // the Estimate of arms that are equal: 0, 1 or 0.5

	P      float64  `json:"p"`      // always valid; at most alpha exactly where Interval does not hold Nothing
	Better *float64 `json:"better"` // posterior probability that the arm is better, or of a metric that is neither, greater

	Verdict Verdict `json:"verdict"`

	// Needed is how many more observations, in both arms together, an effect as
	// large as Estimate needs to be seen with a probability of 80 %, at the present
	// split. 0: none, or nobody can say.
	Needed int64 `json:"needed"`

	// Missing says what NotEnoughData lacks.
	Missing *Missing `json:"missing,omitempty"`
}

// Missing is what must be there before anything is concluded.
type Missing struct {
	What string `json:"what"` // units, or events: the rarer outcome of a rate
	In   string `json:"in"`   // control, arm or both
	Have int64  `json:"have"`
	Want int64  `json:"want"`
}

// Compare sets the arm beside the control; a nil Tally is an empty one. Where
// several comparisons are shown together, alpha is what there is for all of them
// divided by their number.
func Compare(m Metric, control, arm *Tally, alpha float64) Comparison {
	control, arm = orEmpty(control, m.Kind), orEmpty(arm, m.Kind)
	c := Comparison{Metric: m, Arm: arm.Value(alpha), P: 1, Verdict: NotEnoughData}
	if m.Kind == Vote {
		c.vote(arm, alpha)
		return c
	}
	if m.Kind == LogMean {
		c.Nothing = 1
	}
	if c.Missing = missing(control, arm); c.Missing != nil {
		return c
	}

	l := difference(control, arm)
	i := l.interval(alpha)
	seen := !i.Holds(0) // before a ratio is rounded
	c.P = l.p()
	c.Better = new(m.good(l.positive()))
	c.Estimate, c.Interval = &l.estimate, &i
	if m.Kind == LogMean {
		c.Estimate = new(math.Exp(l.estimate))
		i = Interval{math.Exp(i.Low), math.Exp(i.High)}
	}
	c.decide(seen, l.estimate > 0)
	c.need(seen, l.needed(l.estimate, alpha), control.n+arm.n)
	return c
}

// difference returns the look at arm's mean less control's.
//
// The variance is the greater of the arms' own and of the one they have in
// common: a small arm that has not met a rare event yet looks surer than it is.
func difference(control, arm *Tally) look {
	nc, na := float64(control.n), float64(arm.n)
	sc, sa := control.spread(), arm.spread()
	own := sc/(nc*nc) + sa/(na*na)
	common := (sc + sa) / (nc + na) * (1/nc + 1/na)
	single := (control.m2 + arm.m2) / (nc + na - 2)
	return newLook(arm.mean-control.mean, max(own, common), nc*na/(nc+na), single)
}

// vote compares the votes with one half, exactly.
func (c *Comparison) vote(arm *Tally, alpha float64) {
	c.Nothing = 0.5
	if arm.n == 0 {
		c.Missing = &Missing{What: "votes", In: "both", Want: 1}
		return
	}
	d := arm.design()
	n := float64(arm.n) / d
	x := arm.mean * n
	c.Estimate, c.Interval = new(arm.mean), new(share(x, n, alpha))
	c.P = min(1, math.Exp(-logMixture(x, n, 0.5)))
	l := newLook(arm.mean-0.5, 0.25/n, n, 0.25)
	c.Better = new(c.Metric.good(l.positive()))
	seen := !c.Interval.Holds(0.5)
	c.decide(seen, arm.mean > 0.5)
	c.need(seen, l.needed(l.estimate, alpha), arm.n)
}

// decide sets the verdict.
func (c *Comparison) decide(seen, greater bool) {
	switch {
	case !seen:
		c.Verdict = NoDifference
	case c.Metric.Better == Neither:
		c.Verdict = Different
	case greater == (c.Metric.Better == Higher):
		c.Verdict = ArmBetter
	default:
		c.Verdict = ArmWorse
	}
}

// need sets what is needed, where the data so far would have to be so many times
// as many.
func (c *Comparison) need(seen bool, times float64, n int64) {
	if more := (times - 1) * float64(n); !seen && more < 1e12 {
		c.Needed = max(1, int64(math.Ceil(more)))
	}
}

// good turns the probability of greater into that of better.
func (m Metric) good(greater float64) float64 {
	if m.Better == Lower {
		return 1 - greater
	}
	return greater
}

// missing returns what is lacking before control and arm can be compared; nil:
// nothing.
func missing(control, arm *Tally) *Missing {
	for _, side := range []struct {
		in string
		t  *Tally
	}{{"control", control}, {"arm", arm}} {
		if e := side.t.effective(); e < MinUnits {
			return &Missing{What: "units", In: side.in, Have: int64(e), Want: MinUnits}
		}
	}
	if control.kind == Rate {
		yes := control.mean*float64(control.n) + arm.mean*float64(arm.n)
		if rarer := math.Round(min(yes, float64(control.n+arm.n)-yes)); rarer < MinEvents {
			return &Missing{What: "events", In: "both", Have: int64(rarer), Want: MinEvents}
		}
	}
	return nil
}

func orEmpty(t *Tally, kind Kind) *Tally {
	if t == nil {
		return NewTally(kind)
	}
	return t
}
