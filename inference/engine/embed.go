package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/models/gguf"
)

// Embed returns vectors of the length 1. A model that was made to chat gives
// the mean of what it makes of the tokens.
func (e *Engine) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	defer e.hold(req.Model)()
	adapter, err := e.adapter(req.Model)
	switch {
	case err != nil:
		return nil, err
	case e.embed.pooling == llama.PoolingTypeRank:
		return nil, chat.Unsupported("model", "this model scores documents and gives no vectors: ask it to rerank, or name a model for embeddings")
	}
	size := e.embed.width
	switch {
	case req.Dimensions > size:
		return nil, chat.BadParam("dimensions", "this model has %d dimensions, not %d", size, req.Dimensions)
	case req.Dimensions > 0 && req.Dimensions < size && !e.nested():
		return nil, chat.Unsupported("dimensions", "this model was not trained so that the first %d of its %d dimensions stand for all: leave 'dimensions' out", req.Dimensions, size)
	case req.Dimensions > 0:
		size = req.Dimensions
	}
	inputs := make([][]llama.Token, len(req.Inputs))
	for i, in := range req.Inputs {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if inputs[i], err = e.input(in, fmt.Sprintf("input[%d]", i)); err != nil {
			return nil, err
		}
	}
	vectors, err := e.embed.run(ctx, asker{req.Principal, req.Priority}, adapter, inputs)
	if err != nil {
		return nil, err
	}
	for i, v := range vectors {
		if vectors[i] = v[:size:size]; !normalize(vectors[i]) {
			return nil, fmt.Errorf("the embedding of input %d, of %d tokens, is zero", i, len(inputs[i]))
		}
	}
	return &chat.Embeddings{Vectors: vectors, Usage: chat.Usage{PromptTokens: count(inputs)}}, nil
}

// nested reports whether the file says that the model was trained so that the
// first dimensions of a vector are a vector as well (Matryoshka
// representation learning). Sentence Transformers note it as a tag.
func (e *Engine) nested() bool {
	f, err := gguf.Open(e.file)
	if err != nil {
		return false
	}
	defer f.Close()
	value, _ := f.Value("general.tags")
	tags, _ := value.([]string)
	return slices.ContainsFunc(tags, func(tag string) bool { return strings.Contains(strings.ToLower(tag), "matryoshka") })
}

// input returns the tokens of an input, as many as the model can read at once.
func (e *Engine) input(in chat.Input, param string) ([]llama.Token, error) {
	if in.Tokens == nil {
		if err := e.fits(len(in.Text), param); err != nil {
			return nil, err
		}
		tokens, err := e.vocab.tokens(in.Text, true, false, param)
		if err != nil {
			return nil, err
		}
		return tokens, e.checkInput(len(tokens), param)
	}
	if err := e.checkInput(len(in.Tokens), param); err != nil {
		return nil, err
	}
	return e.vocab.check(in.Tokens, param)
}

// fits refuses a text that is too long whatever its tokens are, before it is
// tokenized.
func (e *Engine) fits(size int, param string) error {
	if least := (size + e.vocab.longest - 1) / max(e.vocab.longest, 1); least > e.embed.window {
		return e.tooLong(fmt.Sprintf("at least %d", least), param)
	}
	return nil
}

func (e *Engine) checkInput(tokens int, param string) error {
	switch {
	case tokens == 0:
		return chat.BadParam(param, "the model has no tokens for this text: send another")
	case tokens > e.embed.window:
		return e.tooLong(fmt.Sprint(tokens), param)
	}
	return nil
}

func (e *Engine) tooLong(tokens, param string) error {
	return &chat.Error{
		Kind: chat.Invalid, Code: chat.CodeContextLength, Param: param,
		Msg: fmt.Sprintf("%s has %s tokens and the model reads %d at most: send it in pieces, or raise the model's context", param, tokens, e.embed.window),
	}
}

