package engine

import (
	"math/rand/v2"
	"strconv"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
)

// sampling says how tokens are drawn, with every default filled in. The names
// and meanings are llama.cpp's.
type sampling struct {
	temperature float64 // 0: greedy
	topK        int     // 0: off
	topP        float64 // 1: off
	minP        float64 // 0: off
	typicalP    float64 // 1: off
	topNSigma   float64 // 0: off

	penaltyWindow int     // tokens that penalties look back on; -1: all
	repeat        float64 // 1: off
	frequency     float64 // 0: off
	presence      float64 // 0: off
	dry           chat.DRY
	xtc           chat.XTC
	mirostat      chat.Mirostat

	bias map[llama.Token]float64
	seed uint64
}

// defaultSampling is what a request gets that says nothing, where the model
// does not recommend otherwise in its general.sampling.* metadata.
var defaultSampling = sampling{
	temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05, typicalP: 1,
	penaltyWindow: 64, repeat: 1,
}

// with returns s as changed by what a request says.
func (s sampling) with(req chat.Sampling, vocabSize int) (sampling, error) {
	set(&s.temperature, req.Temperature)
	set(&s.topP, req.TopP)
	set(&s.topK, req.TopK)
	set(&s.minP, req.MinP)
	set(&s.typicalP, req.TypicalP)
	set(&s.topNSigma, req.TopNSigma)
	set(&s.penaltyWindow, req.PenaltyWindow)
	set(&s.repeat, req.RepeatPenalty)
	set(&s.frequency, req.FrequencyPenalty)
	set(&s.presence, req.PresencePenalty)
	set(&s.dry, req.DRY)
	set(&s.xtc, req.XTC)
	set(&s.mirostat, req.Mirostat)
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

// recommended returns the default sampling, with what the model's metadata
// recommends.
func recommended(model llama.Model) sampling {
	s := defaultSampling
	for key, field := range map[string]*float64{"temp": &s.temperature, "top_p": &s.topP, "min_p": &s.minP} {
		if text, ok := llama.ModelMetaValStr(model, "general.sampling."+key); ok {
			if v, err := strconv.ParseFloat(text, 64); err == nil && v >= 0 {
				*field = v
			}
		}
	}
	if text, ok := llama.ModelMetaValStr(model, "general.sampling.top_k"); ok {
		if v, err := strconv.Atoi(text); err == nil && v >= 0 {
			s.topK = v
		}
	}
	return s
}
