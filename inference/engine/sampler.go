package engine

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
)

// penaltyWindow is over how many of the latest tokens of the answer and its
// prompt the frequency and presence penalties count.
const penaltyWindow = 64

// sampling says how tokens are drawn, with every default filled in.
type sampling struct {
	temperature float64 // 0: greedy
	topK        int     // 0: off
	topP        float64 // 1: off
	minP        float64 // 0: off
	frequency   float64
	presence    float64
	bias        map[llama.Token]float64
	seed        uint64
}

// defaultSampling is what a request gets that says nothing, where the model
// does not recommend otherwise in its general.sampling.* metadata.
var defaultSampling = sampling{temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05}

// with returns s as changed by what a request says.
func (s sampling) with(req chat.Sampling, vocabSize int) (sampling, error) {
	set(&s.temperature, req.Temperature)
	set(&s.topP, req.TopP)
	set(&s.topK, req.TopK)
	set(&s.minP, req.MinP)
	set(&s.frequency, req.FrequencyPenalty)
	set(&s.presence, req.PresencePenalty)
	s.seed = rand.Uint64()
	if req.Seed != nil {
		s.seed = uint64(*req.Seed)
	}
	for token, bias := range req.LogitBias {
		if token < 0 || token >= vocabSize {
			return s, chat.BadParam("logit_bias", "token %d is not in the model's vocabulary of %d tokens", token, vocabSize)
		}
		if s.bias == nil {
			s.bias = make(map[llama.Token]float64, len(req.LogitBias))
		}
		s.bias[llama.Token(token)] = bias
	}
	return s, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// A candidate is a token that may come next.
type candidate struct {
	token llama.Token
	logit float32
	p     float64
}

// A sampler draws the tokens of one sequence. The order is that of llama.cpp:
// bias, penalties, top-k, top-p, min-p, temperature, draw.
type sampler struct {
	sampling
	rng    *rand.Rand
	recent []llama.Token // the last penaltyWindow tokens, where penalties are on
	cand   []candidate   // scratch
	logits []float32     // scratch: a copy, where logits have to be changed
}

func newSampler(s sampling, prompt []llama.Token) *sampler {
	sm := &sampler{sampling: s, rng: rand.New(rand.NewPCG(s.seed, 0x62656e6469))}
	if s.frequency != 0 || s.presence != 0 {
		sm.recent = slices.Clone(prompt[max(0, len(prompt)-penaltyWindow):])
	}
	return sm
}

// sample draws the next token from the logits of the whole vocabulary, which
// it only reads.
func (s *sampler) sample(logits []float32) llama.Token {
	logits = s.adjust(logits)
	token := s.draw(logits)
	if s.frequency != 0 || s.presence != 0 {
		s.recent = append(s.recent, token)
		if extra := len(s.recent) - penaltyWindow; extra > 0 {
			s.recent = s.recent[extra:]
		}
	}
	return token
}

// adjust applies the bias and the penalties.
func (s *sampler) adjust(logits []float32) []float32 {
	if len(s.bias) == 0 && len(s.recent) == 0 {
		return logits
	}
	s.logits = append(s.logits[:0], logits...)
	for token, bias := range s.bias {
		s.logits[token] += float32(bias)
	}
	counts := make(map[llama.Token]int, len(s.recent))
	for _, token := range s.recent {
		counts[token]++
	}
	for token, n := range counts {
		s.logits[token] -= float32(float64(n)*s.frequency + s.presence)
	}
	return s.logits
}

func (s *sampler) draw(logits []float32) llama.Token {
	if s.temperature <= 0 || s.topK == 1 {
		return argmax(logits)
	}
	s.top(logits)
	if len(s.cand) == 0 { // nothing but NaN or -Inf
		return argmax(logits)
	}
	s.softmax(1)
	s.nucleus()
	s.softmax(s.temperature)
	at := s.rng.Float64()
	for _, c := range s.cand {
		if at -= c.p; at < 0 {
			return c.token
		}
	}
	return s.cand[len(s.cand)-1].token
}

// top fills cand with the topK likeliest tokens, or with all, likeliest first.
func (s *sampler) top(logits []float32) {
	k := s.topK
	if k <= 0 || k > len(logits) {
		k = len(logits)
	}
	s.cand = s.cand[:0]
	floor := float32(math.Inf(-1))
	limit := min(4*k, len(logits)) // select when this many have gathered
	for i, l := range logits {
		if !(l > floor) {
			continue // NaN too
		}
		s.cand = append(s.cand, candidate{token: llama.Token(i), logit: l})
		if len(s.cand) == limit && limit > k {
			slices.SortFunc(s.cand, likeliest)
			s.cand = s.cand[:k]
			floor = s.cand[k-1].logit
		}
	}
	slices.SortFunc(s.cand, likeliest)
	s.cand = s.cand[:min(k, len(s.cand))]
}

// likeliest orders by falling logit; of two alike the lower token comes first,
// so that a seed gives the same answer every time.
func likeliest(a, b candidate) int {
	return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.token, b.token))
}

// softmax turns the logits of cand, likeliest first, into probabilities.
func (s *sampler) softmax(temperature float64) {
	sum := 0.0
	for i, c := range s.cand {
		p := math.Exp(float64(c.logit-s.cand[0].logit) / temperature)
		s.cand[i].p = p
		sum += p
	}
	for i := range s.cand {
		s.cand[i].p /= sum
	}
}

// nucleus keeps the fewest tokens that have the mass topP, and of those the
// ones at least minP times as likely as the likeliest.
func (s *sampler) nucleus() {
	mass, floor := 0.0, s.minP*s.cand[0].p
	for i, c := range s.cand {
		if i > 0 && (mass >= s.topP || c.p < floor) {
			s.cand = s.cand[:i]
			return
		}
		mass += c.p
	}
}

func argmax(logits []float32) llama.Token {
	best := 0
	for i, l := range logits {
		if l > logits[best] {
			best = i
		}
	}
	return llama.Token(best)
}
