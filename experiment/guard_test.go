package experiment

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"bendi/ledger"
)

// An arm that is at its limit is stopped in at most 1 of 100 experiments, though
// the guard looks after each request; one far above it, soon.
func TestGuardsDoNotStopByNoise(t *testing.T) {
	const experiments, looks = 400, 300
	luck := rand.New(rand.NewPCG(1, 2))
	for _, limit := range []float64{0.02, 0.3} {
		stopped := 0
		for range experiments {
			var r rate
			for range looks {
				r.N++
				if luck.Float64() < limit {
					r.Bad++
				}
				if r.over(limit) {
					stopped++
					break
				}
			}
		}
		// 4 are expected at most; 13 are 4.5 standard deviations more.
		if stopped > 13 {
			t.Errorf("limit %v: %d of %d experiments were stopped within %d looks", limit, stopped, experiments, looks)
		}
		var r rate
		for r.N < 1000 && !r.over(limit) {
			r.N++
			if luck.Float64() < min(1, 3*limit) {
				r.Bad++
			}
		}
		if r.N == 1000 {
			t.Errorf("limit %v: three times as much was not noticed in %d requests", limit, r.N)
		}
	}
}

func BenchmarkGuard(b *testing.B) {
	r := rate{1000, 40}
	for b.Loop() {
		r.over(0.05)
	}
}

// A client that fails again and again counts once, and does not stop an arm.
func TestOneClientStopsNoArm(t *testing.T) {
	g := Guards{Errors: 0.05, TTFT: time.Second, Filter: 0.05, After: 5}
	var v vigil
	now := time.Now()
	for i := range 500 {
		v.add(&Observation{At: now.Add(time.Duration(i) * time.Millisecond), Unit: "one", Outcome: ledger.Failed}, g)
	}
	if guard, why := v.trip(g); guard != "" {
		t.Errorf("stopped by %s: %s", guard, why)
	}
	tests := []struct {
		want string
		o    Observation
	}{
		{"errors", Observation{Outcome: ledger.Failed}},
		{"filter", Observation{Outcome: ledger.Success, Filtered: true}},
		{"ttft_p95", Observation{Outcome: ledger.Success, First: 2 * time.Second}},
		{"ttft_p95", Observation{Outcome: ledger.Gone, Total: 2 * time.Second}},
		{"", Observation{Outcome: ledger.Gone, Total: time.Second / 2}},
		{"", Observation{Outcome: ledger.Success, First: time.Second}},
	}
	for _, tt := range tests {
		var v vigil
		for i := range 20 {
			o := tt.o
			o.At, o.Unit = now, fmt.Sprint(i)
			v.add(&o, g)
		}
		if guard, why := v.trip(g); guard != tt.want {
			t.Errorf("%+v: stopped by %q (%s), want %q", tt.o, guard, why, tt.want)
		}
	}
}
