package wire

import (
	"cmp"
	"math"

	"bendi/chat"
)

// samplerBody holds the fields of llama.cpp's server that say how tokens are
// drawn and that OpenAI's protocol does not have.
type samplerBody struct {
	TypicalP      *float64 `json:"typical_p,omitempty"`
	TopNSigma     *float64 `json:"top_n_sigma,omitempty"`
	RepeatPenalty *float64 `json:"repeat_penalty,omitempty"`
	PenaltyWindow *int     `json:"repeat_last_n,omitempty"`
	DRYMultiplier float64  `json:"dry_multiplier,omitempty"`
	DRYBase       *float64 `json:"dry_base,omitempty"`
	DRYAllowed    *int     `json:"dry_allowed_length,omitempty"`
	DRYWindow     *int     `json:"dry_penalty_last_n,omitempty"`
	XTCProb       float64  `json:"xtc_probability,omitempty"`
	XTCThreshold  *float64 `json:"xtc_threshold,omitempty"`
	Mirostat      int      `json:"mirostat,omitempty"`
	MirostatTau   *float64 `json:"mirostat_tau,omitempty"`
	MirostatEta   *float64 `json:"mirostat_eta,omitempty"`
	IgnoreEOS     bool     `json:"ignore_eos,omitempty"`
}

// Defaults of llama.cpp's server for what goes with a sampler that is on.
const (
	dryBase      = 1.75
	dryAllowed   = 2
	dryWindow    = -1
	xtcThreshold = 0.1
	mirostatTau  = 5.0
	mirostatEta  = 0.1
)

// samplers reads the fields of a samplerBody into s.
func (d *decoder) samplers(o object, s *chat.Sampling) {
	or := func(x *float64, other float64) float64 {
		if x == nil {
			return other
		}
		return *x
	}
	whole := func(key string, lo, hi int64) *int {
		if n := o.Take(key).Integer(lo, hi); n != nil {
			return new(int(*n))
		}
		return nil
	}
	s.TypicalP = o.Take("typical_p").Number(0, 1)
	s.TopNSigma = o.Take("top_n_sigma").Number(-1, 100)
	if s.TopNSigma != nil && *s.TopNSigma < 0 {
		s.TopNSigma = nil // llama.cpp's clients write -1 for off
	}
	a, b := o.Take("repeat_penalty").Number(0, 10), o.Take("repetition_penalty").Number(0, 10)
	if s.RepeatPenalty = cmp.Or(a, b); s.RepeatPenalty != nil && *s.RepeatPenalty == 0 {
		d.Fail(chat.BadParam("repeat_penalty", "'repeat_penalty' must be above 0; 1 is off."))
	}
	s.PenaltyWindow = whole("repeat_last_n", -1, math.MaxInt32)

	dry := chat.DRY{
		Multiplier: or(o.Take("dry_multiplier").Number(0, 100), 0),
		Base:       or(o.Take("dry_base").Number(1, 10), dryBase), AllowedLength: dryAllowed, Window: dryWindow,
	}
	set(&dry.AllowedLength, whole("dry_allowed_length", 0, math.MaxInt32))
	set(&dry.Window, whole("dry_penalty_last_n", -1, math.MaxInt32))
	if dry.Multiplier > 0 {
		s.DRY = &dry
	}
	xtc := chat.XTC{
		Probability: or(o.Take("xtc_probability").Number(0, 1), 0),
		Threshold:   or(o.Take("xtc_threshold").Number(0, 1), xtcThreshold),
	}
	if xtc.Probability > 0 {
		s.XTC = &xtc
	}
	version := o.Take("mirostat")
	m := chat.Mirostat{
		Tau: or(o.Take("mirostat_tau").Number(0, 100), mirostatTau),
		Eta: or(o.Take("mirostat_eta").Number(0, 1), mirostatEta),
	}
	switch n := version.Integer(0, 2); {
	case n != nil && *n == 1:
		d.Fail(chat.Unsupported("mirostat", "'mirostat' 1 is not supported; use version 2."))
	case n != nil && *n == 2:
		s.Mirostat = &m
	}
	s.IgnoreEOS = o.Take("ignore_eos").IsTrue()
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// samplerBodyOf is the other way round.
func samplerBodyOf(s chat.Sampling) samplerBody {
	b := samplerBody{
		TypicalP: s.TypicalP, TopNSigma: s.TopNSigma, RepeatPenalty: s.RepeatPenalty,
		PenaltyWindow: s.PenaltyWindow, IgnoreEOS: s.IgnoreEOS,
	}
	if s.DRY != nil {
		d := *s.DRY
		b.DRYMultiplier, b.DRYBase, b.DRYAllowed, b.DRYWindow = d.Multiplier, &d.Base, &d.AllowedLength, &d.Window
	}
	if s.XTC != nil {
		x := *s.XTC
		b.XTCProb, b.XTCThreshold = x.Probability, &x.Threshold
	}
	if s.Mirostat != nil {
		m := *s.Mirostat
		b.Mirostat, b.MirostatTau, b.MirostatEta = 2, &m.Tau, &m.Eta
	}
	return b
}
