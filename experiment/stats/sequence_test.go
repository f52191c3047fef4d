package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Zero is outside the interval exactly where the p-value is at most alpha.
func FuzzIntervalAndPAgree(f *testing.F) {
	f.Add(1.0, 0.1, 300.0, 0.05)
	f.Add(-3.0, 1.0, 50.0, 0.01)
	f.Add(0.0, 0.0, 50.0, 0.01)
	f.Fuzz(func(t *testing.T, estimate, variance, n, alpha float64) {
		if !(variance >= 0 && variance < 1e100 && n >= 1 && n < 1e12 && alpha > 1e-9 && alpha < 0.5 && math.Abs(estimate) < 1e100) {
			return
		}
		l := newLook(estimate, variance, n, 1)
		p := l.p()
		if math.Abs(p-alpha) < 1e-9 {
			return
		}
		if out := !l.interval(alpha).Holds(0); out != (p < alpha) {
			t.Errorf("interval %v and p %v at alpha %v", l.interval(alpha), p, alpha)
		}
	})
}

// With the mixture, the evidence against a true share is 1 on average after any
// number of observations: no look at it is biased.
func TestMixtureIsMartingale(t *testing.T) {
	for _, p := range []float64{0.001, 0.1, 0.5, 0.97} {
		for _, n := range []int{1, 7, 60} {
			sum := 0.0
			for x := range n + 1 {
				k, m := float64(x), float64(n)
				choose := -logBeta(k+1, m-k+1) - math.Log(m+1)
				sum += math.Exp(choose + k*math.Log(p) + (m-k)*math.Log1p(-p) + logMixture(k, m, p))
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Errorf("after %d observations of a share of %v the evidence is %v on average, want 1", n, p, sum)
			}
		}
	}
}

func TestShare(t *testing.T) {
	tests := []struct {
		name      string
		x, n      float64
		low, high float64 // the interval must hold these
		width     float64 // and be no wider
	}{
		{"nothing seen", 0, 0, 0, 1, 1},
		{"never in 1,000", 0, 1000, 0, 0.001, 0.008},
		{"always in 1,000", 1000, 1000, 0.999, 1, 0.008},
		{"half of 100", 50, 100, 0.4, 0.6, 0.4},
		{"one", 1, 1, 0.1, 1, 1},
	}
	for _, tt := range tests {
		i := share(tt.x, tt.n, 0.05)
		if !i.Holds(tt.low) || !i.Holds(tt.high) || i.High-i.Low > tt.width {
			t.Errorf("%s: %v; want %v and %v inside and a width of %v at most", tt.name, i, tt.low, tt.high, tt.width)
		}
	}
}

// What is said to be needed is what a difference of that size is seen with.
func TestNeeded(t *testing.T) {
	l := newLook(0.1, 0.01, 200, 1)
	times := l.needed(0.1, 0.05)
	found := 0
	const plays = 2000
	r := rand.New(rand.NewPCG(7, 7))
	for range plays {
		later := look{variance: l.variance / times, clock: l.clock * times}
		later.estimate = 0.1 + r.NormFloat64()*math.Sqrt(later.variance)
		if !later.interval(0.05).Holds(0) {
			found++
		}
	}
	if share := float64(found) / plays; math.Abs(share-power) > 0.03 {
		t.Errorf("at %.1f times the data %v of the experiments see the difference, want %v", times, share, power)
	}
	if got := l.needed(0, 0.05); !math.IsInf(got, 1) {
		t.Errorf("nothing needs %v times the data, want for ever", got)
	}
}

// A draw by the weights is called broken in at most 5 % of experiments, whenever
// one looks; one that is off is found.
func TestMismatch(t *testing.T) {
	draw := func(seed uint64, second float64) (alarm bool, p float64) {
		r := rand.New(rand.NewPCG(seed, 8))
		units := make([]int64, 3)
		for range 3000 {
			switch x := r.Float64(); {
			case x < second:
				units[1]++
			case x < second+0.1:
				units[2]++
			default:
				units[0]++
			}
			p = Mismatch(units, []float64{60, 30, 10})
			alarm = alarm || p <= 0.05
		}
		return alarm, p
	}
	alarms := 0
	for i := range 100 {
		if alarm, _ := draw(uint64(i), 0.3); alarm {
			alarms++
		}
	}
	if alarms > 11 {
		t.Errorf("%d false alarms in 100 experiments", alarms)
	}
	if _, p := draw(1, 0.4); p > 0.001 {
		t.Errorf("40 %% of units in an arm of 30 %%: p = %v", p)
	}
	if p := Mismatch([]int64{5, 1}, []float64{1, 0}); p != 0 {
		t.Errorf("a unit in an arm without weight: p = %v, want 0", p)
	}
	if p := Mismatch([]int64{0, 0}, []float64{1, 1}); p != 1 {
		t.Errorf("no units: p = %v, want 1", p)
	}
}
