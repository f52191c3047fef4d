package engine

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The sum is that of math.Exp, whatever the logits.
func FuzzExpSum(f *testing.F) {
	f.Add(uint64(1), 1000, 4.0)
	f.Add(uint64(2), 3, 0.0)
	f.Add(uint64(3), 5000, 40.0)
	f.Fuzz(func(t *testing.T, seed uint64, n int, spread float64) {
		if n < 1 || n > 20000 || !(spread >= 0 && spread < 1e4) {
			t.Skip("not logits")
		}
		rng := rand.New(rand.NewPCG(seed, 5))
		logits := make([]float32, n)
		for i := range logits {
			logits[i] = float32(rng.NormFloat64() * spread)
		}
		if n > 2 {
			logits[1], logits[2] = float32(math.NaN()), float32(math.Inf(-1))
		}
		best := logits[argmax(logits)]
		want := 0.0
		for _, l := range logits {
			if d := float64(l - best); d <= 0 {
				want += math.Exp(d)
			}
		}
		if got := expSum(logits, best); math.Abs(got-want) > 1e-8*want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func BenchmarkExpSum(b *testing.B) {
	logits := randomLogits(rand.New(rand.NewPCG(1, 1)), 150_000)
	best := logits[argmax(logits)]
	for b.Loop() {
		expSum(logits, best)
	}
}
