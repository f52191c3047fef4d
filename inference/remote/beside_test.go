package remote_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/inference/remote"
	"bendi/openaicompat/wire"
)

var (
	_ chat.Embedder  = (*remote.Model)(nil)
	_ chat.Reranker  = (*remote.Model)(nil)
	_ chat.Tokenizer = (*remote.Model)(nil)
)

// giftedServer answers beside chat as a server over [chattest.Gifts] does.
func giftedServer(w http.ResponseWriter, r *http.Request) {
	var g chattest.Gifts
	body, _ := io.ReadAll(r.Body)
	out, err := func() ([]byte, error) {
		switch r.URL.Path {
		case "/v1/embeddings":
			call, err := wire.DecodeEmbed(body)
			if err != nil {
				return nil, err
			}
			out, err := g.Embed(r.Context(), call.Request)
			if err != nil {
				return nil, err
			}
			return wire.EncodeEmbeddings(call.Request.Model, call.Base64, out)
		case "/v1/rerank":
			call, err := wire.DecodeRerank(body)
			if err != nil {
				return nil, err
			}
			out, err := g.Rerank(r.Context(), call.Request)
			if err != nil {
				return nil, err
			}
			return wire.EncodeRanking(call.Request.Model, out, nil)
		case "/v1/tokenize":
			call, err := wire.DecodeTokenize(body)
			if err != nil {
				return nil, err
			}
			out, err := g.Tokenize(r.Context(), call.Request)
			if err != nil {
				return nil, err
			}
			return wire.EncodeTokens(out.Tokens, call.Pieces)
		}
		req, err := wire.DecodeDetokenize(body)
		if err != nil {
			return nil, err
		}
		out, err := g.Detokenize(r.Context(), req)
		if err != nil {
			return nil, err
		}
		return wire.EncodeText(out.Text)
	}()
	status := http.StatusOK
	if err != nil {
		status, out = wire.EncodeError(err, "")
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(out)
}

func embed() *chat.EmbedRequest {
	return &chat.EmbedRequest{ID: "req-1", Model: "tiny", Inputs: []chat.Input{{Text: "你好"}, {Text: "a"}}}
}

func TestGiftsOverTheWire(t *testing.T) {
	m := serve(t, giftedServer)
	t.Run("embed", func(t *testing.T) { chattest.EmbedderContract(t, m, embed) })
	t.Run("embed tokens", func(t *testing.T) {
		chattest.EmbedderContract(t, m, func() *chat.EmbedRequest {
			return &chat.EmbedRequest{Inputs: []chat.Input{{Tokens: []int{1, 2}}, {Tokens: []int{3}}}, Dimensions: 4}
		})
	})
	t.Run("rerank", func(t *testing.T) {
		chattest.RerankerContract(t, m, func() *chat.RerankRequest {
			return &chat.RerankRequest{Model: "tiny", Query: "abc", Documents: []string{"a", "bc", "cba"}}
		})
	})
	t.Run("tokenize", func(t *testing.T) { chattest.TokenizerContract(t, m, "tiny", "你好", "a\nb", "") })
	t.Run("over a socket", func(t *testing.T) {
		m := dial(t, remote.Options{Name: "worker", Socket: overSocket(t, http.HandlerFunc(giftedServer))})
		chattest.EmbedderContract(t, m, embed)
	})
}

// Whatever a server answers, the error is of the kind that it is for our
// client.
func TestEmbeddingsThatFail(t *testing.T) {
	answer := func(status int, typ, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", typ)
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	const json = "application/json"
	tests := []struct {
		name  string
		h     http.HandlerFunc
		kind  chat.Kind
		code  string
		param string
	}{
		{"a fault of the client's", answer(400, json, `{"error":{"message":"too long","code":"context_length_exceeded","param":"input[1]"}}`), chat.Invalid, chat.CodeContextLength, "input[1]"},
		{"an unknown model", answer(404, json, `{"error":{"message":"no","code":"model_not_found","param":"model"}}`), chat.NotFound, chat.CodeModelNotFound, "model"},
		{"no such path", answer(404, json, `{"error":{"message":"File Not Found","type":"not_found_error","code":404}}`), chat.Invalid, chat.CodeUnsupported, "model"},
		{"no such path, as a page", answer(404, "text/html", `<h1>404`), chat.Invalid, chat.CodeUnsupported, "model"},
		{"not made for it", answer(501, json, `{"error":{"message":"This server does not support embeddings."}}`), chat.Invalid, chat.CodeUnsupported, "model"},
		{"our key", answer(401, json, `{"error":{"message":"bad key sk-123"}}`), chat.BadBackend, "backend_auth", ""},
		{"busy", answer(503, json, `{"error":{"message":"busy"}}`), chat.Unavailable, "", ""},
		{"inside", answer(500, json, `{"error":{"message":"boom"}}`), chat.BadBackend, "", ""},
		{"an error that is called 200", answer(200, json, `{"error":{"message":"boom"}}`), chat.BadBackend, "", ""},
		{"a page", answer(200, "text/html", `<h1>hi`), chat.BadBackend, "", ""},
		{"too few", answer(200, json, `{"data":[{"embedding":[1]}]}`), chat.BadBackend, "", ""},
		{"cut", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", json)
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"data":[`)
		}, chat.BadBackend, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := serve(t, tt.h).Embed(t.Context(), embed())
			e, ok := errors.AsType[*chat.Error](err)
			if !ok || e.Kind != tt.kind || e.Code != tt.code || e.Param != tt.param || strings.Contains(e.Error(), "sk-123") {
				t.Fatalf("got %#v", err)
			}
			if tt.kind == chat.Unavailable && e.RetryAfter != 7*time.Second {
				t.Errorf("retry after %v", e.RetryAfter)
			}
		})
	}
}

func TestLeavingEmbeddings(t *testing.T) {
	gone := make(chan struct{}, 1)
	m := serve(t, stalled("", gone))
	cause := errors.New("the test has left")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(30*time.Millisecond, func() { cancel(cause) })
	if _, err := m.Embed(ctx, embed()); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	select {
	case <-gone:
	case <-time.After(time.Second):
		t.Error("a second later the server still works")
	}
}

func TestSilentEmbeddings(t *testing.T) {
	m := serve(t, stalled("{", make(chan struct{}, 1)), func(o *remote.Options) { o.IdleTimeout = 50 * time.Millisecond })
	_, err := m.Embed(t.Context(), embed())
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Timeout {
		t.Errorf("got %v", err)
	}
}
