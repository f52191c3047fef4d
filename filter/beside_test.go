package filter

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
)

// noted keeps what it was asked.
type noted struct {
	gifted
	embed  *chat.EmbedRequest
	rerank *chat.RerankRequest
	tokens *chat.TokenizeRequest
}

func (n *noted) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	n.embed = req
	return n.gifted.Embed(ctx, req)
}

func (n *noted) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	n.rerank = req
	return n.gifted.Rerank(ctx, req)
}

func (n *noted) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	n.tokens = req
	return n.gifted.Tokenize(ctx, req)
}

func (n *noted) Models() []chat.ModelInfo { return []chat.ModelInfo{{ID: "m"}} }

func (n *noted) Resolve(name string) (string, error) { return name + "!", nil }

func tokensOf(s string) []int {
	var ids []int
	for i := range len(s) {
		ids = append(ids, int(s[i]))
	}
	return ids
}

func TestGuardKeepsTheOtherContracts(t *testing.T) {
	w := guard(gifted{}, nil)
	chattest.EmbedderContract(t, w, func() *chat.EmbedRequest {
		return &chat.EmbedRequest{Inputs: []chat.Input{{Text: "天气"}, {Tokens: tokensOf("abc")}}, Extra: map[string]json.RawMessage{"user": json.RawMessage(`"abc"`)}}
	})
	chattest.RerankerContract(t, w, func() *chat.RerankRequest {
		return &chat.RerankRequest{Query: "天气", Documents: []string{"abc", "天", "x"}}
	})
	chattest.TokenizerContract(t, w, "m", "早上好", "a")
	w = guard(&noted{}, nil)
	if models := w.Models(); len(models) != 1 || models[0].ID != "m" {
		t.Errorf("models %v", models)
	}
	if name, err := w.Resolve("x"); name != "x!" || err != nil {
		t.Errorf("resolved to %q, %v", name, err)
	}
	bare := guard(chattest.Script(""), nil)
	if bare.Models() != nil {
		t.Error("a model that lists nothing lists something")
	}
	if name, err := bare.Resolve("x"); name != "x" || err != nil {
		t.Errorf("resolved to %q, %v", name, err)
	}
}

func TestWhatOthersAreAskedIsFiltered(t *testing.T) {
	n := &noted{}
	w := guard(n, nil)
	embed := &chat.EmbedRequest{Inputs: []chat.Input{{Text: "天气"}, {Text: "秘密"}}, Extra: map[string]json.RawMessage{"user": json.RawMessage(`"abc"`)}}
	if _, err := w.Embed(t.Context(), embed); err != nil {
		t.Fatal(err)
	}
	want := &chat.EmbedRequest{
		Inputs: []chat.Input{{Text: "[gone]"}, {Text: "秘密"}}, Extra: map[string]json.RawMessage{"user": json.RawMessage(`"***"`)},
		Inside: true, Classes: []string{"inside", "mask", "replace"},
	}
	if !reflect.DeepEqual(n.embed, want) {
		t.Errorf("embed was asked %+v, want %+v", n.embed, want)
	}

	if _, err := w.Rerank(t.Context(), &chat.RerankRequest{Query: "天气", Documents: []string{"x", "abc"}}); err != nil {
		t.Fatal(err)
	}
	if n.rerank.Query != "[gone]" || !slices.Equal(n.rerank.Documents, []string{"x", "***"}) {
		t.Errorf("rerank was asked %+v", n.rerank)
	}

	if _, err := w.Tokenize(t.Context(), &chat.TokenizeRequest{Text: "天气"}); err != nil {
		t.Fatal(err)
	}
	if n.tokens.Text != "[gone]" {
		t.Errorf("tokenize was asked %+v", n.tokens)
	}

	text, err := w.Detokenize(t.Context(), &chat.DetokenizeRequest{Tokens: tokensOf("天气")})
	if err != nil || text.Text != "[gone]" {
		t.Errorf("detokenized %+v, %v", text, err)
	}
	if _, err := w.Detokenize(t.Context(), &chat.DetokenizeRequest{Tokens: tokensOf("赌博")}); err == nil {
		t.Error("tokens of a word are let through")
	}
}

// Tokens hide nothing: they are read as the text they are.
func TestTokensAreRead(t *testing.T) {
	n := &noted{}
	w := guard(n, nil)
	tokens := func(texts ...string) *chat.EmbedRequest {
		req := &chat.EmbedRequest{}
		for _, s := range texts {
			req.Inputs = append(req.Inputs, chat.Input{Tokens: tokensOf(s)})
		}
		return req
	}
	if _, err := w.Embed(t.Context(), tokens("早上", "好")); err != nil || n.embed.Inputs[0].Tokens == nil {
		t.Errorf("harmless tokens went on as %+v, %v", n.embed, err)
	}
	if _, err := w.Embed(t.Context(), tokens("早上", "天气")); err != nil || !reflect.DeepEqual(n.embed.Inputs, []chat.Input{{Text: "早上"}, {Text: "[gone]"}}) {
		t.Errorf("rewritten tokens went on as %+v, %v", n.embed, err)
	}
	_, err := w.Embed(t.Context(), tokens("早上", "赌博"))
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Param != "input[1]" || e.Code != chat.CodeContentFilter {
		t.Errorf("tokens of a word: %v", err)
	}
	blind := guard(struct {
		chattest.Script
		chat.Embedder
	}{"", n}, nil)
	_, err = blind.Embed(t.Context(), tokens("早上"))
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Invalid || e.Param != "input[0]" || !strings.Contains(e.Msg, "6 tokens") {
		t.Errorf("tokens that nobody can read: %v", err)
	}
}
