package engine

import (
	"cmp"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/inference/engine/scan"
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
	peaks  []float32     // scratch: of the logits that are drawn from
	order  []float32     // scratch
	masses []float64     // scratch
	undo   []candidate   // logits as they were before they were changed
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

// A rule says which tokens may come next.
type rule interface {
	allows(llama.Token) bool
	// all are the tokens that it allows, which takes less time than to ask for
	// each of the vocabulary.
	all() iter.Seq[llama.Token]
}

// sample draws the next token from the logits of the whole vocabulary, which
// it leaves as they are. Where there is a rule, only a token that it allows is
// drawn; ok is false when it allows none.
func (s *sampler) sample(logits []float32, only rule) (token llama.Token, ok bool) {
	s.adjust(logits)
	defer s.restore(logits)
	s.look(logits)
	token = s.draw(logits)
	if only != nil && !only.allows(token) {
		// What was drawn first would have been kept, so that a constraint the
		// model keeps to by itself costs one check and changes nothing.
		if token, ok = s.drawAllowed(logits, only); !ok {
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
func (s *sampler) drawAllowed(logits []float32, only rule) (llama.Token, bool) {
	const likely = 256
	if s.topNSigma > 0 {
		s.look(logits) // draw has looked at others
	}
	s.top(logits, likely)
	s.cand = slices.DeleteFunc(s.cand, func(c candidate) bool { return !only.allows(c.token) })
	if len(s.cand) == 0 {
		for token := range only.all() {
			if l := logits[token]; l > float32(math.Inf(-1)) {
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

// adjust applies what changes logits, in place: few are, and a copy of all
// would take longer than to look at all.
func (s *sampler) adjust(logits []float32) {
	for token, bias := range s.bias {
		s.change(logits, token, logits[token]+float32(bias))
	}
	if len(s.seen) > 0 {
		s.penalize(logits)
		s.dontRepeat(logits)
	}
}

func (s *sampler) change(logits []float32, token llama.Token, to float32) {
	s.undo = append(s.undo, candidate{token: token, logit: logits[token]})
	logits[token] = to
}

// restore takes back what adjust has changed.
func (s *sampler) restore(logits []float32) {
	for _, c := range slices.Backward(s.undo) {
		logits[c.token] = c.logit
	}
	s.undo = s.undo[:0]
}

// look finds the peaks of the logits that are about to be drawn from.
func (s *sampler) look(x []float32) { s.peaks = scan.Peaks(s.peaks[:0], x) }

func lastOf(tokens []llama.Token, n int) []llama.Token {
	if n < 0 {
		return tokens
	}
	return tokens[max(0, len(tokens)-n):]
}

func (s *sampler) penalize(logits []float32) {
	if s.frequency == 0 && s.presence == 0 && s.repeat == 1 {
		return
	}
	counts := make(map[llama.Token]int)
	for _, token := range lastOf(s.seen, s.penaltyWindow) {
		counts[token]++
	}
	for token, n := range counts {
		l := float64(logits[token])
		if l > 0 {
			l /= s.repeat
		} else {
			l *= s.repeat
		}
		s.change(logits, token, float32(l-float64(n)*s.frequency-s.presence))
	}
}

// dontRepeat is DRY: for every earlier place whose last tokens are the last
// tokens of now, the token that followed there is made less likely, the more
// the longer the match.
func (s *sampler) dontRepeat(logits []float32) {
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
			s.change(logits, token, logits[token]-float32(s.dry.Multiplier*math.Pow(s.dry.Base, float64(n-s.dry.AllowedLength))))
		}
	}
}

func (s *sampler) draw(logits []float32) llama.Token {
	if s.temperature <= 0 || s.topK == 1 {
		return s.best(logits)
	}
	if s.mirostat.Tau > 0 {
		return s.drawMirostat(logits)
	}
	if s.topNSigma > 0 {
		logits = s.withinSigma(logits)
		s.look(logits)
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
		return s.best(logits)
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

// drawAny draws from the whole distribution, which needs no order: first one of
// its parts, by their masses, then a token of that.
func (s *sampler) drawAny(x []float32) llama.Token {
	const part = 16 * scan.Block
	best, scale := slices.Max(s.peaks), float32(1/s.temperature)
	sum := 0.0
	s.masses = s.masses[:0]
	for some := range slices.Chunk(x, part) {
		s.masses = append(s.masses, scan.SumExp(some, best, scale))
		sum += s.masses[len(s.masses)-1]
	}
	at := s.rng.Float64() * sum
	for i, mass := range s.masses {
		if at >= mass {
			at -= mass
			continue
		}
		for j, l := range x[i*part : min((i+1)*part, len(x))] {
			if l != l {
				continue
			}
			if at -= math.Exp(float64(l-best) / s.temperature); at < 0 {
				return llama.Token(i*part + j)
			}
		}
		at = 0 // by rounding; the next will do
	}
	return s.best(x)
}

// drawMirostat is version 2 of the algorithm: tokens that would surprise by
// more than mu are cut, and mu follows the surprise of the one that was drawn.
func (s *sampler) drawMirostat(logits []float32) llama.Token {
	s.top(logits, len(logits))
	if len(s.cand) == 0 {
		return s.best(logits)
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
func (s *sampler) shortlist(x []float32) {
	total := scan.SumExp(x, slices.Max(s.peaks), 1)
	for k := 256; ; k *= 8 {
		s.top(x, k)
		if len(s.cand) == 0 {
			return
		}
		s.normalize(total, 1)
		mass := 0.0
		for _, c := range s.cand {
			mass += c.p
		}
		if k >= len(x) || mass >= s.topP || s.cand[len(s.cand)-1].p < s.minP*s.cand[0].p {
			return
		}
	}
}

// top fills cand with the k likeliest tokens, likeliest first. It looks only
// where the peaks say that they may be.
func (s *sampler) top(x []float32, k int) {
	k = min(k, len(x))
	s.cand = s.cand[:0]
	floor := float32(math.Inf(-1))
	if k < len(s.peaks) {
		// k blocks have one each that is as likely as the k-th peak.
		s.order = append(s.order[:0], s.peaks...)
		floor = math.Nextafter32(nth(s.order, k-1), floor)
	}
	limit := min(4*k, len(x)) // select when this many have gathered
	for b, peak := range s.peaks {
		if !(peak > floor) {
			continue
		}
		from := b * scan.Block
		for i, l := range x[from:min(from+scan.Block, len(x))] {
			if !(l > floor) {
				continue // NaN too
			}
			s.cand = append(s.cand, candidate{token: llama.Token(from + i), logit: l})
			if len(s.cand) == limit && limit > k {
				slices.SortFunc(s.cand, likeliest)
				s.cand = s.cand[:k]
				floor = s.cand[k-1].logit
			}
		}
	}
	slices.SortFunc(s.cand, likeliest)
	s.cand = s.cand[:min(k, len(s.cand))]
}

// nth returns the n-th largest of x, from 0, and changes their order.
func nth(x []float32, n int) float32 {
	for {
		if len(x) < 12 {
			slices.Sort(x)
			return x[len(x)-1-n]
		}
		pivot := x[len(x)/2]
		i, j := 0, len(x)-1
		for i <= j { // those above the pivot first
			for x[i] > pivot {
				i++
			}
			for x[j] < pivot {
				j--
			}
			if i <= j {
				x[i], x[j] = x[j], x[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case n <= j:
			x = x[:j+1]
		case n >= i:
			x, n = x[i:], n-i
		default:
			return pivot
		}
	}
}

// best returns the likeliest token of all, the first of several.
func (s *sampler) best(x []float32) llama.Token {
	b := 0
	for i, peak := range s.peaks {
		if peak > s.peaks[b] {
			b = i
		}
	}
	for i := b * scan.Block; i < len(x); i++ {
		if x[i] == s.peaks[b] {
			return llama.Token(i)
		}
	}
	return 0 // all are NaN
}

// likeliest orders by falling logit, none of which is NaN; of two alike the
// lower token comes first, so that a seed gives the same answer every time.
func likeliest(a, b candidate) int {
	switch {
	case a.logit > b.logit:
		return -1
	case a.logit < b.logit:
		return 1
	default:
		return int(a.token - b.token)
	}
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
