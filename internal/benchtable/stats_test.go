package benchtable

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPercentile(t *testing.T) {
	tests := []struct {
		name    string
		samples []float64
		p, want float64
	}{
		{"the one", []float64{7}, 99, 7},
		{"the middle of three, unsorted", []float64{9, 1, 5}, 50, 5},
		{"between two", []float64{1, 2}, 50, 1.5},
		{"the least", []float64{3, 1, 2}, 0, 1},
		{"the greatest", []float64{3, 1, 2}, 100, 3},
		{"a tenth of the way to the next", []float64{0, 10, 20}, 55, 11},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Percentile(tt.samples, tt.p); math.Abs(got-tt.want) > 1e-9 {
				t.Errorf("percentile(%v, %g) = %g, want %g", tt.samples, tt.p, got, tt.want)
			}
		})
	}
	if got := Percentile(nil, 50); !math.IsNaN(got) {
		t.Errorf("of no samples = %g, want NaN", got)
	}
}

// A percentile lies between two neighbouring samples, p of 100 of the samples
// lie at or below it, and the samples stay as they were.
func FuzzPercentile(f *testing.F) {
	f.Add(uint64(1), uint8(5), uint8(50))
	f.Fuzz(func(t *testing.T, seed uint64, n, p uint8) {
		if n == 0 || p > 100 {
			return
		}
		random := rand.New(rand.NewPCG(seed, 0))
		samples := make([]float64, n)
		for i := range samples {
			samples[i] = float64(random.IntN(50))
		}
		given := slices.Clone(samples)
		got := Percentile(samples, float64(p))
		if !slices.Equal(samples, given) {
			t.Error("the samples were changed")
		}
		sorted := slices.Sorted(slices.Values(samples))
		at := float64(p) / 100 * float64(n-1)
		if lo, hi := sorted[int(at)], sorted[int(math.Ceil(at))]; got < lo-1e-9 || got > hi+1e-9 {
			t.Errorf("percentile %d of %v = %g, want %g to %g", p, sorted, got, lo, hi)
		}
	})
}

func TestVerdict(t *testing.T) {
	tests := []struct {
		must, aim *Target
		ratio     float64
		want      string
	}{
		{AtLeast(0.95), nil, 0.96, "ok"},
		{AtLeast(0.95), nil, 0.94, "missed"},
		{AtMost(2.5), AtMost(1.5), 1.4, "aim"},
		{AtMost(2.5), AtMost(1.5), 2, "ok"},
		{AtMost(2.5), AtMost(1.5), 3, "missed"},
		{nil, AtLeast(1), 0.5, "below aim"},
		{nil, AtLeast(1), 1, "aim"},
		{nil, nil, 5, ""},
		{AtMost(0), nil, math.NaN(), ""},
	}
	for _, tt := range tests {
		r := Row{Must: tt.must, Aim: tt.aim}
		r.judge(tt.ratio)
		if r.Verdict != tt.want {
			t.Errorf("%g with must %v and aim %v is %q, want %q", tt.ratio, tt.must, tt.aim, r.Verdict, tt.want)
		}
	}
}

// The ratio is that of the rounds, not that of the medians: in each round both
// had the same machine.
func TestCompared(t *testing.T) {
	r := Row{}.Compared([]Pair{{10, 10}, {2, 4}, {30, 100}})
	if r.Value != 10 || r.Other != 10 || r.Ratio != 0.5 {
		t.Errorf("got %v, %v and %v, want 10, 10 and 0.5", r.Value, r.Other, r.Ratio)
	}
}
