package chattest_test

import (
	"errors"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
)

func TestGiftsKeepTheContracts(t *testing.T) {
	var g chattest.Gifts
	t.Run("embed", func(t *testing.T) {
		chattest.EmbedderContract(t, g, func() *chat.EmbedRequest {
			return &chat.EmbedRequest{Inputs: []chat.Input{{Text: "你好"}, {Tokens: []int{1, 2, 3}}}}
		})
	})
	t.Run("rerank", func(t *testing.T) {
		chattest.RerankerContract(t, g, func() *chat.RerankRequest {
			return &chat.RerankRequest{Query: "abc", Documents: []string{"a", "bc", "cba"}}
		})
	})
	t.Run("tokenize", func(t *testing.T) {
		chattest.TokenizerContract(t, g, "", "你好", "", "a b")
	})
}

// What a model cannot do is refused by name, and not a fault of ours.
func TestAModelWithoutGifts(t *testing.T) {
	m := chattest.Script("你好")
	_, embed := chat.Embed(t.Context(), m, nil)
	_, rerank := chat.Rerank(t.Context(), m, nil)
	_, tokenize := chat.Tokenize(t.Context(), m, nil)
	_, detokenize := chat.Detokenize(t.Context(), m, nil)
	for _, err := range []error{embed, rerank, tokenize, detokenize} {
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Invalid || e.Code != chat.CodeUnsupported || e.Param != "model" {
			t.Errorf("got %#v", err)
		}
	}
}
