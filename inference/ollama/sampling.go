package ollama

import (
	"slices"

	"bendi/chat"
)

// options returns how tokens are to be drawn, in Ollama's words. What a
// request leaves open is left to the Modelfile. A field that Ollama cannot do
// is fine where it asks for nothing.
func options(req *chat.Request, f facts) (map[string]any, error) {
	s, o := req.Sampling, map[string]any{}
	no := func(param string) error {
		return chat.Unsupported(param, "Ollama cannot do this: leave '%s' out, or name a model that runs here", param)
	}
	switch {
	case s.TopNSigma != nil && *s.TopNSigma > 0:
		return nil, no("top_n_sigma")
	case s.DRY != nil && s.DRY.Multiplier != 0:
		return nil, no("dry_multiplier")
	case s.XTC != nil && s.XTC.Probability != 0 && s.XTC.Threshold <= 0.5:
		return nil, no("xtc_probability")
	case s.Mirostat != nil && s.Mirostat.Tau != 0:
		return nil, no("mirostat")
	case len(s.LogitBias) > 0:
		return nil, no("logit_bias")
	case s.IgnoreEOS:
		return nil, no("ignore_eos")
	}
	set(o, "temperature", s.Temperature)
	set(o, "top_p", s.TopP)
	set(o, "top_k", s.TopK)
	set(o, "min_p", s.MinP)
	set(o, "typical_p", s.TypicalP)
	set(o, "frequency_penalty", s.FrequencyPenalty)
	set(o, "presence_penalty", s.PresencePenalty)
	set(o, "repeat_penalty", s.RepeatPenalty)
	set(o, "repeat_last_n", s.PenaltyWindow)
	if f.plain {
		for param, neutral := range map[string]float64{"typical_p": 1, "frequency_penalty": 0, "presence_penalty": 0, "repeat_penalty": 1} {
			if v, given := o[param]; given && v != neutral {
				return nil, chat.Unsupported(param, "Ollama draws the tokens of this model without '%s': leave it out", param)
			}
		}
	}
	if s.Seed != nil {
		o["seed"] = fold(*s.Seed)
	}
	if len(req.Stop) > 0 {
		// A request's replace those of the Modelfile, which end the model's turn.
		stops := slices.Clone(req.Stop)
		for _, stop := range f.stops {
			if !slices.Contains(stops, stop) {
				stops = append(stops, stop)
			}
		}
		o["stop"] = stops
	}
	return o, nil
}

func set[T any](o map[string]any, name string, value *T) {
	if value != nil {
		o[name] = *value
	}
}

// fold makes a seed fit: Ollama's has 32 bits, and a negative one means that it
// draws its own. Equal seeds stay equal.
func fold(seed int64) int64 {
	if seed >= 0 && seed <= 1<<31-1 {
		return seed
	}
	return (seed ^ seed>>31 ^ seed>>62) & (1<<31 - 1)
}
