package chat

import (
	"context"
	"iter"
)

// A Model answers one request with a stream of events.
type Model interface {
	// Chat streams the answer to req.
	//
	// A sequence that ends without an error is a whole answer: each of the
	// req.N choices has had exactly one event with a Finish and none after it,
	// and the last event of the sequence, no other, carries the Usage. The
	// sequence ends at its first error, which is yielded with a zero Event; a
	// failure to begin is yielded as well.
	//
	// Leaving the loop early, or ending ctx, stops the generation wherever it
	// runs, within a second. After ctx has ended, the error wraps
	// context.Cause(ctx).
	//
	// Chat does not change req, and may be called concurrently. A sequence is
	// ranged over once.
	Chat(ctx context.Context, req *Request) iter.Seq2[Event, error]
}

// A Lister is a Model that knows which model names it answers to.
type Lister interface {
	// Models lists them in the order they are offered. It answers at once,
	// from what is already known, and never loads a model.
	Models() []ModelInfo
}

// A ModelInfo describes a model that a request may name.
type ModelInfo struct {
	ID      string
	Created int64  // Unix seconds
	OwnedBy string // such as "local"
	Context int    // window in tokens; 0 when not known
	State   string // "loaded", "loading", "unloaded" or "failed"; empty when not known
}

// Fail returns the sequence of a request that failed before it began.
func Fail(err error) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) { yield(Event{}, err) }
}
