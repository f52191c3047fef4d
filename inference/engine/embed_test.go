package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/chat/chattest"
)

func texts(texts ...string) *chat.EmbedRequest {
	req := new(chat.EmbedRequest)
	for _, t := range texts {
		req.Inputs = append(req.Inputs, chat.Input{Text: t})
	}
	return req
}

func vectorsOf(t *testing.T, e *Engine, req *chat.EmbedRequest) [][]float32 {
	t.Helper()
	out, err := e.Embed(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return out.Vectors
}

func TestEmbedderContract(t *testing.T) {
	e := openDemo(t, Config{})
	for _, m := range e.Models() {
		t.Run(m.ID, func(t *testing.T) {
			chattest.EmbedderContract(t, e, func() *chat.EmbedRequest {
				req := texts("怎么退货?", "用 Go 写一个 hello world", strings.Repeat("很长的一段话。", 100))
				req.Model = m.ID
				return req
			})
		})
	}
}

// far returns how far two directions are apart: 1 less the cosine.
func far(a, b []float32) float64 { return 1 - chattest.Cosine(a, b) }

// A text has the same vector however it is sent, and whatever is sent with it,
// as far as llama.cpp allows: on the CPU it rounds the rows of a product
// differently, depending on how many there are.
func TestBatchesChangeNothing(t *testing.T) {
	e := openDemo(t, Config{})
	together := new(chat.EmbedRequest)
	for i := range 64 {
		together.Inputs = append(together.Inputs, chat.Input{Text: strings.Repeat(fmt.Sprintf("第 %d 个问题,怎么退货?", i), 1+i*i/400)})
	}
	vectors := vectorsOf(t, e, together)
	for i, in := range together.Inputs {
		alone := vectorsOf(t, e, texts(in.Text))[0]
		if d := far(vectors[i], alone); d > 1e-4 {
			t.Errorf("input %d: among 64 it is %v from where it is alone", i, d)
		}
		tokens, err := e.Tokenize(t.Context(), &chat.TokenizeRequest{Text: in.Text, AddSpecial: true})
		if err != nil {
			t.Fatal(err)
		}
		ids := make([]int, len(tokens.Tokens))
		for i, tok := range tokens.Tokens {
			ids[i] = tok.ID
		}
		byTokens := vectorsOf(t, e, &chat.EmbedRequest{Inputs: []chat.Input{{Tokens: ids}}})[0]
		if d := far(alone, byTokens); d > 1e-6 {
			t.Errorf("input %d: by its tokens it is %v from where it is as text", i, d)
		}
	}
}

// What is pooled here, piece by piece, is what llama.cpp pools at once.
func TestPoolingIsThatOfLlama(t *testing.T) {
	for _, pooling := range []llama.PoolingType{llama.PoolingTypeMean, llama.PoolingTypeLast, llama.PoolingTypeCLS} {
		here, there := openDemo(t, Config{}), openDemo(t, Config{})
		here.embed.pooling, there.embed.pooling = pooling, pooling
		there.embed.stepwise = false
		req := texts("怎么退货?", strings.Repeat("很长的一段话。", 120))
		a, b := vectorsOf(t, here, req), vectorsOf(t, there, req)
		for i := range a {
			if d := far(a[i], b[i]); d > 1e-4 {
				t.Errorf("pooling %d, input %d: %v apart", pooling, i, d)
			}
		}
	}
}

// The adapter is on for those who name it, and off for the others.
func TestAdaptersEmbedDifferently(t *testing.T) {
	e := openDemo(t, Config{})
	ask := func(name string) []float32 {
		req := texts("怎么退货?")
		req.Model = name
		return vectorsOf(t, e, req)[0]
	}
	base := ask("")
	if d := far(base, ask("demo:service")); d < 1e-4 {
		t.Errorf("with the adapter the vector is %v from the one without", d)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := []string{"demo", "demo:service"}[i%2]
			if d := far(base, ask(name)); (d < 1e-4) != (name == "demo") {
				t.Errorf("%s: %v from the base", name, d)
			}
		})
	}
	wg.Wait()
}

