package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// observe returns a tally of n durations from units of some requests each.
func observe(t testing.TB, kind Kind, seed uint64, n int) (*Tally, []float64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	tally, seen := NewTally(kind), []float64{}
	for range n {
		x := math.Exp(5 + r.NormFloat64())
		if kind == Rate || kind == Vote {
			x = float64(r.IntN(2))
		}
		if err := tally.Add(strconv.Itoa(r.IntN(n/3+1)), x); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, x)
	}
	return tally, seen
}

func TestAddRefuses(t *testing.T) {
	tests := []struct {
		kind Kind
		x    float64
		want string // in the error; empty: none
	}{
		{Mean, -3, ""},
		{Mean, math.NaN(), "not a number"},
		{Mean, math.Inf(1), "not a number"},
		{Mean, 1e101, "beyond"},
		{LogMean, 0.1, ""},
		{LogMean, 1e-101, "beyond"},
		{LogMean, 0, "want more than 0"},
		{Rate, 1, ""},
		{Rate, 1.1, "want 0 to 1"},
		{Vote, 0.5, ""},
		{Vote, -1, "want 0 to 1"},
	}
	for _, tt := range tests {
		tally := NewTally(tt.kind)
		err := tally.Add("u", tt.x)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Add(%v) to a %s = %v, want %q", tt.x, tt.kind, err, tt.want)
		}
		if want := int64(1); err != nil && tally.N() != 0 || err == nil && tally.N() != want {
			t.Errorf("Add(%v) to a %s counted %d observations", tt.x, tt.kind, tally.N())
		}
	}
}

func TestQuantilesAreNearTheOrderedOnes(t *testing.T) {
	tally, seen := observe(t, LogMean, 5, 5000)
	slices.Sort(seen)
	for _, p := range []float64{0.01, 0.5, 0.95, 0.99} {
		q := tally.Quantile(p, 0.05)
		want := seen[int(p*5000)]
		if math.Abs(q.Value/want-1) > 0.015 {
			t.Errorf("quantile %v = %v, want %v", p, q.Value, want)
		}
		if !(q.Low < q.Value && q.Value < q.High) {
			t.Errorf("quantile %v = %v outside its interval %v", p, q.Value, q.Interval)
		}
	}
	few, _ := observe(t, LogMean, 5, 4)
	if q := few.Quantile(0.95, 0.05); q.High != few.max {
		t.Errorf("of 4 observations the 95th percentile ends at %v, want the greatest, %v", q.High, few.max)
	}
}

// Units are counted nearly exactly while they are few.
func TestUnits(t *testing.T) {
	for _, n := range []int{0, 1, 20, 300, 2000} {
		tally := NewTally(Rate)
		for i := range 3 * n {
			if err := tally.Add("session-"+strconv.Itoa(i%max(n, 1)), 0); err != nil {
				t.Fatal(err)
			}
		}
		if got := float64(tally.Units()); math.Abs(got-float64(n)) > 0.1*float64(n) {
			t.Errorf("%v units, want %d", got, n)
		}
	}
}

// Ten requests of each unit that are all the same tell no more than one.
func TestRepetitionTellsNothing(t *testing.T) {
	once, tenfold := NewTally(LogMean), NewTally(LogMean)
	r := rand.New(rand.NewPCG(1, 5))
	for i := range 200 {
		x := math.Exp(r.NormFloat64())
		for range 10 {
			if err := tenfold.Add(strconv.Itoa(i), x); err != nil {
				t.Fatal(err)
			}
		}
		if err := once.Add(strconv.Itoa(i), x); err != nil {
			t.Fatal(err)
		}
	}
	a, b := once.spread()/200/200, tenfold.spread()/2000/2000
	if math.Abs(a/b-1) > 1e-9 {
		t.Errorf("variance of the mean = %v of one request each, %v of ten", a, b)
	}
	if d := tenfold.design(); d < 9 || d > 11 {
		t.Errorf("design effect of ten equal requests = %v, want 10", d)
	}
}

// A unit counts once, where it was seen first, and is known to have moved.
func TestDraw(t *testing.T) {
	var d Draw
	for i := range 3000 {
		arm := "base"
		if i%3 == 0 {
			arm = "other"
		}
		d.Add(arm, strconv.Itoa(i%300))
	}
	if u := d.Units(); u["base"] != 200 || u["other"] != 100 || d.Moved() != 0 || d.Full() {
		t.Errorf("units %v, moved %d, full %v; want 200 and 100, none moved, not full", u, d.Moved(), d.Full())
	}
	if p := d.Mismatch(map[string]float64{"base": 2, "other": 1}); p < 0.5 {
		t.Errorf("drawn by the weights, p = %v", p)
	}
	if p := d.Mismatch(map[string]float64{"base": 1, "other": 1}); p > 0.001 {
		t.Errorf("drawn by other weights, p = %v", p)
	}
	d.Add("other", "1")
	if u := d.Units(); u["base"] != 200 || d.Moved() != 1 {
		t.Errorf("after a move: units %v, moved %d; want 200 in base, 1 moved", u, d.Moved())
	}
	for i := range MaxDrawn + 10 {
		d.Add("base", "x"+strconv.Itoa(i))
	}
	if u := d.Units(); u["base"]+u["other"] != MaxDrawn || !d.Full() {
		t.Errorf("%v units are remembered, full %v; want %d", u, d.Full(), MaxDrawn)
	}
}
