package openaicompat_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"

	"bendi/access"
	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/openaicompat"
)

// What an engine can beside chat, it can whatever the script.
var gifts chattest.Gifts

func (e *engine) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	return gifts.Embed(ctx, req)
}

func (e *engine) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	return gifts.Rerank(ctx, req)
}

func (e *engine) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	return gifts.Tokenize(ctx, req)
}

func (e *engine) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	return gifts.Detokenize(ctx, req)
}

// TestSDKEmbeddings has the official client embed, in each of the forms that
// an input may have.
func TestSDKEmbeddings(t *testing.T) {
	sdk(t, "", func(t *testing.T, client openai.Client, model string) {
		inputs := map[string]openai.EmbeddingNewParamsInputUnion{
			"a string":        {OfString: openai.String("ab")},
			"strings":         {OfArrayOfStrings: []string{"ab", "你好"}},
			"tokens":          {OfArrayOfTokens: []int64{97, 98}},
			"arrays of those": {OfArrayOfTokenArrays: [][]int64{{97, 98}, {1}}},
		}
		for name, input := range inputs {
			answer, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: model, Input: input, User: openai.String("u")})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			v := answer.Data[0]
			if answer.Model != model || answer.Usage.TotalTokens < 2 || v.Object != "embedding" || len(v.Embedding) != 8 || math.Abs(v.Embedding[97%8]-math.Sqrt(0.5)) > 1e-6 {
				t.Errorf("%s: %s", name, answer.RawJSON())
			}
		}
		_, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: model, Input: inputs["tokens"], Dimensions: openai.Int(9)})
		if e, ok := errors.AsType[*openai.Error](err); !ok || e.StatusCode != 400 || e.Param != "dimensions" {
			t.Errorf("too many dimensions: %v", err)
		}
		_, err = client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: "gpt-4o", Input: inputs["tokens"]})
		if e, ok := errors.AsType[*openai.Error](err); !ok || e.StatusCode != 404 || e.Code != "model_not_found" {
			t.Errorf("an unknown model: %v", err)
		}
	})
}

// slowEmbedder embeds until nobody wants it.
type slowEmbedder struct {
	chattest.Script
	ended chan error
}

func (m slowEmbedder) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	<-ctx.Done()
	m.ended <- ctx.Err()
	return nil, context.Cause(ctx)
}

func TestClientLeavesEmbeddings(t *testing.T) {
	m := slowEmbedder{ended: make(chan error, 1)}
	srv := httptest.NewServer(openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: m}}}))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/v1/embeddings", strings.NewReader(`{"input":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(req); err == nil {
		t.Error("an answer came")
	}
	select {
	case <-m.ended:
	case <-time.After(time.Second):
		t.Error("a second later the model still works")
	}
}

// A route whose model only chats says so, and does not fail.
func TestRouteWithoutGifts(t *testing.T) {
	srv := httptest.NewServer(openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: chattest.Script("好\n")}}}))
	defer srv.Close()
	for path, body := range map[string]string{
		"/v1/embeddings": `{"input":"a"}`, "/v1/chat/rerank": `{"query":"a","documents":["b"]}`,
		"/v1/tokenize": `{"content":"a"}`, "/v1/chat/detokenize/": `{"tokens":[1]}`,
	} {
		res, err := http.Post(srv.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
}

// homely is a key whose requests never leave the house.
type homely struct{}

func (homely) Needed() bool { return true }

func (homely) Check(context.Context, string) (access.Identity, error) {
	return access.Identity{Name: "homely", Inside: true}, nil
}

// insider notes whether what it is asked to count has to stay inside.
type insider struct {
	engine
	inside bool
}

func (m *insider) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	m.inside = req.Inside
	return gifts.Tokenize(ctx, &chat.TokenizeRequest{Text: "x"})
}

// To count tokens is to send a text to whoever counts them: that of a key whose
// requests stay inside does so as well, whichever protocol asks.
func TestCountingStaysInside(t *testing.T) {
	for path, body := range map[string]string{
		"/v1/tokenize":               `{"content":"x"}`,
		"/v1/messages/count_tokens":  `{"model":"m","messages":[{"role":"user","content":"x"}]}`,
		"/v1/responses/input_tokens": `{"model":"m","input":"x"}`,
	} {
		m := new(insider)
		h := openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: m}}, Keys: homely{}})
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer x")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != http.StatusOK || !m.inside {
			t.Errorf("%s: status %d, inside %v: %s", path, rec.Code, m.inside, rec.Body)
		}
	}
}
