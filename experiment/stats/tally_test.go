package stats

import (
	"encoding/json"
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

// However observations are spread over tallies, through JSON or not, merging them
// tells the same as one tally of all.
func FuzzMerge(f *testing.F) {
	f.Add(uint64(1), 300, 3, uint8(0))
	f.Add(uint64(2), 5, 1, uint8(1))
	f.Add(uint64(3), 2000, 7, uint8(2))
	f.Fuzz(func(t *testing.T, seed uint64, n, parts int, kind uint8) {
		n, parts = min(max(n, 0), 3000), min(max(parts, 1), 20)
		k := []Kind{Mean, LogMean, Rate, Vote}[kind%4]
		r := rand.New(rand.NewPCG(seed, 4))
		whole, merged := NewTally(k), NewTally(k)
		split := make([]*Tally, parts)
		for i := range split {
			split[i] = NewTally(k)
		}
		for range n {
			x := math.Exp(10 + 3*r.NormFloat64())
			if k == Rate || k == Vote {
				x = float64(r.IntN(3)) / 2
			}
			unit := strconv.Itoa(r.IntN(200))
			for _, tally := range []*Tally{whole, split[r.IntN(parts)]} {
				if err := tally.Add(unit, x); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, part := range split {
			data, err := json.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			var read Tally
			if err := json.Unmarshal(data, &read); err != nil {
				t.Fatal(err)
			}
			if err := merged.Merge(&read); err != nil {
				t.Fatal(err)
			}
		}
		a, b := whole.Value(0.05), merged.Value(0.05)
		if a.N != b.N || a.Units != b.Units || a.Min != b.Min || a.Max != b.Max || !near(a.Value, b.Value) {
			t.Errorf("whole %+v, merged %+v", a, b)
		}
		if (a.Interval == nil) != (b.Interval == nil) || a.Interval != nil && (!near(a.Interval.Low, b.Interval.Low) || !near(a.Interval.High, b.Interval.High)) {
			t.Errorf("interval %v of the whole, %v of the merged", a.Interval, b.Interval)
		}
		// The ends of an interval may lie on either side of a mark.
		if a.P95 != nil && (a.P95.Value != b.P95.Value || math.Abs(math.Log(a.P95.High/b.P95.High)) > 0.5 || math.Abs(math.Log(a.P95.Low/b.P95.Low)) > 0.5) {
			t.Errorf("95th percentile %v of the whole, %v of the merged", *a.P95, *b.P95)
		}
	})
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(1, math.Abs(a), math.Abs(b)) }

func TestMergeOfOtherKind(t *testing.T) {
	if err := NewTally(Mean).Merge(NewTally(Rate)); err == nil {
		t.Error("a rate was merged into a mean")
	}
}

// What is read is a tally or an error, and never a panic.
func FuzzUnmarshal(f *testing.F) {
	tally, _ := observe(f, LogMean, 1, 20)
	data, err := json.Marshal(tally)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"kind":"mean","n":1,"cells":[[1e9,1,0]]}`))
	f.Add([]byte(`{"kind":"rate","n":2,"mean":7,"cells":[[3,2,14]]}`))
	f.Add([]byte(`{"kind":"log_mean","n":3,"mean":1,"m2":-1,"cells":[[3,3,1]],"marks":[[1,-1]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var tally Tally
		if json.Unmarshal(data, &tally) != nil {
			return
		}
		if _, err := json.Marshal(Compare(Metric{Kind: tally.kind}, &tally, &tally, 0.05)); err != nil {
			t.Errorf("a comparison of %s cannot be written: %v", data, err)
		}
	})
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
