package llamacpp

import (
	"context"

	"bendi/chat"
	"bendi/internal/life"
)

// Embed has the worker embed the inputs of req. It waits for a worker, and
// ends when that dies, as Chat does.
func (w *Worker) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	return life.Once(ctx, w, req, chat.Embed, relay)
}

// Rerank has the worker score the documents of req, likewise.
func (w *Worker) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	return life.Once(ctx, w, req, chat.Rerank, relay)
}

// Tokenize has the worker tokenize a text, likewise.
func (w *Worker) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	return life.Once(ctx, w, req, chat.Tokenize, relay)
}

// Detokenize has the worker turn tokens into text, likewise.
func (w *Worker) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	return life.Once(ctx, w, req, chat.Detokenize, relay)
}
