package stats

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// simulations is how often a world is played. The table in docs/experiments.md was
// made with -simulations 5000.
var simulations = flag.Int("simulations", 25, "how often each simulated experiment is played")

// A world makes the requests of an experiment whose truth is known.
type world struct {
	name     string
	kind     Kind
	share    float64 // of units that go to the arm; 0: one half
	perUnit  float64 // mean requests of a unit, which come back in any order; 0: one each
	requests int
	every    int // requests from look to look; 0: 1
	value    func(r *rand.Rand, unit, progress, effect float64) float64
}

// An outcome is how one play ended.
type outcome struct {
	seen    int  // requests at the first look that saw a difference; 0: none did
	naive   bool // a fixed-sample test of requests that pretends not to peek saw one
	covered bool // every look's interval held the truth
}

// A unit is somebody who asks.
type unit struct {
	id     string
	arm    bool
	nature float64
}

// A population is everybody who has asked.
type population []unit

// next returns who asks next: somebody new, or one of those who have.
func (p *population) next(r *rand.Rand, share, perUnit float64) unit {
	if len(*p) > 0 && r.Float64()*perUnit >= 1 {
		return (*p)[r.IntN(len(*p))]
	}
	u := unit{strconv.FormatUint(r.Uint64(), 36), r.Float64() < share, r.NormFloat64()}
	*p = append(*p, u)
	return u
}

// alone plays the world with one arm, and returns what at some look missed the
// truth.
func (w world) alone(r *rand.Rand, truth float64, quantiles map[float64]float64) map[string]bool {
	var all population
	missed := map[string]bool{}
	tally := NewTally(w.kind)
	for n := 1; n <= w.requests; n++ {
		u := all.next(r, 0.5, max(w.perUnit, 1))
		if err := tally.Add(u.id, w.value(r, u.nature, 0, 0)); err != nil {
			panic(err)
		}
		if n%25 != 0 {
			continue
		}
		if i := tally.Interval(0.05); i != nil && !i.Holds(truth) {
			missed["value"] = true
		}
		for p, want := range quantiles {
			if q := tally.Quantile(p, 0.05); n%100 == 0 && tally.effective() >= MinUnits && !(q.Low <= want*1.01 && want <= q.High*1.01) {
				missed[fmt.Sprintf("%.0fth percentile", 100*p)] = true
			}
		}
	}
	return missed
}

// play plays the world once.
func (w world) play(r *rand.Rand, effect, alpha float64) outcome {
	share, perUnit, every := w.share, max(w.perUnit, 1), max(w.every, 1)
	if share == 0 {
		share = 0.5
	}
	var all population
	control, arm := NewTally(w.kind), NewTally(w.kind)
	o := outcome{covered: true}
	for n := 1; n <= w.requests; n++ {
		u := all.next(r, share, perUnit)
		progress := float64(n) / float64(w.requests)
		t, e := control, 0.0
		if u.arm {
			t, e = arm, effect
		}
		if err := t.Add(u.id, w.value(r, u.nature, progress, e)); err != nil {
			panic(err)
		}
		if n%every != 0 || missing(control, arm) != nil {
			continue
		}
		l := difference(control, arm)
		i := l.interval(alpha)
		if o.seen == 0 && !i.Holds(0) {
			o.seen = n
		}
		o.covered = o.covered && i.Holds(effect)
		plain := math.Sqrt(control.variance()/float64(control.n) + arm.variance()/float64(arm.n))
		o.naive = o.naive || math.Abs(l.estimate) > 1.96*plain
	}
	return o
}

func normal(r *rand.Rand, _, _, effect float64) float64 { return 10 + r.NormFloat64() + effect }

func duration(r *rand.Rand, _, _, effect float64) float64 {
	return math.Exp(5.5 + 0.9*r.NormFloat64() + effect)
}

// longTail is as the cost of an answer is: its mean hangs on few of them.
func longTail(r *rand.Rand, _, _, effect float64) float64 {
	return math.Exp(1.2*r.NormFloat64()) + effect
}

