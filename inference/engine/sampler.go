package engine

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// A candidate is a token that may come next.
type candidate struct {
	token llama.Token
	logit float32
	p     float64
}

// A sampler draws the tokens of one sequence. The order of what it applies is
// llama.cpp's: bias, penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p,
// XTC, temperature.
type sampler struct {
	sampling
	rng    *rand.Rand
	seen   []llama.Token // the prompt and what was drawn, where something looks back
	mu     float64       // mirostat's bound on the surprise, in bits
	cand   []candidate   // scratch
	logits []float32     // scratch: a copy, where logits have to be changed
}

func newSampler(s sampling, prompt []llama.Token) *sampler {
	sm := &sampler{sampling: s, rng: rand.New(rand.NewPCG(s.seed, 0x62656e6469)), mu: 2 * s.mirostat.Tau}
	if s.looksBack() {
		sm.seen = slices.Clone(prompt)
	}
	return sm
}

func (s sampling) looksBack() bool {
	return s.frequency != 0 || s.presence != 0 || s.repeat != 1 && s.repeat != 0 || s.dry.Multiplier != 0
}

// sample draws the next token from the logits of the whole vocabulary, which
// it only reads. Where allowed is not nil, only a token that it allows is
// drawn; ok is false when it allows none.
func (s *sampler) sample(logits []float32, allowed func(llama.Token) bool) (token llama.Token, ok bool) {
	logits = s.adjust(logits)
	token = s.draw(logits)
	if allowed != nil && !allowed(token) {
		// What was drawn first would have been kept, so that a constraint the
		// model keeps to by itself costs one check and changes nothing.
		if token, ok = s.drawAllowed(logits, allowed); !ok {
			return 0, false
		}
	}
	if s.looksBack() {
		s.seen = append(s.seen, token)
	}
	return token, true
}

// drawAllowed draws among the tokens that are allowed. Most often some of the
// likeliest are; the whole vocabulary is looked at last.
func (s *sampler) drawAllowed(logits []float32, allowed func(llama.Token) bool) (llama.Token, bool) {
	const likely = 256
	s.top(logits, likely)
	s.cand = slices.DeleteFunc(s.cand, func(c candidate) bool { return !allowed(c.token) })
	if len(s.cand) == 0 {
		for i, l := range logits {
			if token := llama.Token(i); l > float32(math.Inf(-1)) && allowed(token) {
				s.cand = append(s.cand, candidate{token: token, logit: l})
			}
		}
		slices.SortFunc(s.cand, likeliest)
	}
	if len(s.cand) == 0 {
		return 0, false
	}
	if s.temperature <= 0 || s.topK == 1 {
		return s.cand[0].token, true
	}
	if s.topK > 0 {
		s.cand = s.cand[:min(s.topK, len(s.cand))]
	}
	s.normalize(s.mass(1), 1)
	s.cut()
	return s.pick(), true
}

// adjust applies what changes logits. It returns them in another place where
// it changes any.
func (s *sampler) adjust(logits []float32) []float32 {
	if len(s.bias) == 0 && len(s.seen) == 0 {
		return logits
	}
	s.logits = append(s.logits[:0], logits...)
	for token, bias := range s.bias {
		s.logits[token] += float32(bias)
	}
	s.penalize()
	s.dontRepeat()
	return s.logits
}

func lastOf(tokens []llama.Token, n int) []llama.Token {
	if n < 0 {
		return tokens
	}
	return tokens[max(0, len(tokens)-n):]
}

func (s *sampler) penalize() {
	if s.frequency == 0 && s.presence == 0 && s.repeat == 1 {
		return
	}
	counts := make(map[llama.Token]int)
	for _, token := range lastOf(s.seen, s.penaltyWindow) {
		counts[token]++
	}
	for token, n := range counts {
		l := float64(s.logits[token])
		if l > 0 {
			l /= s.repeat
		} else {
			l *= s.repeat
		}
		s.logits[token] = float32(l - float64(n)*s.frequency - s.presence)
	}
}

