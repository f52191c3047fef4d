package chattest

import (
	"context"
	"math"
	"strings"

	"bendi/chat"
)

// Gifts are what a fake model can do beside chatting: it is a [chat.Embedder],
// a [chat.Reranker] and a [chat.Tokenizer] of a vocabulary in which each byte
// is a token. To be embedded beside a [Script].
type Gifts struct{}

// giftDimensions is how many dimensions a vector of Gifts has.
const giftDimensions = 8

// Embed counts bytes: texts of the same letters are alike.
func (Gifts) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	n := giftDimensions
	switch {
	case req.Dimensions > n:
		return nil, chat.Unsupported("dimensions", "this model has %d dimensions", n)
	case req.Dimensions > 0:
		n = req.Dimensions
	}
	out := new(chat.Embeddings)
	for _, in := range req.Inputs {
		tokens := in.Tokens
		if tokens == nil {
			tokens = giftTokens(in.Text)
		}
		v, sum := make([]float32, n), 0.0
		for _, t := range tokens {
			v[t%n]++
		}
		for _, x := range v {
			sum += float64(x * x)
		}
		for i := range v {
			v[i] = float32(float64(v[i]) / math.Sqrt(sum))
		}
		out.Vectors = append(out.Vectors, v)
		out.Usage.PromptTokens += len(tokens)
	}
	return out, nil
}

// Rerank scores a document by the part of the query's bytes that it has.
func (Gifts) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	out := new(chat.Ranking)
	for i, doc := range req.Documents {
		has := 0
		for b := range len(req.Query) {
			if strings.IndexByte(doc, req.Query[b]) >= 0 {
				has++
			}
		}
		out.Results = append(out.Results, chat.Ranked{Index: i, Score: float64(has) / float64(len(req.Query))})
		out.Usage.PromptTokens += len(req.Query) + len(doc)
	}
	out.Sort()
	if req.Top > 0 {
		out.Results = out.Results[:min(req.Top, len(out.Results))]
	}
	return out, nil
}

// Tokenize returns the bytes; of a chat, those of its texts. A special token of the number 256 begins a text.
func (Gifts) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if c := req.Chat; c != nil {
		own := *req
		own.Chat = nil
		for _, m := range c.Messages {
			own.Text += m.Text()
		}
		req = &own
	}
	out := &chat.Tokens{Tokens: []chat.Token{}}
	if req.AddSpecial {
		out.Tokens = append(out.Tokens, chat.Token{ID: 256})
	}
	for i := range len(req.Text) {
		out.Tokens = append(out.Tokens, chat.Token{ID: int(req.Text[i]), Piece: []byte{req.Text[i]}})
	}
	return out, nil
}

// Detokenize joins the bytes.
func (Gifts) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var b []byte
	for i, t := range req.Tokens {
		switch {
		case t > 256:
			return nil, chat.BadParam("tokens", "token %d is %d; the vocabulary has 257", i, t)
		case t < 256:
			b = append(b, byte(t))
		case req.Special:
			b = append(b, "<s>"...)
		}
	}
	return &chat.Text{Text: strings.ToValidUTF8(string(b), "\uFFFD")}, nil
}

func giftTokens(text string) []int {
	tokens := make([]int, len(text))
	for i := range tokens {
		tokens[i] = int(text[i])
	}
	return tokens
}
