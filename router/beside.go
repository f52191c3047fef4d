package router

import (
	"context"
	"slices"

	"bendi/chat"
)

// offer returns the offer that answers to a name.
func (r *Route) offer(name string) (*Offer, error) {
	if o, ok := r.byName[name]; ok {
		return o, nil
	}
	for i := range r.offers {
		o := &r.offers[i]
		if _, star := o.star(); !star {
			continue
		}
		for _, m := range o.starred() {
			if m.ID == name {
				return &Offer{ModelInfo: m, Backend: o.Backend, Model: o.Model}, nil
			}
		}
	}
	return nil, r.unknown(name)
}

// Embed has the model that req names embed its inputs, if that model can.
func (r *Route) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	o, err := r.offer(req.Model)
	if err != nil {
		return nil, err
	}
	own := *req
	own.Model = o.ID
	out, err := chat.Embed(ctx, o.Model, &own)
	if err == nil && out.Backend == "" {
		out.Backend = o.Backend
	}
	return out, err
}

// Rerank has the model that req names score its documents, if that model can.
func (r *Route) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	o, err := r.offer(req.Model)
	if err != nil {
		return nil, err
	}
	own := *req
	own.Model = o.ID
	out, err := chat.Rerank(ctx, o.Model, &own)
	if err == nil && out.Backend == "" {
		out.Backend = o.Backend
	}
	return out, err
}

// Tokenize returns the tokens of a text of the model that req names, if that
// model shows them.
func (r *Route) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	o, err := r.offer(req.Model)
	if err != nil {
		return nil, err
	}
	own := *req
	own.Model = o.ID
	out, err := chat.Tokenize(ctx, o.Model, &own)
	if err == nil && out.Backend == "" {
		out.Backend = o.Backend
	}
	return out, err
}

// Detokenize returns the text of tokens of the model that req names, if that
// model shows it.
func (r *Route) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	o, err := r.offer(req.Model)
	if err != nil {
		return nil, err
	}
	own := *req
	own.Model = o.ID
	out, err := chat.Detokenize(ctx, o.Model, &own)
	if err == nil && out.Backend == "" {
		out.Backend = o.Backend
	}
	return out, err
}

// A reach says which backends are asked something other than a chat.
type reach uint8

const (
	ofAll       reach = iota // that can answer it
	ofFirst                  // likewise, of the first tier that can: what another model says cannot be compared with that, as with vectors
	ofPermitted              // likewise, of the first tier that can and may: who would answer a chat of it
)

// once asks backends, one after the other, something that is answered in one
// piece. Those that cannot answer it are passed over.
func once[Answer any](ctx context.Context, p *Pool, who asker, can func(chat.Model) bool, whom reach, ask func(context.Context, *Backend) (*Answer, error)) (*Answer, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var c call
	c.init(ctx, p, who)
	defer c.close()
	tier := -1
	for i, b := range p.backends {
		switch {
		case !can(b.Model) || whom != ofAll && tier >= 0 && p.tierOf[i] != tier:
			c.unable |= 1 << i
		case whom == ofPermitted && p.outside && !c.ruling.lets(b):
		case tier < 0:
			tier = p.tierOf[i]
		}
	}
	if c.unable == 1<<len(p.backends)-1 {
		return ask(ctx, p.backends[0]) // which says so, and sends nothing
	}
	var out *Answer
	err := c.run(func(t *try) (o outcome, committed bool, err error) {
		out, err = ask(t.ctx, t.backend)
		o, err = t.end(err)
		return o, false, err
	}, nil)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func is[Gift any](m chat.Model) bool {
	_, ok := m.(Gift)
	return ok
}

// Embed has a backend that can embed the inputs.
func (p *Pool) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	who := asker{id: req.ID, model: req.Model, anonymous: true, classes: req.Classes, inside: req.Inside}
	who.tokens = slices.ContainsFunc(req.Inputs, func(in chat.Input) bool { return in.Tokens != nil })
	return once(ctx, p, who, is[chat.Embedder], ofFirst, func(ctx context.Context, b *Backend) (*chat.Embeddings, error) {
		own := *req
		own.Model = b.name(req.Model)
		out, err := chat.Embed(ctx, b.Model, &own)
		if err == nil && out.Backend == "" {
			out.Backend = b.Name
		}
		return out, err
	})
}

// Rerank has a backend that can score the documents.
func (p *Pool) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	who := asker{id: req.ID, model: req.Model, anonymous: true, classes: req.Classes, inside: req.Inside}
	return once(ctx, p, who, is[chat.Reranker], ofAll, func(ctx context.Context, b *Backend) (*chat.Ranking, error) {
		own := *req
		own.Model = b.name(req.Model)
		out, err := chat.Rerank(ctx, b.Model, &own)
		if err == nil && out.Backend == "" {
			out.Backend = b.Name
		}
		return out, err
	})
}

// Tokenize has a backend that can show the tokens of a text.
func (p *Pool) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	who := asker{id: req.ID, model: req.Model, anonymous: true, classes: req.Classes, inside: req.Inside}
	return once(ctx, p, who, is[chat.Tokenizer], ofPermitted, func(ctx context.Context, b *Backend) (*chat.Tokens, error) {
		own := *req
		own.Model = b.name(req.Model)
		out, err := chat.Tokenize(ctx, b.Model, &own)
		if err == nil && out.Backend == "" {
			out.Backend = b.Name
		}
		return out, err
	})
}

// Detokenize has a backend that can show the text of tokens. Nobody can look
// through tokens for what must stay inside, so they do.
func (p *Pool) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	who := asker{id: req.ID, model: req.Model, anonymous: true, inside: true}
	return once(ctx, p, who, is[chat.Tokenizer], ofFirst, func(ctx context.Context, b *Backend) (*chat.Text, error) {
		own := *req
		own.Model = b.name(req.Model)
		out, err := chat.Detokenize(ctx, b.Model, &own)
		if err == nil && out.Backend == "" {
			out.Backend = b.Name
		}
		return out, err
	})
}