// dontRepeat is DRY: for every earlier place whose last tokens are the last
// tokens of now, the token that followed there is made less likely, the more
// the longer the match.
func (s *sampler) dontRepeat() {
	if s.dry.Multiplier == 0 {
		return
	}
	seen := lastOf(s.seen, s.dry.Window)
	matched := make(map[llama.Token]int) // the longest match before each token
	for i := len(seen) - 2; i >= 0; i-- {
		n := 0
		for n <= i && n < 64 && seen[i-n] == seen[len(seen)-1-n] {
			n++
		}
		if next := seen[i+1]; n > matched[next] {
			matched[next] = n
		}
	}
	for token, n := range matched {
		if n >= s.dry.AllowedLength {
			s.logits[token] -= float32(s.dry.Multiplier * math.Pow(s.dry.Base, float64(n-s.dry.AllowedLength)))
		}
	}
}

func (s *sampler) draw(logits []float32) llama.Token {
	if s.temperature <= 0 || s.topK == 1 {
		return argmax(logits)
	}
	if s.mirostat.Tau > 0 {
		return s.drawMirostat(logits)
	}
	if s.topNSigma > 0 {
		logits = s.withinSigma(logits)
	}
	switch {
	case s.topK > 0:
		s.top(logits, s.topK)
		s.normalize(s.mass(1), 1)
	case s.topP >= 1 && s.minP <= 0 && s.typicalP >= 1 && s.xtc.Probability <= 0:
		return s.drawAny(logits)
	case s.typicalP < 1 || s.topP >= 1 && s.minP <= 0:
		s.top(logits, len(logits))
		s.normalize(s.mass(1), 1)
	default:
		s.shortlist(logits)
	}
	if len(s.cand) == 0 { // nothing but NaN and -Inf
		return argmax(logits)
	}
	s.cut()
	return s.pick()
}

// cut keeps what typical, top-p, min-p and XTC leave of cand, which is sorted
// and has its probabilities. It keeps one at least.
func (s *sampler) cut() {
	s.typical()
	mass, floor := 0.0, s.minP*s.cand[0].p
	for i, c := range s.cand {
		if i > 0 && (mass >= s.topP || c.p < floor) {
			s.cand = s.cand[:i]
			break
		}
		mass += c.p
	}
	if s.xtc.Probability > 0 && s.rng.Float64() < s.xtc.Probability {
		n := 0
		for n < len(s.cand) && s.cand[n].p >= s.xtc.Threshold {
			n++
		}
		if n > 1 {
			s.cand = s.cand[n-1:]
		}
	}
}

// typical keeps the tokens whose surprise is nearest to the expected one,
// until they have the mass typicalP (Meister et al., 2022).
func (s *sampler) typical() {
	if s.typicalP >= 1 {
		return
	}
	entropy := 0.0
	for _, c := range s.cand {
		if c.p > 0 {
			entropy -= c.p * math.Log(c.p)
		}
	}
	distance := func(c candidate) float64 { return math.Abs(-math.Log(c.p) - entropy) }
	slices.SortFunc(s.cand, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(distance(a), distance(b)), cmp.Compare(a.token, b.token))
	})
	mass := 0.0
	for i, c := range s.cand {
		if mass += c.p; mass >= s.typicalP {
			s.cand = s.cand[:i+1]
			break
		}
	}
	slices.SortFunc(s.cand, likeliest)
	s.normalize(s.mass(1), 1)
}

// pick draws from cand by its logits at the temperature.
func (s *sampler) pick() llama.Token {
	s.normalize(s.mass(s.temperature), s.temperature)
	at := s.rng.Float64()
	for _, c := range s.cand {
		if at -= c.p; at < 0 {
			return c.token
		}
	}
	return s.cand[len(s.cand)-1].token
}

