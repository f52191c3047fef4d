package stats

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// arm returns a tally of n units with one request each.
func armOf(t *testing.T, kind Kind, n int, value func(i int) float64) *Tally {
	t.Helper()
	tally := NewTally(kind)
	for i := range n {
		if err := tally.Add("unit-"+strconv.Itoa(i), value(i)); err != nil {
			t.Fatal(err)
		}
	}
	return tally
}

func TestCompare(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	around := func(mean float64) func(int) float64 {
		return func(int) float64 { return mean + r.NormFloat64() }
	}
	long := func(scale float64) func(int) float64 {
		return func(int) float64 { return scale * math.Exp(r.NormFloat64()*0.5) }
	}
	each := func(k int) func(int) float64 {
		return func(i int) float64 {
			if i%k == 0 {
				return 1
			}
			return 0
		}
	}
	always := func(x float64) func(int) float64 { return func(int) float64 { return x } }
	tests := []struct {
		name         string
		kind         Kind
		better       Better
		control, arm *Tally
		want         Verdict
		missing      string
	}{
		{"nothing at all", Mean, Higher, nil, nil, NotEnoughData, "units in control"},
		{"nothing in the arm", Mean, Higher, armOf(t, Mean, 500, around(5)), nil, NotEnoughData, "units in arm"},
		{"few units", Mean, Higher, armOf(t, Mean, 49, around(5)), armOf(t, Mean, 49, around(50)), NotEnoughData, "units in control"},
		{"equal", Mean, Higher, armOf(t, Mean, 500, around(5)), armOf(t, Mean, 500, around(5)), NoDifference, ""},
		{"higher is better", Mean, Higher, armOf(t, Mean, 500, around(5)), armOf(t, Mean, 500, around(6)), ArmBetter, ""},
		{"higher is worse", Mean, Lower, armOf(t, Mean, 500, around(5)), armOf(t, Mean, 500, around(6)), ArmWorse, ""},
		{"higher is neither", Mean, Neither, armOf(t, Mean, 500, around(5)), armOf(t, Mean, 500, around(6)), Different, ""},
		{"constant and the same", Mean, Higher, armOf(t, Mean, 500, always(5)), armOf(t, Mean, 500, always(5)), NoDifference, ""},
		{"constant and another", Mean, Lower, armOf(t, Mean, 500, always(0)), armOf(t, Mean, 500, always(1)), ArmWorse, ""},
		{"faster", LogMean, Lower, armOf(t, LogMean, 500, long(300)), armOf(t, LogMean, 500, long(200)), ArmBetter, ""},
		{"no errors", Rate, Lower, armOf(t, Rate, 500, always(0)), armOf(t, Rate, 500, always(0)), NotEnoughData, "events in both"},
		{"nothing but errors", Rate, Lower, armOf(t, Rate, 500, always(1)), armOf(t, Rate, 500, always(1)), NotEnoughData, "events in both"},
		{"more errors", Rate, Lower, armOf(t, Rate, 500, each(100)), armOf(t, Rate, 500, each(10)), ArmWorse, ""},
		{"no votes", Vote, Higher, nil, nil, NotEnoughData, "votes in both"},
		{"five votes, all for the arm", Vote, Higher, nil, armOf(t, Vote, 5, always(1)), NoDifference, ""},
		{"twenty votes, all for the arm", Vote, Higher, nil, armOf(t, Vote, 20, always(1)), ArmBetter, ""},
		{"ties", Vote, Higher, nil, armOf(t, Vote, 300, always(0.5)), NoDifference, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Compare(Metric{Name: "m", Kind: tt.kind, Better: tt.better}, tt.control, tt.arm, 0.05)
			missing := ""
			if c.Missing != nil {
				missing = c.Missing.What + " in " + c.Missing.In
			}
			if c.Verdict != tt.want || missing != tt.missing {
				t.Fatalf("verdict %s, missing %q; want %s, %q", c.Verdict, missing, tt.want, tt.missing)
			}
			if (c.Interval == nil) != (tt.want == NotEnoughData) || (c.Better == nil) != (c.Interval == nil) || (c.Estimate == nil) != (c.Interval == nil) {
				t.Errorf("interval %v, estimate %v, better %v with the verdict %s", c.Interval, c.Estimate, c.Better, c.Verdict)
			}
			if c.Interval != nil && c.Interval.Holds(c.Nothing) != (c.P > 0.05) {
				t.Errorf("interval %v around %v, p = %v", *c.Interval, c.Nothing, c.P)
			}
			if c.Verdict == ArmBetter && *c.Better < 0.95 || c.Verdict == ArmWorse && *c.Better > 0.05 {
				t.Errorf("better with probability %v, and the verdict is %s", *c.Better, c.Verdict)
			}
			if c.Verdict != NoDifference && c.Needed != 0 {
				t.Errorf("%d more are needed for the verdict %s", c.Needed, c.Verdict)
			}
		})
	}
}

// One unit that sends nearly all requests of an arm does not make it large.
func TestGiantUnit(t *testing.T) {
	control := armOf(t, Mean, 500, func(i int) float64 { return float64(i % 7) })
	arm := armOf(t, Mean, 60, func(i int) float64 { return float64(i % 7) })
	for range 5000 {
		if err := arm.Add("giant", 20); err != nil {
			t.Fatal(err)
		}
	}
	if c := Compare(Metric{Kind: Mean, Better: Higher}, control, arm, 0.05); c.Verdict != NotEnoughData || c.Missing.In != "arm" {
		t.Errorf("verdict %s, missing %+v; want not enough data in the arm", c.Verdict, c.Missing)
	}
}
