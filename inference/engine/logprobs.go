package engine

import (
	"math"
	"slices"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/inference/engine/scan"
)

// logprobs are the log probabilities of a drawn token and of the likeliest
// instead of it: of the model's own distribution, before anything is cut from
// it.
type logprobs struct {
	token tokenLog
	top   []tokenLog // likeliest first
}

type tokenLog struct {
	token llama.Token
	log   float64
}

func newLogprobs(logits []float32, token llama.Token, top int) *logprobs {
	var s sampler
	s.look(logits)
	best := slices.Max(s.peaks)
	norm := float64(best) + math.Log(scan.SumExp(logits, best, 1))
	lp := &logprobs{token: tokenLog{token, float64(logits[token]) - norm}}
	if top > 0 {
		s.top(logits, top)
		for _, c := range s.cand {
			lp.top = append(lp.top, tokenLog{c.token, float64(c.logit) - norm})
		}
	}
	return lp
}

// of returns lp in the vocabulary's words. piece is the drawn token's.
func (lp *logprobs) of(piece []byte, pieces [][]byte) chat.TokenLogProbs {
	out := chat.TokenLogProbs{TokenLogProb: entry(piece, lp.token.log)}
	for _, t := range lp.top {
		out.Top = append(out.Top, entry(pieces[t.token], t.log))
	}
	return out
}

// leastLog stands for a probability of zero, which JSON cannot say.
const leastLog = -9999

func entry(piece []byte, log float64) chat.TokenLogProb {
	return chat.TokenLogProb{Token: tokenText(piece), Bytes: piece, LogProb: max(log, leastLog)}
}
