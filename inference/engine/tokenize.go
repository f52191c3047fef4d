package engine

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/inference/engine/dialect"
)

// maxTokenize is how many bytes are tokenized in one go for whoever wants to
// see the tokens. It takes memory and an uninterruptible time in proportion.
const maxTokenize = 4 << 20

// Tokenize returns the tokens of a text.
func (e *Engine) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if _, err := e.adapter(req.Model); err != nil {
		return nil, err
	}
	if req.Chat != nil {
		return e.tokenizeChat(req.Chat)
	}
	if n := len(req.Text); n > maxTokenize {
		return nil, chat.BadParam("content", "the text has %d bytes and at most %d are tokenized at once: send it in pieces", n, maxTokenize)
	}
	tokens, err := e.vocab.tokens(req.Text, req.AddSpecial, req.ParseSpecial, "content")
	if err != nil {
		return nil, err
	}
	return e.shown(tokens), nil
}

// tokenizeChat returns the tokens that the model would read before it answered.
// There may be more than it can.
func (e *Engine) tokenizeChat(req *chat.Request) (*chat.Tokens, error) {
	if err := e.unsupported(req); err != nil {
		return nil, err
	}
	choice, err := dialect.ParseChoice(req.ToolChoice, req.Tools)
	if err != nil {
		return nil, err
	}
	tokens, err := e.read(req, &job{tools: choice.Allows(req.Tools)}, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	return e.shown(tokens), nil
}

func (e *Engine) shown(tokens []llama.Token) *chat.Tokens {
	out := &chat.Tokens{Tokens: make([]chat.Token, len(tokens))}
	for i, t := range tokens {
		out.Tokens[i] = chat.Token{ID: int(t), Piece: e.vocab.piece(t)}
	}
	return out
}

// Detokenize returns the text of tokens.
func (e *Engine) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if _, err := e.adapter(req.Model); err != nil {
		return nil, err
	}
	tokens, err := e.vocab.check(req.Tokens, "tokens")
	if err != nil {
		return nil, err
	}
	text := llama.Detokenize(e.vocab.handle, tokens, false, req.Special)
	return &chat.Text{Text: strings.ToValidUTF8(text, "\uFFFD")}, nil
}

// tokens returns the tokens of a text, with the control tokens around it that
// the vocabulary wants there, and with the names of control tokens in it as
// those tokens, where asked for.
func (v *vocab) tokens(text string, around, within bool, param string) ([]llama.Token, error) {
	if strings.ContainsRune(text, 0) {
		return nil, chat.BadParam(param, "a NUL character (U+0000) cannot be tokenized: remove it")
	}
	if text == "" && !around {
		return nil, nil
	}
	return llama.Tokenize(v.handle, text, around, within), nil
}

// piece returns the text of a token; of a control token, its name.
func (v *vocab) piece(t llama.Token) []byte {
	if p := v.pieces[t]; len(p) > 0 {
		return p
	}
	return []byte(v.text(t))
}

// check returns ids as tokens, if they are.
func (v *vocab) check(ids []int, param string) ([]llama.Token, error) {
	tokens := make([]llama.Token, len(ids))
	for i, id := range ids {
		if id < 0 || id >= v.size() {
			param = fmt.Sprintf("%s[%d]", param, i)
			return nil, chat.BadParam(param, "%s is %d, which is no token of this model: they are 0 to %d", param, id, v.size()-1)
		}
		tokens[i] = llama.Token(id)
	}
	return tokens, nil
}
