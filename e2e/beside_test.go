package e2e_test

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// tell posts a body and reads the answer, which must be one, into out.
func (s *server) tell(t *testing.T, path, body string, out any) {
	t.Helper()
	resp := s.post(t, path, body)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v%v", err, s)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Bendi-Backend") != "llamacpp" || resp.Header.Get("X-Request-Id") == "" {
		t.Fatalf("%s: %s %v: %s%v", path, resp.Status, resp.Header, data, s)
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatalf("%s: %v: %s", path, err, data)
	}
}

// TestEmbeddings asks for vectors as text and as tokens, with the official
// client and without. The demo model chats, so its vectors say little, but
// they are vectors.
func TestEmbeddings(t *testing.T) {
	for _, base := range bases {
		t.Run(base.path, func(t *testing.T) {
			s := sharedServer(t)
			client := openai.NewClient(option.WithBaseURL(s.url+base.path), option.WithAPIKey("none"), option.WithMaxRetries(0))
			embed := func(input openai.EmbeddingNewParamsInputUnion) [][]float64 {
				t.Helper()
				answer, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: base.model, Input: input})
				if err != nil {
					t.Fatalf("%v%v", err, s)
				}
				if answer.Model != base.model || answer.Usage.PromptTokens == 0 {
					t.Errorf("model %s, usage %+v", answer.Model, answer.Usage)
				}
				var vectors [][]float64
				for _, d := range answer.Data {
					if n := dot(d.Embedding, d.Embedding); math.Abs(n-1) > 1e-3 {
						t.Errorf("the square of the length is %v", n)
					}
					vectors = append(vectors, d.Embedding)
				}
				return vectors
			}
			texts := embed(openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"怎么退货?", "你好"}})
			var tokens struct{ Tokens []int64 }
			s.tell(t, base.path+"/tokenize", `{"content":"怎么退货?","add_special":true}`, &tokens)
			byTokens := embed(openai.EmbeddingNewParamsInputUnion{OfArrayOfTokens: tokens.Tokens})
			if len(texts) != 2 || len(byTokens) != 1 || dot(texts[0], byTokens[0]) < 0.999 || dot(texts[0], texts[1]) > 0.999 {
				t.Errorf("%d and %d vectors; the same text twice: %v, two texts: %v", len(texts), len(byTokens), dot(texts[0], byTokens[0]), dot(texts[0], texts[1]))
			}

			_, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: base.model,
				Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"你好", strings.Repeat("很长的一段话。", 4000)}}})
			refusal, ok := errors.AsType[*openai.Error](err)
			if !ok || refusal.StatusCode != 400 || refusal.Code != "context_length_exceeded" || refusal.Param != "input[1]" || !strings.Contains(refusal.Message, "2048") {
				t.Errorf("an input beyond the window gives %v", err)
			}
		})
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func TestTokens(t *testing.T) {
	s := sharedServer(t)
	const text = "怎么退货? hello\n"
	body, err := json.Marshal(map[string]any{"content": text, "with_pieces": true})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Tokens []struct {
			ID    int
			Piece any
		}
	}
	s.tell(t, "/v1/tokenize", string(body), &answer)
	var ids []int
	for _, tok := range answer.Tokens {
		ids = append(ids, tok.ID)
	}
	if body, err = json.Marshal(map[string]any{"tokens": ids}); err != nil {
		t.Fatal(err)
	}
	var back struct{ Content string }
	s.tell(t, "/v1/chat/pro/detokenize", string(body), &back)
	if len(ids) < 2 || back.Content != text {
		t.Errorf("%q is %v and that is %q", text, ids, back.Content)
	}
}

// The demo model was not made to rerank, which is the client's to know.
func TestRerankOfAChatModel(t *testing.T) {
	s := sharedServer(t)
	status, c := s.ask(t, "/v1/rerank", `{"query":"退货","documents":["七天内可以退货。","你好"]}`)
	if status != http.StatusBadRequest || string(c.Error.Code) != `"unsupported_parameter"` || string(c.Error.Param) != `"model"` {
		t.Errorf("status %d, error %v", status, c.Error)
	}
}
