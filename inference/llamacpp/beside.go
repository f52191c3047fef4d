package llamacpp

import (
	"context"
	"iter"

	"bendi/chat"
)

// Embed has the worker embed the inputs of req. It waits for a worker, and
// ends when that dies, as Chat does.
func (w *Worker) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	return once(ctx, w, req, chat.Embed)
}

// Rerank has the worker score the documents of req, likewise.
func (w *Worker) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	return once(ctx, w, req, chat.Rerank)
}

// Tokenize has the worker tokenize a text, likewise.
func (w *Worker) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	return once(ctx, w, req, chat.Tokenize)
}

// Detokenize has the worker turn tokens into text, likewise.
func (w *Worker) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	return once(ctx, w, req, chat.Detokenize)
}

// once relays an answer that comes in one piece.
func once[Req, Answer any](ctx context.Context, w *Worker, req *Req, ask func(context.Context, chat.Model, *Req) (*Answer, error)) (*Answer, error) {
	for answer, err := range relay(ctx, w, func(ctx context.Context, m chat.Model) iter.Seq2[*Answer, error] {
		return func(yield func(*Answer, error) bool) { yield(ask(ctx, m, req)) }
	}) {
		return answer, err
	}
	panic("a relay ends with an answer or an error")
}