func chance(p float64) func(*rand.Rand, float64, float64, float64) float64 {
	return func(r *rand.Rand, _, _, effect float64) float64 {
		if r.Float64() < p+effect {
			return 1
		}
		return 0
	}
}

func moody(r *rand.Rand, nature, _, effect float64) float64 {
	return math.Exp(5.5 + 0.6*nature + 0.6*r.NormFloat64() + effect)
}

// clumsy has units that fail at nearly everything they ask.
func clumsy(r *rand.Rand, nature, _, effect float64) float64 {
	p := 0.01
	if nature > 1.65 {
		p = 0.6
	}
	return chance(p)(r, 0, 0, effect)
}

// rushHour is slow in the middle, for both arms.
func rushHour(r *rand.Rand, _, progress, effect float64) float64 {
	return math.Exp(5.5 + 2*math.Sin(progress*math.Pi*3) + 0.6*r.NormFloat64() + effect)
}

// slowing gets slower and slower, for both arms.
func slowing(r *rand.Rand, _, progress, effect float64) float64 {
	return math.Exp(5 + 4*progress + 0.5*r.NormFloat64() + effect)
}

var worlds = []world{
	{name: "normal", kind: Mean, requests: 2000, value: normal},
	{name: "normal, 90/10", kind: Mean, share: 0.1, requests: 3000, value: normal},
	{name: "duration", kind: LogMean, requests: 2000, value: duration},
	{name: "duration, 90/10", kind: LogMean, share: 0.1, requests: 3000, value: duration},
	{name: "long tail", kind: Mean, requests: 2000, value: longTail},
	{name: "long tail, 90/10", kind: Mean, share: 0.1, requests: 3000, value: longTail},
	{name: "rate 0.5", kind: Rate, requests: 2000, value: chance(0.5)},
	{name: "rate 0.05", kind: Rate, requests: 2000, value: chance(0.05)},
	{name: "rate 0.01, 90/10", kind: Rate, share: 0.1, requests: 6000, every: 3, value: chance(0.01)},
	{name: "rate 0.001", kind: Rate, requests: 20000, every: 10, value: chance(0.001)},
	{name: "rate 0.001, 90/10", kind: Rate, share: 0.1, requests: 20000, every: 10, value: chance(0.001)},
	{name: "units of 10", kind: LogMean, perUnit: 10, requests: 6000, every: 3, value: moody},
	{name: "units of 15, 90/10", kind: LogMean, share: 0.1, perUnit: 15, requests: 20000, every: 10, value: moody},
	{name: "clumsy units of 10", kind: Rate, perUnit: 10, requests: 6000, every: 3, value: clumsy},
	{name: "clumsy units, 90/10", kind: Rate, share: 0.1, perUnit: 10, requests: 10000, every: 5, value: clumsy},
	{name: "rush hours", kind: LogMean, requests: 3000, value: rushHour},
	{name: "rush hours, 90/10", kind: LogMean, share: 0.1, requests: 3000, value: rushHour},
	{name: "slower and slower", kind: LogMean, requests: 3000, value: slowing},
}

// effects are differences that are there, with the size of the sample that a test
// planned for it and looked at once would need to see it in 80 % of experiments.
var effects = []struct {
	world
	effect float64
	fixed  int
}{
	// 4 * 2.8² * variance / effect² requests where each unit has one.
	{world{name: "normal +0.3 sd", kind: Mean, value: normal}, 0.3, 348},
	{world{name: "normal +0.1 sd", kind: Mean, every: 5, value: normal}, 0.1, 3136},
	{world{name: "duration -10 %", kind: LogMean, every: 5, value: duration}, math.Log(0.9), 2288},
	{world{name: "rate 5 % to 8 %", kind: Rate, every: 5, value: chance(0.05)}, 0.03, 2117},
	{world{name: "rate 1 % to 2 %, 90/10", kind: Rate, share: 0.1, every: 10, value: chance(0.01)}, 0.01, 16300},
	// Half of the variance is between units, and a request's unit has 20 on average.
	{world{name: "units of 10, -25 %", kind: LogMean, perUnit: 10, every: 5, value: moody}, math.Log(0.75), 2870},
}