// Rerank scores documents with a model that was made for it.
func (e *Engine) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	defer e.hold(req.Model)()
	adapter, err := e.adapter(req.Model)
	switch {
	case err != nil:
		return nil, err
	case e.embed.pooling != llama.PoolingTypeRank:
		return nil, chat.Unsupported("model", "this model cannot rerank: name one that was made for it, whose file has the pooling type \"rank\"")
	}
	if err := e.fits(len(req.Query), "query"); err != nil {
		return nil, err
	}
	inputs := make([][]llama.Token, len(req.Documents))
	for i, document := range req.Documents {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		param := fmt.Sprintf("documents[%d]", i)
		if err := e.fits(len(document), param); err != nil {
			return nil, err
		}
		if inputs[i], err = e.pair(req.Query, document, param); err != nil {
			return nil, err
		}
		if n := len(inputs[i]); n > e.embed.window {
			return nil, &chat.Error{
				Kind: chat.Invalid, Code: chat.CodeContextLength, Param: param,
				Msg: fmt.Sprintf("the query and %s have %d tokens together and the model reads %d at most: send it in pieces, or raise the model's context", param, n, e.embed.window),
			}
		}
	}
	scores, err := e.embed.run(ctx, asker{req.Principal, req.Priority}, adapter, inputs)
	if err != nil {
		return nil, err
	}
	arch, _ := llama.ModelMetaValStr(e.model, "general.architecture")
	out := &chat.Ranking{Usage: chat.Usage{PromptTokens: count(inputs)}}
	for i, s := range scores {
		score := float64(s[0])
		if !strings.HasPrefix(arch, "qwen3") { // llama.cpp makes a probability of that one's
			score = 1 / (1 + math.Exp(-score))
		}
		out.Results = append(out.Results, chat.Ranked{Index: i, Score: score})
	}
	out.Sort()
	if req.Top > 0 {
		out.Results = out.Results[:min(req.Top, len(out.Results))]
	}
	return out, nil
}

// pair returns the tokens of a query with a document: by the template that the
// file has for it, or else with the vocabulary's separators.
func (e *Engine) pair(query, document, param string) ([]llama.Token, error) {
	var tokens []llama.Token
	add := func(text string, special bool, param string) error {
		more, err := e.vocab.tokens(text, false, special, param)
		tokens = append(tokens, more...)
		return err
	}
	if template := llama.ModelChatTemplate(e.model, "rerank"); template != "" {
		for template != "" {
			text, name := template, ""
			for _, n := range []string{"{query}", "{document}"} {
				if before, _, found := strings.Cut(text, n); found {
					text, name = before, n
				}
			}
			template = template[len(text)+len(name):]
			err := add(text, true, param)
			switch {
			case err != nil:
			case name == "{query}":
				err = add(query, false, "query")
			case name == "{document}":
				err = add(document, false, param)
			}
			if err != nil {
				return nil, err
			}
		}
		return tokens, nil
	}

	v := e.vocab.handle
	control := func(is bool, token llama.Token) {
		if is && token >= 0 {
			tokens = append(tokens, token)
		}
	}
	ends, parts, end, sep := llama.VocabGetAddEOS(v), llama.VocabGetAddSEP(v), llama.VocabEOS(v), llama.VocabSEP(v)
	if end < 0 {
		end = sep
	}
	control(llama.VocabGetAddBOS(v), llama.VocabBOS(v))
	if err := add(query, false, "query"); err != nil {
		return nil, err
	}
	control(ends, end)
	control(parts, sep)
	if err := add(document, false, param); err != nil {
		return nil, err
	}
	control(ends, end)
	control(parts && !ends, sep)
	return tokens, nil
}

// count returns how many tokens there are.
func count(inputs [][]llama.Token) int {
	n := 0
	for _, in := range inputs {
		n += len(in)
	}
	return n
}

// normalize gives v the length 1. It reports false when v has no direction.
func normalize(v []float32) bool {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return false
	}
	length := math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) / length)
	}
	return true
}
