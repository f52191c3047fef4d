package router

import (
	"context"

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
