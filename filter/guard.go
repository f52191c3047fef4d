package filter

import (
	"context"
	"iter"
	"log/slog"

	"bendi/chat"
)

// Options are what a Guard works with.
type Options struct {
	Shelf   *Shelf
	Policy  *Policy       // valid, see [Policy.Validate]
	Secret  []byte        // for the hashes in findings; empty: there are none
	Observe func(Finding) // told of each finding, from several goroutines at once; may be nil
	Second  chat.Model    // gives second opinions; nil: none are asked for
	Log     *slog.Logger  // nil: nothing is logged
	Cache   int           // how many texts are remembered, so that a conversation is not scanned again each turn; 0: 8192, below 0: none
}

// Guard returns m behind the filter. It is whatever m is: a model that embeds,
// ranks, tokenizes, lists or resolves names does that still, with its requests
// filtered.
func Guard(m chat.Model, o Options) *Guarded { return &Guarded{model: m, Options: o} }

// Guarded is a model behind the filter.
type Guarded struct {
	Options
	model chat.Model
}

// Chat answers req as the model does, with both filtered.
func (g *Guarded) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return g.model.Chat(ctx, req)
}

// Models lists what the model lists.
func (g *Guarded) Models() []chat.ModelInfo {
	if l, ok := g.model.(chat.Lister); ok {
		return l.Models()
	}
	return nil
}

// A resolver knows the model that a name stands for.
type resolver interface {
	Resolve(name string) (string, error)
}

// Resolve returns the name of the model that answers to a name.
func (g *Guarded) Resolve(name string) (string, error) {
	if r, ok := g.model.(resolver); ok {
		return r.Resolve(name)
	}
	return name, nil
}

// Embed has the model embed inputs that were filtered.
func (g *Guarded) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	return chat.Embed(ctx, g.model, req)
}

// Rerank has the model rank a query and documents that were filtered.
func (g *Guarded) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	return chat.Rerank(ctx, g.model, req)
}

// Tokenize returns the tokens of a text as the model would read it: filtered.
func (g *Guarded) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	return chat.Tokenize(ctx, g.model, req)
}

// Detokenize returns the text of tokens, filtered.
func (g *Guarded) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	return chat.Detokenize(ctx, g.model, req)
}