// A true difference is found, and every look's interval holds it.
func TestTrueDifferences(t *testing.T) {
	for _, e := range effects {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			n := *simulations
			e.requests = 3 * e.fixed
			found, missed, sizes := 0, 0, []float64{}
			for i := range n {
				o := e.play(rand.New(rand.NewPCG(uint64(i), 2)), e.effect, 0.05)
				size := math.Inf(1)
				if o.seen > 0 {
					found++
					size = float64(o.seen) / float64(e.fixed)
				}
				if !o.covered {
					missed++
				}
				sizes = append(sizes, size)
			}
			slices.Sort(sizes)
			share := float64(found) / float64(n)
			t.Logf("| %s | %d | %.1f | %.1f | %.1f %% |", e.name, e.fixed, sizes[n/2], sizes[n*8/10], 100*(1-float64(missed)/float64(n)))
			if share < 0.8 {
				t.Errorf("found in %d of %d experiments of 3 times the fixed size; want 80 %%", found, n)
			}
			if limit := 0.05 + 2.33*math.Sqrt(0.05*0.95/float64(n)); float64(missed) > limit*float64(n) {
				t.Errorf("%d of %d experiments had a look whose interval missed the truth; want at most %.1f %%", missed, n, 100*limit)
			}
		})
	}
}

// Where arms are equal, at most 5 % of experiments say otherwise at any look.
func TestFalseAlarms(t *testing.T) {
	for _, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			n := *simulations
			alarms, naive := 0, 0
			for i := range n {
				o := w.play(rand.New(rand.NewPCG(uint64(i), 1)), 0, 0.05)
				if o.seen > 0 {
					alarms++
				}
				if o.naive {
					naive++
				}
			}
			rate, limit := float64(alarms)/float64(n), 0.05+2.33*math.Sqrt(0.05*0.95/float64(n))
			t.Logf("| %s | %.1f %% | %.1f %% |", w.name, 100*rate, 100*float64(naive)/float64(n))
			if rate > limit {
				t.Errorf("%d false alarms in %d experiments, %.1f %%; want at most %.1f %%", alarms, n, 100*rate, 100*limit)
			}
		})
	}
}

// An arm's own interval, and those of its quantiles, hold the truth at every look.
func TestArmsByThemselves(t *testing.T) {
	median := math.Exp(5.5)
	tests := []struct {
		world
		truth     float64
		quantiles map[float64]float64
		most      float64 // of experiments may miss it
	}{
		{world{name: "duration", kind: LogMean, requests: 1500, value: duration}, median, map[float64]float64{0.5: median, 0.95: median * math.Exp(0.9*1.6448536269514722)}, 0.05},
		// A mean that hangs on a few observations is missed more often while those
		// have not come: docs/experiments.md says so. Two arms miss them alike.
		{world{name: "long tail", kind: Mean, requests: 1500, value: longTail}, math.Exp(1.2 * 1.2 / 2), nil, 0.12},
		{world{name: "rate 0.02", kind: Rate, requests: 1500, value: chance(0.02)}, 0.02, nil, 0.05},
		{world{name: "units of 10", kind: LogMean, perUnit: 10, requests: 3000, value: moody}, median, map[float64]float64{0.5: median, 0.95: median * math.Exp(0.6*math.Sqrt2*1.6448536269514722)}, 0.05},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			missed := map[string]int{}
			for i := range *simulations {
				for what := range tt.alone(rand.New(rand.NewPCG(uint64(i), 9)), tt.truth, tt.quantiles) {
					missed[what]++
				}
			}
			n := float64(*simulations)
			for what, m := range missed {
				t.Logf("| %s, %s | %.1f %% |", tt.name, what, 100*float64(m)/n)
				if limit := tt.most + 2.33*math.Sqrt(tt.most*(1-tt.most)/n); float64(m) > limit*n {
					t.Errorf("%s: the interval missed the truth at some look of %d of %v experiments; want at most %.1f %%", what, m, n, 100*limit)
				}
			}
		})
	}
}
