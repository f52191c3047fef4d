package scan

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) { deptest.StandardLibraryOnly(t) }

// random returns n logits, some of which are no numbers.
func random(seed uint64, n int, spread float64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 5))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64() * spread)
	}
	for range n / 100 {
		x[rng.IntN(n)] = float32(math.NaN())
		x[rng.IntN(n)] = float32(math.Inf(-1))
	}
	return x
}

// However many logits there are, and wherever they begin in memory, the peaks
// are those that a look at each finds.
func FuzzPeaks(f *testing.F) {
	f.Add(uint64(1), 1000, 4.0)
	f.Add(uint64(2), 3, 0.0)
	f.Add(uint64(3), 64, 1.0)
	f.Add(uint64(4), 129, 1e30)
	f.Fuzz(func(t *testing.T, seed uint64, n int, spread float64) {
		if n < 0 || n > 20000 || !(spread >= 0 && spread < 1e30) {
			t.Skip("not logits")
		}
		x := random(seed, n, spread)[min(n, int(seed%3)):]
		var want []float32
		for part := range slices.Chunk(x, Block) {
			want = append(want, peak(part))
		}
		before := []float32{7}
		got := Peaks(before, x)
		if got[0] != 7 || !slices.Equal(got[1:], want) {
			t.Errorf("got %v, want 7 and %v", got, want)
		}
	})
}

// The sum is that of math.Exp, whatever the logits.
func FuzzSumExp(f *testing.F) {
	f.Add(uint64(1), 1000, 4.0)
	f.Add(uint64(2), 3, 0.0)
	f.Add(uint64(3), 5000, 40.0)
	f.Add(uint64(4), 151936, 4.0)
	f.Fuzz(func(t *testing.T, seed uint64, n int, spread float64) {
		if n < 1 || n > 200_000 || !(spread >= 0 && spread < 1e4) {
			t.Skip("not logits")
		}
		x := random(seed, n, spread)
		most := peak(x)
		if math.IsInf(float64(most), 0) {
			t.Skip("no logits")
		}
		scale := 1 / float32(1+seed%3)
		want := 0.0
		for _, l := range x {
			if d := float64(l-most) * float64(scale); d <= 0 {
				want += math.Exp(d)
			}
		}
		for name, got := range map[string]float64{"SumExp": SumExp(x, most, scale), "in Go": sumExp(x, most, scale)} {
			if math.Abs(got-want) > 3e-7*want {
				t.Errorf("%s: %v, want %v: off by %.2g", name, got, want, got/want-1)
			}
		}
	})
}

func BenchmarkPeaks(b *testing.B) {
	x := random(1, 151_936, 4)
	var dst []float32
	for b.Loop() {
		dst = Peaks(dst[:0], x)
	}
}

func BenchmarkPeaksInGo(b *testing.B) {
	x := random(1, 151_936, 4)
	dst := make([]float32, len(x)/Block)
	for b.Loop() {
		peaks(dst, x)
	}
}

func BenchmarkSumExp(b *testing.B) {
	x := random(1, 151_936, 4)
	most := peak(x)
	for b.Loop() {
		SumExp(x, most, 1)
	}
}

func BenchmarkSumExpInGo(b *testing.B) {
	x := random(1, 151_936, 4)
	most := peak(x)
	for b.Loop() {
		sumExp(x, most, 1)
	}
}
