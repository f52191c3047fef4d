package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
)

// A Reranker tells how well documents answer a query. A [Model] that can is
// one too.
type Reranker interface {
	// Rerank scores the documents of req. A score is from 0 to 1, and says
	// more in comparison with others to the same query than in itself.
	//
	// It is all or nothing: a document that is at fault is named by its index,
	// and none is ever cut short to fit. Ending ctx ends it within a second,
	// with an error that wraps context.Cause(ctx).
	//
	// Rerank does not change req, and may be called concurrently.
	Rerank(ctx context.Context, req *RerankRequest) (*Ranking, error)
}

// A RerankRequest asks a [Reranker] for scores.
type RerankRequest struct {
	ID    string // as of a [Request]
	Model string // likewise

	Principal string // likewise
	Priority  int    // likewise

	Query     string
	Documents []string // at least one
	Top       int      // how many of the best are wanted; 0: all
	Classes   []string // as of a [Request]
	Inside    bool     // likewise

	// Extra holds top-level wire fields that Bendi gives no meaning to, as
	// those of a [Request].
	Extra map[string]json.RawMessage
}

// A Ranking is the answer to a [RerankRequest].
type Ranking struct {
	Results []Ranked // the best first; of equal ones, in the order of the documents
	Usage   Usage    // of the pairs together, with prompt tokens alone
	Backend string   // who answered; set by whoever chose the backend
}

// A Ranked is a document with its score.
type Ranked struct {
	Index int // of the document
	Score float64
}

// Sort brings the results into the order that they are told in.
func (r *Ranking) Sort() {
	slices.SortFunc(r.Results, func(a, b Ranked) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Index, b.Index))
	})
}

// Rerank has m answer req, where m can.
func Rerank(ctx context.Context, m Model, req *RerankRequest) (*Ranking, error) {
	if r, ok := m.(Reranker); ok {
		return r.Rerank(ctx, req)
	}
	return nil, Unsupported("model", "this model cannot rerank; name one that was made for it")
}
