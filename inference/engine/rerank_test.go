package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/models"
	"bendi/models/gguf"
)

// openBERT loads a tiny model of random weights that was made not to chat: an
// encoder with the pooling type, whose window is 48 tokens.
func openBERT(t *testing.T, pooling uint32, more ...gguf.KeyValue) *Engine {
	t.Helper()
	if _, err := LoadLibrary(testLibrary); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bert.gguf")
	var b bytes.Buffer
	metadata, tensors := bert(pooling)
	if err := gguf.Write(&b, append(metadata, more...), tensors); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := models.CheckModel(path); err != nil {
		t.Fatal(err)
	}
	e, err := Open(Config{Name: "tiny", Model: path, Slots: 2, Context: 4096, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func bert(pooling uint32) ([]gguf.KeyValue, []gguf.TensorData) {
	const width, hidden, window = 32, 64, 48
	tokens := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	types := []int32{3, 3, 3, 3, 3}
	for c := 'a'; c <= 'z'; c++ {
		tokens = append(tokens, "▁"+string(c), string(c))
		types = append(types, 1, 1)
	}
	metadata := []gguf.KeyValue{
		{Key: "general.architecture", Value: "bert"},
		{Key: "bert.context_length", Value: uint32(window)},
		{Key: "bert.embedding_length", Value: uint32(width)},
		{Key: "bert.block_count", Value: uint32(1)},
		{Key: "bert.feed_forward_length", Value: uint32(hidden)},
		{Key: "bert.attention.head_count", Value: uint32(2)},
		{Key: "bert.attention.layer_norm_epsilon", Value: float32(1e-12)},
		{Key: "bert.attention.causal", Value: false},
		{Key: "bert.pooling_type", Value: pooling},
		{Key: "tokenizer.ggml.model", Value: "bert"},
		{Key: "tokenizer.ggml.tokens", Value: tokens},
		{Key: "tokenizer.ggml.token_type", Value: types},
		{Key: "tokenizer.ggml.token_type_count", Value: uint32(2)},
		{Key: "tokenizer.ggml.padding_token_id", Value: uint32(0)},
		{Key: "tokenizer.ggml.unknown_token_id", Value: uint32(1)},
		{Key: "tokenizer.ggml.bos_token_id", Value: uint32(2)},
		{Key: "tokenizer.ggml.seperator_token_id", Value: uint32(3)}, // as llama.cpp spells it
		{Key: "tokenizer.ggml.mask_token_id", Value: uint32(4)},
	}
	random := rand.New(rand.NewPCG(1, 2))
	var tensors []gguf.TensorData
	add := func(name string, dims ...uint64) {
		n := uint64(1)
		for _, d := range dims {
			n *= d
		}
		var b bytes.Buffer
		for range n {
			x := float32(random.NormFloat64())
			switch {
			case strings.Contains(name, "norm.weight"):
				x = 1 + x/10
			case len(dims) == 2 && !strings.Contains(name, "embd"):
				x /= 6 // or every softmax would see one token alone
			}
			binary.Write(&b, binary.LittleEndian, x)
		}
		tensors = append(tensors, gguf.TensorData{Name: name, Type: 0, Dims: dims, Data: &b})
	}
	both := func(name string, in, out uint64) {
		add(name+".weight", in, out)
		add(name+".bias", out)
	}
	norm := func(name string) {
		add(name+".weight", width)
		add(name+".bias", width)
	}
	add("token_embd.weight", width, uint64(len(tokens)))
	add("token_types.weight", width, 2)
	add("position_embd.weight", width, window)
	norm("token_embd_norm")
	for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
		both("blk.0."+name, width, width)
	}
	norm("blk.0.attn_output_norm")
	both("blk.0.ffn_up", width, hidden)
	both("blk.0.ffn_down", hidden, width)
	norm("blk.0.layer_output_norm")
	if pooling == 4 {
		both("cls", width, width)
		both("cls.output", width, 1)
	}
	return metadata, tensors
}

func TestRerankerContract(t *testing.T) {
	e := openBERT(t, 4)
	ask := func() *chat.RerankRequest {
		return &chat.RerankRequest{Model: "tiny", Query: "q u e r y", Documents: []string{"a b c", "d", "q u e r y", "x y z"}}
	}
	chattest.RerankerContract(t, e, ask)

	// A score is that of the pair, whatever else is scored.
	all, err := e.Rerank(t.Context(), ask())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all.Results {
		one := ask()
		one.Documents = one.Documents[r.Index : r.Index+1]
		alone, err := e.Rerank(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		if d := alone.Results[0].Score - r.Score; d > 1e-3 || d < -1e-3 {
			t.Errorf("document %d has the score %v alone and %v among others", r.Index, alone.Results[0].Score, r.Score)
		}
	}
	// The document counts, and so does the query.
	if all.Results[0].Score-all.Results[3].Score < 1e-3 {
		t.Errorf("all documents have the same score: %v", all.Results)
	}
	other := ask()
	other.Query = "z"
	if again, err := e.Rerank(t.Context(), other); err != nil || again.Results[0].Score == all.Results[0].Score {
		t.Errorf("another query: %v, %v, as before", again, err)
	}
	// The query comes first: [CLS] query [SEP] document [SEP].
	tokens, err := e.pair("a b", "c", "")
	if err != nil {
		t.Fatal(err)
	}
	if want := []llama.Token{2, 5, 7, 3, 9, 3}; !slices.Equal(tokens, want) {
		t.Errorf("the tokens of a pair are %v, want %v", tokens, want)
	}
}

// A file may say how a query and a document make a prompt. Their own text is
// text in it, whatever it says.
func TestRerankTemplate(t *testing.T) {
	e := openBERT(t, 4, gguf.KeyValue{Key: "tokenizer.chat_template.rerank", Value: "[CLS]a {query} b [SEP] {document}[SEP]"})
	tokens := func(query, document string) []llama.Token {
		t.Helper()
		tokens, err := e.pair(query, document, "")
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	if got, want := tokens("x", "y z"), []llama.Token{2, 5, 51, 7, 3, 53, 55, 3}; !slices.Equal(got, want) {
		t.Errorf("the tokens are %v, want %v", got, want)
	}
	if got := tokens("{document}", "[SEP] {query}"); slices.Contains(got[2:len(got)-1], 2) || len(slices.DeleteFunc(got, func(t llama.Token) bool { return t != 3 })) != 2 {
		t.Errorf("the tokens are %v; want the template's own control tokens alone", got)
	}
}

func TestRerankRefusals(t *testing.T) {
	e := openBERT(t, 4)
	rerank := func(query string, docs ...string) error {
		_, err := e.Rerank(t.Context(), &chat.RerankRequest{Query: query, Documents: docs})
		return err
	}
	long := strings.Repeat("a ", 44)
	_, chats := chattest.Collect(e.Chat(t.Context(), question("hi")), 1)
	tests := []struct {
		name        string
		err         error
		code, param string
		words       []string
	}{
		{"together too long", rerank("q u e r y", "a", long), chat.CodeContextLength, "documents[1]", []string{"48"}},
		{"a NUL in the query", rerank("\x00", "a"), chat.CodeInvalidValue, "query", nil},
		{"a NUL in a document", rerank("a", "b", "\x00"), chat.CodeInvalidValue, "documents[1]", nil},
		{"embeddings", embedding(e, texts("a"))(), chat.CodeUnsupported, "model", []string{"rerank"}},
		{"chat", chats, chat.CodeUnsupported, "model", []string{"does not chat"}},
	}
	for _, tt := range tests {
		got, ok := errors.AsType[*chat.Error](tt.err)
		if !ok || got.Kind != chat.Invalid || got.Code != tt.code || got.Param != tt.param {
			t.Errorf("%s: got %v, want code %s for %s", tt.name, tt.err, tt.code, tt.param)
			continue
		}
		for _, w := range tt.words {
			if !strings.Contains(got.Msg, w) {
				t.Errorf("%s: the message %q lacks %q", tt.name, got.Msg, w)
			}
		}
	}
	if running, waiting := e.Load(); running+waiting != 0 {
		t.Errorf("%d and %d requests are left", running, waiting)
	}
}

// A model made for embeddings serves them, up to the window that its
// positions end at, whatever the configuration says.
func TestEmbeddingModel(t *testing.T) {
	for _, pooling := range []uint32{1, 2} {
		e := openBERT(t, pooling)
		chattest.EmbedderContract(t, e, func() *chat.EmbedRequest { return texts("a b c", "x", strings.Repeat("a ", 46)) })
		err := embedding(e, texts("a", strings.Repeat("a ", 47)))()
		if got, ok := errors.AsType[*chat.Error](err); !ok || got.Code != chat.CodeContextLength || !strings.Contains(got.Msg, "input[1] has 49 tokens and the model reads 48") {
			t.Errorf("pooling %d: an input beyond the window: %v", pooling, err)
		}
	}
}

// Fewer dimensions are the first of all, where the file allows it.
func TestNestedDimensions(t *testing.T) {
	e := openBERT(t, 1, gguf.KeyValue{Key: "general.tags", Value: []string{"sentence-transformers", "loss:MatryoshkaLoss"}})
	whole := vectorsOf(t, e, texts("a b c"))[0]
	req := texts("a b c")
	req.Dimensions = 8
	short := vectorsOf(t, e, req)[0]
	if d := far(short, whole[:8]); len(short) != 8 || d > 1e-6 {
		t.Errorf("%d dimensions, %v from the first of all", len(short), d)
	}
	if n := chattest.Cosine(short, short); n < 0.999 {
		t.Errorf("the length is %v", n)
	}
}
