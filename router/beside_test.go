package router_test

import (
	"context"
	"errors"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/router"
)

var (
	_ chat.Embedder  = (*router.Route)(nil)
	_ chat.Reranker  = (*router.Route)(nil)
	_ chat.Tokenizer = (*router.Route)(nil)
)

// gifted says by which name it was asked.
type gifted struct {
	asked
	chattest.Gifts
	name *string
}

func (g gifted) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	*g.name = req.Model
	return g.Gifts.Embed(ctx, req)
}

func (g gifted) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	*g.name = req.Model
	return g.Gifts.Rerank(ctx, req)
}

func (g gifted) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	*g.name = req.Model
	return g.Gifts.Tokenize(ctx, req)
}

func (g gifted) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	*g.name = req.Model
	return g.Gifts.Detokenize(ctx, req)
}

// What is asked beside chat reaches the model of the name as well, and a model
// that cannot says so.
func TestGiftsReachTheModelTheyName(t *testing.T) {
	var name string
	r, err := router.New([]router.Offer{offer("chats", asked{}), offer("embeds", gifted{name: &name})}, "", map[string]string{"alias": "embeds"})
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]func(model string) (backend string, err error){
		"embed": func(model string) (string, error) {
			req := &chat.EmbedRequest{Model: model, Inputs: []chat.Input{{Text: "a"}}}
			out, err := r.Embed(t.Context(), req)
			if err != nil {
				return "", err
			}
			if req.Model != model {
				t.Errorf("the request was changed to %q", req.Model)
			}
			return out.Backend, nil
		},
		"rerank": func(model string) (string, error) {
			out, err := r.Rerank(t.Context(), &chat.RerankRequest{Model: model, Query: "a", Documents: []string{"b"}})
			if err != nil {
				return "", err
			}
			return out.Backend, nil
		},
		"tokenize": func(model string) (string, error) {
			out, err := r.Tokenize(t.Context(), &chat.TokenizeRequest{Model: model, Text: "a"})
			if err != nil {
				return "", err
			}
			return out.Backend, nil
		},
		"detokenize": func(model string) (string, error) {
			out, err := r.Detokenize(t.Context(), &chat.DetokenizeRequest{Model: model, Tokens: []int{97}})
			if err != nil {
				return "", err
			}
			return out.Backend, nil
		},
	}
	for what, call := range calls {
		for _, model := range []string{"embeds", "alias"} {
			name = ""
			if backend, err := call(model); err != nil || backend != "the one with embeds" || name != "embeds" {
				t.Errorf("%s by %q: backend %q, asked for %q, error %v", what, model, backend, name, err)
			}
		}
		for model, code := range map[string]string{"chats": chat.CodeUnsupported, "": chat.CodeUnsupported, "embed": chat.CodeModelNotFound} {
			_, err := call(model)
			if e, ok := errors.AsType[*chat.Error](err); !ok || e.Code != code || e.Param != "model" {
				t.Errorf("%s by %q: %v, want %s", what, model, err, code)
			}
		}
	}
}
