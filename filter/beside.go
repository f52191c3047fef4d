package filter

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"bendi/chat"
)

// A prompt is a request other than for a chat, while it is screened.
type prompt struct {
	*screening
	err error // of what could not be looked through
}

func (g *Guarded) prompt(ctx context.Context, id, principal, model string) *prompt {
	p := &prompt{screening: g.screening(id, principal, model)}
	if ctx.Err() != nil {
		p.err = context.Cause(ctx)
	}
	return p
}

// text screens one text and returns it as it is to be passed on.
func (p *prompt) text(w what, i int, text string) string {
	if text == "" || p.err != nil {
		return text
	}
	texts, _ := p.look(field{place{what: w, i: i, n: 1}, textField, []string{text}}, false)
	return texts[0]
}

// extra screens the fields that have no meaning here.
func (p *prompt) extra(m map[string]json.RawMessage) map[string]json.RawMessage {
	return rewriteExtra(m, func(f field) ([]string, bool) { return p.look(f, false) })
}

// done returns the error of a request that must not go on, or nil.
func (p *prompt) done() error {
	if p.err != nil {
		return p.err
	}
	return p.blockage()
}

// Embed has the model embed inputs that were filtered. Tokens are read as the
// text that the model says they are; where that has to be rewritten, all inputs
// go on as texts.
func (g *Guarded) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	p := g.prompt(ctx, req.ID, req.Principal, req.Model)
	inputs := make([]chat.Input, len(req.Inputs))
	texts := make([]string, len(req.Inputs)) // of tokens
	rewritten := false
	for i, in := range req.Inputs {
		inputs[i] = in
		if in.Tokens == nil {
			inputs[i].Text = p.text(inputText, i, in.Text)
			continue
		}
		var err error
		if texts[i], err = g.read(ctx, req.ID, req.Model, place{what: inputText, i: i}, in.Tokens); err != nil {
			return nil, err
		}
		was := texts[i]
		texts[i] = p.text(inputText, i, was)
		rewritten = rewritten || texts[i] != was
	}
	own := new(*req)
	own.Inputs, own.Extra = inputs, p.extra(req.Extra)
	if rewritten {
		for i := range inputs {
			if inputs[i].Tokens != nil {
				inputs[i] = chat.Input{Text: texts[i]}
			}
		}
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	own.Inside, own.Classes = req.Inside || p.inside, p.tally.classes(req.Classes)
	return chat.Embed(ctx, g.model, own)
}

// read returns the text of tokens at a place.
func (g *Guarded) read(ctx context.Context, id, model string, p place, tokens []int) (string, error) {
	text, err := chat.Detokenize(ctx, g.model, &chat.DetokenizeRequest{ID: id, Model: model, Tokens: tokens, Special: true})
	if err == nil {
		return text.Text, nil
	}
	e, ok := errors.AsType[*chat.Error](err)
	path := p.path(1)
	if ok && e.Code == chat.CodeUnsupported {
		return "", chat.Unsupported(path, "'%s' is %d tokens, and the content filter cannot read them: this model does not say what text they are. Send the text itself.", path, len(tokens))
	}
	if ok && strings.HasPrefix(e.Param, "tokens") { // which nobody has sent
		own := *e
		own.Param = path + strings.TrimPrefix(e.Param, "tokens")
		own.Msg = strings.Replace(e.Msg, e.Param, own.Param, 1)
		return "", &own
	}
	return "", err
}

// readable returns req with the text of a prompt that is tokens beside them.
// Where that is rewritten, it goes on in their place.
func (g *Guarded) readable(ctx context.Context, req *chat.Request) (*chat.Request, error) {
	if req.Prompt == nil || req.Prompt.Tokens == nil {
		return req, nil
	}
	text, err := g.read(ctx, req.ID, req.Model, place{what: promptText}, req.Prompt.Tokens)
	if err != nil {
		return nil, err
	}
	own := new(*req)
	own.Prompt = new(*req.Prompt)
	own.Prompt.Text = text
	return own, nil
}

// Rerank has the model rank a query and documents that were filtered.
func (g *Guarded) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	p := g.prompt(ctx, req.ID, req.Principal, req.Model)
	own := new(*req)
	own.Query = p.text(query, 0, req.Query)
	own.Documents = slices.Clone(req.Documents)
	for i, d := range own.Documents {
		own.Documents[i] = p.text(document, i, d)
	}
	own.Extra = p.extra(req.Extra)
	if err := p.done(); err != nil {
		return nil, err
	}
	own.Inside, own.Classes = req.Inside || p.inside, p.tally.classes(req.Classes)
	return chat.Rerank(ctx, g.model, own)
}

// Tokenize returns the tokens of a text as the model would read it: filtered.
// To count the tokens of a prompt is to send it to whoever counts.
func (g *Guarded) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	p := g.prompt(ctx, req.ID, "", req.Model)
	own := new(*req)
	own.Text = p.text(content, 0, req.Text)
	if req.Chat != nil && p.err == nil {
		readable, err := g.readable(ctx, req.Chat)
		if err != nil {
			return nil, err
		}
		own.Chat = p.request(readable)
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	own.Inside, own.Classes = req.Inside || p.inside, p.tally.classes(req.Classes)
	return chat.Tokenize(ctx, g.model, own)
}

// Detokenize returns the text of tokens, filtered as a request: it is the
// client who wrote it.
func (g *Guarded) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	out, err := chat.Detokenize(ctx, g.model, req)
	if err != nil {
		return nil, err
	}
	p := g.prompt(ctx, req.ID, "", req.Model)
	out = new(*out)
	out.Text = p.text(content, 0, out.Text)
	if err := p.done(); err != nil {
		return nil, err
	}
	return out, nil
}