// An answer goes on while much is embedded.
func TestChatAndEmbeddingsAtOnce(t *testing.T) {
	e := openDemo(t, Config{})
	req := texts(slices.Repeat([]string{"怎么退货? 我买的东西坏了。"}, 200)...)
	done := make(chan error, 1)
	go func() {
		_, err := e.Embed(t.Context(), req)
		done <- err
	}()
	answerOf(t, e, question("你好"))
	if err := <-done; err != nil {
		t.Error(err)
	}
	idle(t, e)
}

// Who leaves frees the embedder for the next.
func TestLeavingEmbeddings(t *testing.T) {
	e := openDemo(t, Config{})
	cause := errors.New("the test has left")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
	many := texts(slices.Repeat([]string{strings.Repeat("很长的一段话。", 60)}, 2000)...)
	if _, err := e.Embed(ctx, many); !errors.Is(err, cause) {
		t.Fatalf("got %v", err)
	}
	begin := time.Now()
	vectorsOf(t, e, texts("你好"))
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("the next request took %v", d)
	}
}

func TestCloseEndsEmbeddings(t *testing.T) {
	e := openDemo(t, Config{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			_, err := e.Embed(t.Context(), texts(slices.Repeat([]string{strings.Repeat("很长的一段话。", 60)}, 500)...))
			if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Unavailable {
				t.Errorf("got %v", err)
			}
		})
	}
	time.Sleep(30 * time.Millisecond)
	e.embed.close()
	wg.Wait()
	if _, err := e.Embed(t.Context(), texts("你好")); err == nil {
		t.Error("it embeds after it was closed")
	}
}

func TestEmbedRefusals(t *testing.T) {
	e := openDemo(t, Config{Context: 64, Slots: 1})
	long := strings.Repeat("退货 ", 60)
	tests := []struct {
		name        string
		err         func() error
		code, param string
		words       []string
	}{
		{"too long", embedding(e, texts("你好", long)), chat.CodeContextLength, "input[1]", []string{"input[1]", "64"}},
		{"far too long", embedding(e, texts(strings.Repeat("退", 1<<20))), chat.CodeContextLength, "input[0]", []string{"at least", "64"}},
		{"too many tokens", embedding(e, &chat.EmbedRequest{Inputs: []chat.Input{{Tokens: make([]int, 65)}}}), chat.CodeContextLength, "input[0]", []string{"65", "64"}},
		{"no such token", embedding(e, &chat.EmbedRequest{Inputs: []chat.Input{{Tokens: []int{1}}, {Tokens: []int{1, 1 << 30}}}}), chat.CodeInvalidValue, "input[1][1]", []string{"1073741824"}},
		{"a negative token", embedding(e, &chat.EmbedRequest{Inputs: []chat.Input{{Tokens: []int{-1}}}}), chat.CodeInvalidValue, "input[0][0]", nil},
		{"NUL", embedding(e, texts("a\x00b")), chat.CodeInvalidValue, "input[0]", []string{"NUL"}},
		{"another model", embedding(e, &chat.EmbedRequest{Model: "demo:sales", Inputs: texts("a").Inputs}), chat.CodeModelNotFound, "model", nil},
		{"fewer dimensions", embedding(e, &chat.EmbedRequest{Dimensions: 3, Inputs: texts("a").Inputs}), chat.CodeUnsupported, "dimensions", []string{"3"}},
		{"more dimensions", embedding(e, &chat.EmbedRequest{Dimensions: 1 << 20, Inputs: texts("a").Inputs}), chat.CodeInvalidValue, "dimensions", []string{"1048576"}},
		{"rerank", func() error {
			_, err := e.Rerank(t.Context(), &chat.RerankRequest{Query: "a", Documents: []string{"b"}})
			return err
		}, chat.CodeUnsupported, "model", []string{"rerank"}},
		{"a NUL to tokenize", func() error {
			_, err := e.Tokenize(t.Context(), &chat.TokenizeRequest{Text: "a\x00b"})
			return err
		}, chat.CodeInvalidValue, "content", []string{"NUL"}},
		{"too much to tokenize", func() error {
			_, err := e.Tokenize(t.Context(), &chat.TokenizeRequest{Text: strings.Repeat("x", maxTokenize+1)})
			return err
		}, chat.CodeInvalidValue, "content", []string{"4194305", "4194304"}},
		{"no such token to detokenize", func() error {
			_, err := e.Detokenize(t.Context(), &chat.DetokenizeRequest{Tokens: []int{1, -1}})
			return err
		}, chat.CodeInvalidValue, "tokens[1]", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := errors.AsType[*chat.Error](tt.err())
			if !ok || got.Kind != chat.Invalid && got.Kind != chat.NotFound || got.Code != tt.code || got.Param != tt.param {
				t.Fatalf("got %#v, want code %s for %s", got, tt.code, tt.param)
			}
			for _, w := range tt.words {
				if !strings.Contains(got.Msg, w) {
					t.Errorf("the message %q lacks %q", got.Msg, w)
				}
			}
		})
	}
	full := &chat.EmbedRequest{Inputs: []chat.Input{{Tokens: make([]int, 64)}}, Dimensions: e.embed.width}
	if _, err := e.Embed(t.Context(), full); err != nil {
		t.Errorf("an input that just fits, in all dimensions: %v", err)
	}
}

