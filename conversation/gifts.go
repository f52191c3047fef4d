package conversation

import (
	"context"

	"bendi/chat"
)

// gifts are what a model can beside chat, passed through.
type gifts struct{ model chat.Model }

func (g gifts) Models() []chat.ModelInfo {
	if l, ok := g.model.(chat.Lister); ok {
		return l.Models()
	}
	return nil
}

// Resolve returns the name of the model that answers to a name.
func (g gifts) Resolve(name string) (string, error) {
	if r, ok := g.model.(interface {
		Resolve(name string) (string, error)
	}); ok {
		return r.Resolve(name)
	}
	return name, nil
}

func (g gifts) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	return chat.Embed(ctx, g.model, req)
}

func (g gifts) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	return chat.Rerank(ctx, g.model, req)
}

func (g gifts) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	return chat.Tokenize(ctx, g.model, req)
}

func (g gifts) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	return chat.Detokenize(ctx, g.model, req)
}
