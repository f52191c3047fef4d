package engine

import (
	"cmp"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
)

// plain cuts and penalizes nothing.
var plain = sampling{temperature: 1, topP: 1, typicalP: 1, repeat: 1, penaltyWindow: 64}

func plainly(change func(*sampling)) sampling {
	s := plain
	change(&s)
	return s
}

func draw(s *sampler, logits []float32) llama.Token {
	token, _ := s.sample(logits, nil)
	return token
}

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
		s := newSampler(plain, nil)
		s.look(logits)
		s.top(logits, cmp.Or(k, n))
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
	s := newSampler(plainly(func(s *sampling) { s.temperature, s.seed = 1.5, 7 }), nil)
	const draws = 200_000
	counts := make([]float64, len(logits))
	for range draws {
		counts[draw(s, logits)]++
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
		{"all", plainly(func(s *sampling) { s.topP = 1 - 1e-12 }), 4}, // 1 draws without an order
		{"top_k", plainly(func(s *sampling) { s.topK = 2 }), 2},
		{"top_p ends with the token that reaches the mass", plainly(func(s *sampling) { s.topP = 0.6 }), 2},
		{"top_p keeps one at least", plainly(func(s *sampling) { s.topP = 0.01 }), 1},
		{"min_p is relative to the likeliest", plainly(func(s *sampling) { s.minP = 0.3 }), 2},
		{"typical keeps what surprises as expected", plainly(func(s *sampling) { s.typicalP = 0.2 }), 1},
		{"top-n-sigma", plainly(func(s *sampling) { s.topNSigma, s.topP = 1, 1-1e-12 }), 1},
		{"XTC leaves the least likely of the likely", plainly(func(s *sampling) { s.xtc = chat.XTC{Probability: 1, Threshold: 0.2} }), 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSampler(tt.s, nil)
			s.look(logits)
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
		s := newSampler(plainly(func(s *sampling) { s.temperature, s.seed = 2, seed }), nil)
		for range 20 {
			tokens = append(tokens, draw(s, logits))
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
	greedy := func(change func(*sampling), seen ...llama.Token) llama.Token {
		s := plainly(change)
		s.temperature = 0
		return draw(newSampler(s, seen), logits)
	}
	tests := []struct {
		name   string
		change func(*sampling)
		seen   []llama.Token
		want   llama.Token
	}{
		{"none", func(*sampling) {}, []llama.Token{0}, 0},
		{"presence", func(s *sampling) { s.presence = 1.5 }, []llama.Token{0}, 1},
		{"frequency counts", func(s *sampling) { s.frequency = 0.8 }, []llama.Token{0, 0}, 1},
		{"repeat divides", func(s *sampling) { s.repeat = 2 }, []llama.Token{0}, 1},
		{"outside the window", func(s *sampling) { s.presence, s.penaltyWindow = 1.5, 2 }, []llama.Token{0, 3, 3}, 0},
		{"DRY", func(s *sampling) { s.dry = chat.DRY{Multiplier: 2, Base: 2, AllowedLength: 2, Window: -1} }, []llama.Token{2, 3, 0, 2, 3}, 1},
		{"DRY allows short repeats", func(s *sampling) { s.dry = chat.DRY{Multiplier: 2, Base: 2, AllowedLength: 3, Window: -1} }, []llama.Token{2, 3, 0, 2, 3}, 0},
		{"bias", func(s *sampling) { s.bias = map[llama.Token]float64{3: 100} }, nil, 3},
	}
	for _, tt := range tests {
		if got := greedy(tt.change, tt.seen...); got != tt.want {
			t.Errorf("%s: %d was drawn, want %d", tt.name, got, tt.want)
		}
	}
	if !slices.Equal(logits, original) {
		t.Errorf("the logits, which others may read, were left as %v", logits)
	}
}

// With top_k off, what is drawn is what it would be were the whole vocabulary
// sorted first.
func FuzzShortlistIsExact(f *testing.F) {
	f.Add(uint64(1), 5000, 0.9, 0.0)
	f.Add(uint64(2), 3000, 0.9999, 0.0)
	f.Add(uint64(3), 3000, 1.0, 0.01)
	f.Fuzz(func(t *testing.T, seed uint64, n int, topP, minP float64) {
		if n < 1 || n > 20000 || !(topP > 0 && topP <= 1) || !(minP >= 0 && minP <= 1) {
			t.Skip("not a request")
		}
		logits := randomLogits(rand.New(rand.NewPCG(seed, 2)), n)
		s := newSampler(plainly(func(s *sampling) { s.topP, s.minP = topP, minP }), nil)
		s.look(logits)
		s.top(logits, n)
		s.normalize(s.mass(1), 1)
		s.cut()
		var want []llama.Token
		for _, c := range s.cand {
			want = append(want, c.token)
		}
		s.shortlist(logits)
		s.cut()
		var got []llama.Token
		for _, c := range s.cand {
			got = append(got, c.token)
		}
		// The sums differ in their last bits, so the last token may.
		if d := len(got) - len(want); d < -1 || d > 1 || !slices.Equal(got[:min(len(got), len(want))], want[:min(len(got), len(want))]) {
			t.Errorf("%d tokens are left, want %d", len(got), len(want))
		}
	})
}

// just is the rule that allows one token; -1: none.
type just llama.Token

func (j just) allows(t llama.Token) bool { return t == llama.Token(j) }

func (j just) all() iter.Seq[llama.Token] {
	return func(yield func(llama.Token) bool) {
		if j >= 0 {
			yield(llama.Token(j))
		}
	}
}

// Only what is allowed is drawn, and with the whole vocabulary against it,
// nothing.
func TestAllowed(t *testing.T) {
	logits := randomLogits(rand.New(rand.NewPCG(1, 1)), 5000)
	for _, temperature := range []float64{0, 1} {
		s := newSampler(plainly(func(s *sampling) { s.temperature = temperature }), nil)
		s.look(logits)
		for _, only := range []llama.Token{s.best(logits), 17, 4999} {
			token, ok := s.sample(logits, just(only))
			if !ok || token != only {
				t.Errorf("at temperature %v: %d, %v, want %d", temperature, token, ok, only)
			}
		}
		if token, ok := s.sample(logits, just(-1)); ok {
			t.Errorf("at temperature %v: %d was drawn with nothing allowed", temperature, token)
		}
	}
}

// Mirostat keeps the surprise near tau, whatever the distribution.
func TestMirostatKeepsTheSurprise(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	const tau = 3.0
	s := newSampler(plainly(func(s *sampling) { s.mirostat = chat.Mirostat{Tau: tau, Eta: 0.1} }), nil)
	sum, n := 0.0, 0
	for i := range 600 {
		logits := randomLogits(rng, 2000)
		lp := newLogprobs(logits, draw(s, logits), 0)
		if i >= 100 {
			sum -= lp.token.log / math.Ln2
			n++
		}
	}
	if mean := sum / float64(n); math.Abs(mean-tau) > 0.7 {
		t.Errorf("the surprise is %.2f bits on average, want about %v", mean, tau)
	}
}

func TestLogprobs(t *testing.T) {
	logits := []float32{float32(math.Log(0.5)), float32(math.Log(0.3)), float32(math.Log(0.2))}
	lp := newLogprobs(logits, 2, 2)
	if math.Abs(lp.token.log-math.Log(0.2)) > 1e-6 {
		t.Errorf("the drawn token has %v, want %v", lp.token.log, math.Log(0.2))
	}
	if len(lp.top) != 2 || lp.top[0].token != 0 || lp.top[1].token != 1 || math.Abs(lp.top[1].log-math.Log(0.3)) > 1e-6 {
		t.Errorf("the alternatives are %v", lp.top)
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
		{"greedy", plainly(func(s *sampling) { s.temperature = 0 })},
		{"default", defaultSampling},
		{"top_k off", plainly(func(s *sampling) { s.temperature, s.topP = 0.8, 0.9 })},
		{"all off", plain},
	} {
		b.Run(tt.name, func(b *testing.B) {
			s := newSampler(tt.s, nil)
			for b.Loop() {
				s.sample(logits, nil)
			}
		})
	}
}