func embedding(e *Engine, req *chat.EmbedRequest) func() error {
	return func() error {
		_, err := e.Embed(context.Background(), req)
		return err
	}
}

func TestTokenizerContract(t *testing.T) {
	e := openDemo(t, Config{})
	chattest.TokenizerContract(t, e, "demo:service", "怎么退货?", " two  spaces, a\ttab\nand a line", "👩‍👩‍👧‍👦 é ﷽", "<|im_end|>", "")
}

// Names of control tokens become them where that is asked for, and not
// otherwise.
func TestSpecialTokens(t *testing.T) {
	e := openDemo(t, Config{})
	name := e.vocab.control[len(e.vocab.control)-1]
	tokenize := func(special bool) []chat.Token {
		out, err := e.Tokenize(t.Context(), &chat.TokenizeRequest{Text: name, ParseSpecial: special})
		if err != nil {
			t.Fatal(err)
		}
		return out.Tokens
	}
	plain, special := tokenize(false), tokenize(true)
	if len(plain) < 2 || len(special) != 1 || string(special[0].Piece) != name {
		t.Fatalf("%s is %v as text and %v as a control token", name, plain, special)
	}
	for shown, want := range map[bool]string{false: "", true: name} {
		out, err := e.Detokenize(t.Context(), &chat.DetokenizeRequest{Tokens: []int{special[0].ID}, Special: shown})
		if err != nil || out.Text != want {
			t.Errorf("special = %v: %q, %v, want %q", shown, out.Text, err, want)
		}
	}
}

// Whatever a text is, the pieces of its tokens are that text, its vector has
// the length 1, and so has that of any tokens; or the client is told why not.
func FuzzInputs(f *testing.F) {
	e := openDemo(f, Config{Context: 256})
	for _, s := range []string{"", "怎么退货?", "a\x00", "\xff\xfe", "<|im_end|>", "  \n\t ", "\u200d👩‍👩‍👧", strings.Repeat("x", 300), strings.Repeat("\u0301", 50)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := e.Tokenize(t.Context(), &chat.TokenizeRequest{Text: s})
		if err == nil {
			var b strings.Builder
			for _, tok := range out.Tokens {
				b.Write(tok.Piece)
			}
			if utf8.ValidString(s) && b.String() != s {
				t.Errorf("the pieces of %q are %q", s, b.String())
			}
		} else if !strings.Contains(s, "\x00") {
			t.Errorf("%q: %v", s, err)
		}
		ids := make([]int, len(s))
		for i := range ids {
			ids[i] = int(s[i]) * 7 % e.vocab.size()
		}
		for _, in := range []chat.Input{{Text: s}, {Tokens: ids}} {
			out, err := e.Embed(t.Context(), &chat.EmbedRequest{Inputs: []chat.Input{in}})
			if refusal, ok := errors.AsType[*chat.Error](err); err != nil && !(ok && refusal.Kind == chat.Invalid) {
				t.Errorf("%q: %v", s, err)
			} else if err == nil {
				if n := chattest.Cosine(out.Vectors[0], out.Vectors[0]); n < 0.999 {
					t.Errorf("%q: %v", s, n)
				}
			}
		}
	})
}
