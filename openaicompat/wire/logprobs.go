package wire

import "bendi/chat"

// logprobsBody tells the log probabilities of a choice's tokens.
type logprobsBody struct {
	Content []tokenBody `json:"content"`
	Refusal *struct{}   `json:"refusal"`
}

type tokenBody struct {
	tokenLogBody
	Top []tokenLogBody `json:"top_logprobs"`
}

type tokenLogBody struct {
	Token   string  `json:"token"`
	LogProb float64 `json:"logprob"`
	Bytes   []int   `json:"bytes"` // numbers, where Go would write base64
}

// logprobsOf returns nil where there are none.
func logprobsOf(tokens []chat.TokenLogProbs) *logprobsBody {
	if len(tokens) == 0 {
		return nil
	}
	body := &logprobsBody{Content: make([]tokenBody, len(tokens))}
	for i, t := range tokens {
		body.Content[i] = tokenBody{tokenLogOf(t.TokenLogProb), make([]tokenLogBody, len(t.Top))}
		for j, top := range t.Top {
			body.Content[i].Top[j] = tokenLogOf(top)
		}
	}
	return body
}

func tokenLogOf(t chat.TokenLogProb) tokenLogBody {
	body := tokenLogBody{Token: t.Token, LogProb: t.LogProb}
	for _, b := range t.Bytes {
		body.Bytes = append(body.Bytes, int(b))
	}
	return body
}

// tokens is the other way round.
func (body *logprobsBody) tokens() []chat.TokenLogProbs {
	if body == nil {
		return nil
	}
	var tokens []chat.TokenLogProbs
	for _, t := range body.Content {
		out := chat.TokenLogProbs{TokenLogProb: t.decode()}
		for _, top := range t.Top {
			out.Top = append(out.Top, top.decode())
		}
		tokens = append(tokens, out)
	}
	return tokens
}

func (body tokenLogBody) decode() chat.TokenLogProb {
	t := chat.TokenLogProb{Token: body.Token, LogProb: body.LogProb}
	for _, b := range body.Bytes {
		t.Bytes = append(t.Bytes, byte(b))
	}
	return t
}
