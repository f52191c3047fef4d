package chat

import (
	"context"
	"encoding/json"
)

// An Embedder turns texts into vectors. A [Model] that can is one too.
type Embedder interface {
	// Embed returns a vector for each input of req, in their order. Each has
	// the length 1, and the same number of dimensions as the others. Alike
	// texts have vectors that point in alike directions.
	//
	// It is all or nothing: an input that is at fault is named by its index,
	// and no input is ever cut short to fit. Ending ctx ends it within a
	// second, with an error that wraps context.Cause(ctx).
	//
	// Embed does not change req, and may be called concurrently.
	Embed(ctx context.Context, req *EmbedRequest) (*Embeddings, error)
}

// An EmbedRequest asks an [Embedder] for vectors.
type EmbedRequest struct {
	ID    string // as of a [Request]
	Model string // likewise

	Principal string // likewise
	Priority  int    // likewise

	Inputs     []Input  // at least one
	Dimensions int      // 0: as many as the model has
	Classes    []string // as of a [Request]
	Inside     bool     // likewise

	// Extra holds top-level wire fields that Bendi gives no meaning to, as
	// those of a [Request].
	Extra map[string]json.RawMessage
}

// An Input is a text, or the tokens of one.
type Input struct {
	Text   string // not empty, unless there are tokens
	Tokens []int  // taken as they are; nil: the text counts
}

// Embeddings are the answer to an [EmbedRequest].
type Embeddings struct {
	Vectors [][]float32 // by input
	Usage   Usage       // of the inputs together, with prompt tokens alone
	Backend string      // who answered; set by whoever chose the backend
}

// Embed has m answer req, where m can.
func Embed(ctx context.Context, m Model, req *EmbedRequest) (*Embeddings, error) {
	if e, ok := m.(Embedder); ok {
		return e.Embed(ctx, req)
	}
	return nil, Unsupported("model", "this model gives no embeddings; name one that does")
}
