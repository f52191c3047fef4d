package ollama

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"

	"github.com/ollama/ollama/api"
	ollamamodel "github.com/ollama/ollama/types/model"

	"bendi/chat"
)

// marks is how many tokens an engine may put around a text. The server does
// not count them when it looks whether the text fits, and the engine would cut
// the text for them.
const marks = 2

// Embed has the server embed the inputs of req.
//
// The server is told not to cut, and does not say which input was too long.
// So those that surely fit are asked for together, since no token is less than
// a byte, and each of the others by itself.
func (m *Model) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	out, err := m.embed(ctx, req)
	if err != nil {
		return nil, m.failed(ctx, err)
	}
	return out, nil
}

func (m *Model) embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	offer, err := m.offer(req.Model)
	if err != nil {
		return nil, err
	}
	for i, in := range req.Inputs {
		if in.Tokens != nil {
			return nil, chat.Unsupported(fmt.Sprintf("input[%d]", i), "Ollama embeds texts, not tokens: send the text")
		}
	}
	f, err := m.about(ctx, offer.Model)
	if err != nil {
		return nil, err
	}
	if req.Dimensions > 0 && f.dimensions > 0 && req.Dimensions != f.dimensions {
		return nil, chat.Unsupported("dimensions", "this model's vectors have %d dimensions, and Ollama cannot shorten them: leave 'dimensions' out", f.dimensions)
	}
	window := m.window(offer, f)
	out := &chat.Embeddings{Vectors: make([][]float32, len(req.Inputs))}
	var together []int
	for i, in := range req.Inputs {
		if len(in.Text)+1+marks <= window {
			together = append(together, i)
			continue
		}
		if err := m.vectors(ctx, offer, f, req, []int{i}, window, out); err != nil {
			return nil, err
		}
	}
	if len(together) > 0 {
		if err := m.vectors(ctx, offer, f, req, together, window, out); err != nil {
			return nil, err
		}
	}
	for i, v := range out.Vectors {
		switch {
		case len(v) != len(out.Vectors[0]):
			return nil, chat.Errorf(chat.BadBackend, "Ollama sent vectors of %d and of %d dimensions", len(out.Vectors[0]), len(v))
		case req.Dimensions > 0 && len(v) != req.Dimensions:
			return nil, chat.Unsupported("dimensions", "this model's vectors have %d dimensions, and Ollama cannot shorten them: leave 'dimensions' out", len(v))
		}
		if err := normalize(v); err != nil {
			return nil, fmt.Errorf("the vector of input %d: %w", i, err)
		}
	}
	return out, nil
}

// vectors asks for some of the inputs' vectors and puts them in their places.
func (m *Model) vectors(ctx context.Context, o Offer, f facts, req *chat.EmbedRequest, which []int, window int, out *chat.Embeddings) error {
	texts := make([]string, len(which))
	for n, i := range which {
		texts[n] = req.Inputs[i].Text
	}
	options := map[string]any{"num_ctx": window}
	if f.abilities != nil && !f.can(ollamamodel.CapabilityCompletion) {
		// A model that looks at a text from both ends has to see it at once.
		options["num_batch"] = window
	}
	ask := api.EmbedRequest{Model: o.Model, Input: texts, Truncate: new(false), Options: options}
	if m.cfg.KeepAlive != nil {
		ask.KeepAlive = &api.Duration{Duration: *m.cfg.KeepAlive}
	}
	answer, err := whole[api.EmbedResponse](ctx, m, http.MethodPost, "/api/embed", o.Model, ask)
	input := fmt.Sprintf("input[%d]", which[0])
	if e, ok := errors.AsType[*chat.Error](err); ok && e.Code == chat.CodeContextLength {
		return inputTooLong(input, "more", window)
	}
	switch {
	case err != nil:
		return err
	case len(answer.Embeddings) != len(which):
		return chat.Errorf(chat.BadBackend, "Ollama sent %d vectors for %d inputs", len(answer.Embeddings), len(which))
	case len(which) == 1 && answer.PromptEvalCount+marks > window:
		return inputTooLong(input, fmt.Sprint(answer.PromptEvalCount), window)
	}
	for n, i := range which {
		out.Vectors[i] = answer.Embeddings[n]
	}
	out.Usage.PromptTokens += max(answer.PromptEvalCount, 0)
	return nil
}

func inputTooLong(input, tokens string, window int) error {
	return &chat.Error{
		Kind: chat.Invalid, Code: chat.CodeContextLength, Param: input,
		Msg: fmt.Sprintf("the text has %s tokens, and the model takes %d; split it", tokens, window-marks),
	}
}

// normalize makes a vector's length 1. Ollama's is, unless it is 0.
func normalize(v []float32) error {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 || math.IsInf(sum, 0) || math.IsNaN(sum) {
		return chat.Errorf(chat.BadBackend, "Ollama sent a vector without a direction; see whether the model is one for embeddings")
	}
	if length := math.Sqrt(sum); math.Abs(length-1) > 1e-6 {
		for i := range v {
			v[i] = float32(float64(v[i]) / length)
		}
	}
	return nil
}
