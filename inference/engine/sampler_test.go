package engine

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
)

func randomLogits(rng *rand.Rand, n int) []float32 {
	logits := make([]float32, n)
	for i := range logits {
		logits[i] = float32(rng.NormFloat64() * 4)
	}
	return logits
}

// The tokens that top selects are exactly the likeliest, in order.
func FuzzTopIsExact(f *testing.F) {
	f.Add(uint64(1), 40, 1000)
	f.Add(uint64(2), 1, 7)
	f.Add(uint64(3), 0, 50)
	f.Fuzz(func(t *testing.T, seed uint64, k, n int) {
		if n < 1 || n > 5000 || k < 0 {
			t.Skip("not a vocabulary")
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		logits := randomLogits(rng, n)
		for range rng.IntN(n) { // ties
			logits[rng.IntN(n)] = logits[rng.IntN(n)]
		}
		want := make([]llama.Token, n)
		for i := range want {
			want[i] = llama.Token(i)
		}
		slices.SortFunc(want, func(a, b llama.Token) int {
			return cmp.Or(cmp.Compare(logits[b], logits[a]), cmp.Compare(a, b))
		})
		if k > 0 {
			want = want[:min(k, n)]
		}
		s := newSampler(sampling{topK: k}, nil)
		s.top(logits)
		var got []llama.Token
		for _, c := range s.cand {
			got = append(got, c.token)
		}
		if !slices.Equal(got, want) {
			t.Errorf("top %d of %d: got %v, want %v", k, n, got, want)
		}
	})
}

// Drawn often enough, a token comes up as often as its probability says.
func TestDrawFollowsTheDistribution(t *testing.T) {
	logits := []float32{0, 1, 2, 3, float32(math.Inf(-1)), float32(math.NaN())}
	s := newSampler(sampling{temperature: 1.5, topP: 1, seed: 7}, nil)
	const draws = 200_000
	counts := make([]float64, len(logits))
	for range draws {
		counts[s.sample(logits)]++
	}
	sum := 0.0
	for _, l := range logits[:4] {
		sum += math.Exp(float64(l) / 1.5)
	}
	for i, l := range logits[:4] {
		want := math.Exp(float64(l)/1.5) / sum
		if got := counts[i] / draws; math.Abs(got-want) > 0.01 {
			t.Errorf("token %d came up with frequency %.3f, want %.3f", i, got, want)
		}
	}
	if counts[4]+counts[5] > 0 {
		t.Errorf("a token with logit -Inf or NaN came up")
	}
}

func TestCutoffs(t *testing.T) {
	// Probabilities 0.5, 0.25, 0.125, 0.125.
	logits := []float32{float32(math.Log(0.5)), float32(math.Log(0.25)), float32(math.Log(0.125)), float32(math.Log(0.125))}
	tests := []struct {
		name string
		s    sampling
		keep int
	}{
		{"all", sampling{topP: 1}, 4},
		{"top_k", sampling{topP: 1, topK: 2}, 2},
		{"top_p ends with the token that reaches the mass", sampling{topP: 0.6}, 2},
		{"top_p keeps one at least", sampling{topP: 0.01}, 1},
		{"min_p is relative to the likeliest", sampling{topP: 1, minP: 0.3}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.s.temperature = 1
			s := newSampler(tt.s, nil)
			s.draw(logits)
			if len(s.cand) != tt.keep {
				t.Errorf("%d tokens are left, want %d", len(s.cand), tt.keep)
			}
		})
	}
}

func TestSeedDecides(t *testing.T) {
	logits := randomLogits(rand.New(rand.NewPCG(1, 1)), 500)
	run := func(seed uint64) (tokens []llama.Token) {
		s := newSampler(sampling{temperature: 2, topP: 1, seed: seed}, nil)
		for range 20 {
			tokens = append(tokens, s.sample(logits))
		}
		return tokens
	}
	if !slices.Equal(run(5), run(5)) {
		t.Error("the same seed gave different tokens")
	}
	if slices.Equal(run(5), run(6)) {
		t.Error("another seed gave the same tokens")
	}
}

func TestPenaltiesAndBias(t *testing.T) {
	logits := []float32{3, 2, 1, 0}
	original := slices.Clone(logits)
	greedy := func(s sampling, prompt ...llama.Token) llama.Token {
		return newSampler(s, prompt).sample(logits)
	}
	if got := greedy(sampling{presence: 1.5}, 0); got != 1 {
		t.Errorf("with a presence penalty on token 0, %d was drawn, want 1", got)
	}
	if got := greedy(sampling{frequency: 0.8}, 0, 0); got != 1 {
		t.Errorf("with a frequency penalty on token 0 twice, %d was drawn, want 1", got)
	}
	if got := greedy(sampling{bias: map[llama.Token]float64{3: 100}}); got != 3 {
		t.Errorf("with a bias of 100 on token 3, %d was drawn", got)
	}
	if got := greedy(sampling{}); got != 0 {
		t.Errorf("greedy drew %d", got)
	}
	if !slices.Equal(logits, original) {
		t.Errorf("the logits, which others may read, were changed to %v", logits)
	}
}

func TestRequestOverridesDefaults(t *testing.T) {
	seed := int64(-1)
	s, err := defaultSampling.with(chat.Sampling{Temperature: new(0.0), TopK: new(3), Seed: &seed}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if s.temperature != 0 || s.topK != 3 || s.topP != defaultSampling.topP || s.seed != math.MaxUint64 {
		t.Errorf("got %+v", s)
	}
	if _, err := defaultSampling.with(chat.Sampling{LogitBias: map[int]float64{10: 1}}, 10); err == nil {
		t.Error("a bias on a token outside the vocabulary was accepted")
	}
}

func BenchmarkSample(b *testing.B) {
	logits := randomLogits(rand.New(rand.NewPCG(1, 1)), 150_000)
	for _, tt := range []struct {
		name string
		s    sampling
	}{
		{"greedy", sampling{}},
		{"default", defaultSampling},
		{"top_k off", sampling{temperature: 0.8, topP: 0.95}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			s := newSampler(tt.s, nil)
			for b.Loop() {
				s.sample(logits)
			}
		})
	}
}
