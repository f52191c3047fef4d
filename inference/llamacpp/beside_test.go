package llamacpp

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
)

// embed is a request that the fake worker answers.
func embed() *chat.EmbedRequest {
	return &chat.EmbedRequest{Model: "tiny", Inputs: []chat.Input{{Text: "你好"}, {Text: "退货"}}}
}

func TestGiftsThroughTheWorker(t *testing.T) {
	w := started(t, "ready")
	t.Run("embed", func(t *testing.T) { chattest.EmbedderContract(t, w, embed) })
	t.Run("rerank", func(t *testing.T) {
		chattest.RerankerContract(t, w, func() *chat.RerankRequest {
			return &chat.RerankRequest{Model: "tiny", Query: "abc", Documents: []string{"a", "bc", "cba"}}
		})
	})
	t.Run("tokenize", func(t *testing.T) { chattest.TokenizerContract(t, w, "tiny", "你好", "a\nb", "") })
	t.Run("a fault of the client's", func(t *testing.T) {
		req := embed()
		req.Dimensions = 1000
		_, err := w.Embed(t.Context(), req)
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Invalid || e.Param != "dimensions" || e.Code != chat.CodeUnsupported {
			t.Errorf("got %v", err)
		}
	})
}

// What was asked before the worker is ready is answered by it.
func TestEmbeddingsWaitForTheWorker(t *testing.T) {
	w := start(t, "die 1")
	if _, err := w.Embed(t.Context(), embed()); err != nil {
		t.Error(err)
	}
}

// A worker that dies of a request is not given it again, and the next request
// waits for the next worker.
func TestWorkerDiesOfEmbeddings(t *testing.T) {
	var library string
	w := started(t, "ready", func(c *Config) { library = c.Library })
	begin := time.Now()
	poison := embed()
	poison.Inputs[0].Text = "poison"
	_, err := w.Embed(t.Context(), poison)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Unavailable || e.Code != chat.CodeEngineFailed || e.RetryAfter == 0 {
		t.Errorf("got %v", err)
	}
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("it took %v", d)
	}
	if _, err := w.Embed(t.Context(), embed()); err != nil {
		t.Errorf("the next request: %v", err)
	}
	if n, _ := os.ReadFile(filepath.Join(library, "poisoned")); string(n) != "1" {
		t.Errorf("%s workers were poisoned, want 1", n)
	}
}
