package chattest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"bendi/chat"
)

// EmbedderContract checks that e keeps the promises of [chat.Embedder]. Each
// call of ask returns a fresh request, of at least two different inputs, that
// can be answered.
func EmbedderContract(t *testing.T, e chat.Embedder, ask func() *chat.EmbedRequest) {
	whole := func(t *testing.T) *chat.Embeddings {
		t.Helper()
		req := ask()
		out, err := e.Embed(t.Context(), req)
		if err == nil {
			err = wholeEmbeddings(out, req)
		}
		if err != nil {
			t.Fatal(err)
		}
		if before := ask(); !reflect.DeepEqual(req, before) {
			t.Errorf("Embed changed the request:\n got %+v\nwant %+v", req, before)
		}
		return out
	}

	t.Run("an answer is well formed, and again the same", func(t *testing.T) {
		first, second := whole(t), whole(t)
		if first.Usage != second.Usage {
			t.Errorf("the usage was %+v and is %+v", first.Usage, second.Usage)
		}
		for i, v := range first.Vectors {
			if far := 1 - Cosine(v, second.Vectors[i]); far > 1e-3 {
				t.Errorf("input %d: the second vector is %v from the first", i, far)
			}
		}
		if Cosine(first.Vectors[0], first.Vectors[1]) > 1-1e-6 {
			t.Error("two different inputs have the same vector")
		}
	})
	endings(t, func(ctx context.Context) (bool, error) {
		out, err := e.Embed(ctx, ask())
		return out != nil, err
	})
}

// RerankerContract checks that r keeps the promises of [chat.Reranker]. Each
// call of ask returns a fresh request of at least two documents that can be
// answered.
func RerankerContract(t *testing.T, r chat.Reranker, ask func() *chat.RerankRequest) {
	t.Run("an answer is well formed, the best first", func(t *testing.T) {
		req := ask()
		out, err := r.Rerank(t.Context(), req)
		if err == nil {
			err = wholeRanking(out, req)
		}
		if err != nil {
			t.Fatal(err)
		}
		if before := ask(); !reflect.DeepEqual(req, before) {
			t.Errorf("Rerank changed the request:\n got %+v\nwant %+v", req, before)
		}
		best := ask()
		best.Top = 1
		one, err := r.Rerank(t.Context(), best)
		if err == nil {
			err = wholeRanking(one, best)
		}
		if err != nil {
			t.Fatal(err)
		}
		if one.Results[0].Index != out.Results[0].Index {
			t.Errorf("the best is document %d, but of all it is %d", one.Results[0].Index, out.Results[0].Index)
		}
	})
	endings(t, func(ctx context.Context) (bool, error) {
		out, err := r.Rerank(ctx, ask())
		return out != nil, err
	})
}

// TokenizerContract checks that k keeps the promises of [chat.Tokenizer], with
// texts that the vocabulary must be able to tell exactly.
func TokenizerContract(t *testing.T, k chat.Tokenizer, model string, texts ...string) {
	for _, text := range texts {
		out, err := k.Tokenize(t.Context(), &chat.TokenizeRequest{Model: model, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		var ids []int
		var pieces []byte
		for _, tok := range out.Tokens {
			ids, pieces = append(ids, tok.ID), append(pieces, tok.Piece...)
		}
		if string(pieces) != text {
			t.Errorf("the pieces of %q are %q", text, pieces)
		}
		if len(ids) == 0 {
			continue
		}
		back, err := k.Detokenize(t.Context(), &chat.DetokenizeRequest{Model: model, Tokens: ids})
		if err != nil {
			t.Fatal(err)
		}
		if back.Text != text {
			t.Errorf("%q comes back as %q", text, back.Text)
		}
	}
	endings(t, func(ctx context.Context) (bool, error) {
		out, err := k.Tokenize(ctx, &chat.TokenizeRequest{Model: model, Text: texts[0]})
		return out != nil, err
	})
}

// endings checks what is promised of a call whose context ends, and of several
// at once.
func endings(t *testing.T, call func(context.Context) (answered bool, err error)) {
	t.Run("an ended context begins nothing", func(t *testing.T) {
		cause := errors.New("too late")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		answered, err := call(ctx)
		if answered || !errors.Is(err, cause) {
			t.Errorf("answered: %v, error: %v; want an error that wraps the cause", answered, err)
		}
	})

	t.Run("ending the context stops it with the cause", func(t *testing.T) {
		cause := errors.New("the test has seen enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var ended time.Time
		timer := time.AfterFunc(time.Millisecond, func() { ended = time.Now(); cancel(cause) })
		answered, err := call(ctx)
		if timer.Stop() {
			ended = time.Now() // it was over before that
		} else {
			<-ctx.Done()
		}
		if !answered && !errors.Is(err, cause) {
			t.Errorf("the error is %v, which does not wrap the cause", err)
		}
		if d := time.Since(ended); d > stopLimit {
			t.Errorf("the context ended %v before the call", d)
		}
	})

	t.Run("it answers concurrently", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := call(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// wholeEmbeddings says which promise of [chat.Embedder] out breaks.
func wholeEmbeddings(out *chat.Embeddings, req *chat.EmbedRequest) error {
	if len(out.Vectors) != len(req.Inputs) {
		return fmt.Errorf("%d vectors for %d inputs", len(out.Vectors), len(req.Inputs))
	}
	if out.Usage.PromptTokens <= 0 || out.Usage.CompletionTokens != 0 {
		return fmt.Errorf("the usage is %+v", out.Usage)
	}
	for i, v := range out.Vectors {
		if len(v) == 0 || len(v) != len(out.Vectors[0]) || req.Dimensions > 0 && len(v) != req.Dimensions {
			return fmt.Errorf("input %d has %d dimensions, the first has %d, and %d were asked for", i, len(v), len(out.Vectors[0]), req.Dimensions)
		}
		if n := math.Sqrt(dot(v, v)); !(math.Abs(n-1) < 1e-3) {
			return fmt.Errorf("the vector of input %d has the length %v, want 1", i, n)
		}
	}
	return nil
}

// wholeRanking says which promise of [chat.Reranker] out breaks.
func wholeRanking(out *chat.Ranking, req *chat.RerankRequest) error {
	want := len(req.Documents)
	if req.Top > 0 {
		want = min(want, req.Top)
	}
	if len(out.Results) != want {
		return fmt.Errorf("%d results, want %d", len(out.Results), want)
	}
	if out.Usage.PromptTokens <= 0 || out.Usage.CompletionTokens != 0 {
		return fmt.Errorf("the usage is %+v", out.Usage)
	}
	seen := make(map[int]bool)
	for i, r := range out.Results {
		switch {
		case r.Index < 0 || r.Index >= len(req.Documents) || seen[r.Index]:
			return fmt.Errorf("document %d is not there, or there twice", r.Index)
		case !(r.Score >= 0 && r.Score <= 1):
			return fmt.Errorf("document %d has the score %v, want 0 to 1", r.Index, r.Score)
		case i > 0 && (r.Score > out.Results[i-1].Score || r.Score == out.Results[i-1].Score && r.Index < out.Results[i-1].Index):
			return fmt.Errorf("document %d with the score %v comes after one with %v", r.Index, r.Score, out.Results[i-1].Score)
		}
		seen[r.Index] = true
	}
	return nil
}

// Cosine returns the cosine of the angle between two vectors.
func Cosine(a, b []float32) float64 {
	return dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b))
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i, x := range a {
		sum += float64(x) * float64(b[i])
	}
	return sum
}