// drawAny draws from the whole distribution, which needs no order.
func (s *sampler) drawAny(logits []float32) llama.Token {
	best := logits[argmax(logits)]
	weight := func(l float32) float64 {
		d := float64(l-best) / s.temperature
		if !(d > -40) { // NaN too; e^d is lost in the sum
			return 0
		}
		return math.Exp(d)
	}
	sum := 0.0
	for _, l := range logits {
		sum += weight(l)
	}
	at := s.rng.Float64() * sum
	for i, l := range logits {
		if at -= weight(l); at < 0 {
			return llama.Token(i)
		}
	}
	return argmax(logits)
}

// drawMirostat is version 2 of the algorithm: tokens that would surprise by
// more than mu are cut, and mu follows the surprise of the one that was drawn.
func (s *sampler) drawMirostat(logits []float32) llama.Token {
	s.top(logits, len(logits))
	if len(s.cand) == 0 {
		return argmax(logits)
	}
	s.normalize(s.mass(s.temperature), s.temperature)
	for i, c := range s.cand {
		if i > 0 && -math.Log2(c.p) > s.mu {
			s.cand = s.cand[:i]
			break
		}
	}
	token := s.pick()
	i := slices.IndexFunc(s.cand, func(c candidate) bool { return c.token == token })
	s.mu -= s.mirostat.Eta * (-math.Log2(s.cand[i].p) - s.mirostat.Tau)
	return token
}

// withinSigma drops the logits that lie more than topNSigma standard
// deviations below the best.
func (s *sampler) withinSigma(logits []float32) []float32 {
	best, sum, n := math.Inf(-1), 0.0, 0.0
	for _, l := range logits {
		if x := float64(l); !math.IsInf(x, 0) && !math.IsNaN(x) {
			best, sum, n = max(best, x), sum+x, n+1
		}
	}
	mean, variance := sum/n, 0.0
	for _, l := range logits {
		if x := float64(l); !math.IsInf(x, 0) && !math.IsNaN(x) {
			variance += (x - mean) * (x - mean)
		}
	}
	floor := float32(best - s.topNSigma*math.Sqrt(variance/n))
	out := make([]float32, len(logits))
	for i, l := range logits {
		if out[i] = l; l < floor {
			out[i] = float32(math.Inf(-1))
		}
	}
	return out
}

// shortlist fills cand with as many of the likeliest tokens, with their
// probabilities among all, as top-p and min-p could keep. The result is what
// sorting the whole vocabulary would give, which for a large one takes 15 ms.
func (s *sampler) shortlist(logits []float32) {
	total := expSum(logits, logits[argmax(logits)])
	for k := 256; ; k *= 8 {
		s.top(logits, k)
		if len(s.cand) == 0 {
			return
		}
		s.normalize(total, 1)
		mass := 0.0
		for _, c := range s.cand {
			mass += c.p
		}
		if k >= len(logits) || mass >= s.topP || s.cand[len(s.cand)-1].p < s.minP*s.cand[0].p {
			return
		}
	}
}

// top fills cand with the k likeliest tokens, likeliest first.
func (s *sampler) top(logits []float32, k int) {
	k = min(k, len(logits))
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

// mass returns the sum of e^((logit-best)/temperature) over cand, which is
// sorted.
func (s *sampler) mass(temperature float64) float64 {
	sum := 0.0
	for _, c := range s.cand {
		sum += math.Exp(float64(c.logit-s.cand[0].logit) / temperature)
	}
	return sum
}

// normalize gives cand the probabilities that its logits have in a
// distribution of that mass.
func (s *sampler) normalize(mass, temperature float64) {
	for i, c := range s.cand {
		s.cand[i].p = math.Exp(float64(c.logit-s.cand[0].logit)/temperature) / mass
	}
}

func argmax(logits []float32) llama.Token {
	best := 0
	for i, l := range logits {
		if l > logits[best] || logits[best] != logits[best] { // NaN
			best = i
		}
	}
	return llama.Token(best)
}
