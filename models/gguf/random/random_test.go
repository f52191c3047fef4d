package random

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bendi/models/gguf"
)

// small returns a shape that takes no time to write.
func small(change ...func(*Shape)) Shape {
	s := Shape{Layers: 2, Width: 64, Heads: 4, KVHeads: 2, FF: 96, Vocab: 600, Context: 128, Weights: gguf.F16, Spread: 4}
	for _, c := range change {
		c(&s)
	}
	return s
}

// Whatever the shape, a file that is written at all passes every check that a
// model must pass, and has the shape in its header.
func FuzzWrite(f *testing.F) {
	f.Add(uint8(2), uint8(2), uint8(4), uint8(2), uint8(3), uint16(88), uint8(8), uint64(1))
	f.Add(uint8(1), uint8(1), uint8(1), uint8(1), uint8(1), uint16(0), uint8(0), uint64(2))
	f.Add(uint8(0), uint8(5), uint8(3), uint8(2), uint8(0), uint16(1), uint8(1), uint64(3))
	f.Fuzz(func(t *testing.T, layers, width, heads, kvHeads, ff uint8, vocab uint16, typ uint8, seed uint64) {
		s := Shape{
			Layers: int(layers % 4), Width: int(width%8) * 32, Heads: int(heads % 9), KVHeads: int(kvHeads % 9),
			FF: int(ff%8) * 32, Vocab: MinVocab - 1 + int(vocab%512), Context: 64, Weights: gguf.Type(typ % 10), Spread: 4,
		}
		if s.Heads == 0 || s.KVHeads == 0 {
			return
		}
		var b bytes.Buffer
		if err := Write(&b, s, seed); err != nil {
			return
		}
		file, err := gguf.Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if err := file.CheckModel(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
		for key, want := range map[string]int{"llama.block_count": s.Layers, "llama.embedding_length": s.Width, "llama.feed_forward_length": s.FF} {
			if got, _ := file.Uint(key); got != uint64(want) {
				t.Errorf("%s = %d, want %d", key, got, want)
			}
		}
		if tokens, _ := file.Array("tokenizer.ggml.tokens"); tokens.Len != s.Vocab {
			t.Errorf("%d tokens, want %d", tokens.Len, s.Vocab)
		}
	})
}

func TestRefusedShapes(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Shape)
		want   string
	}{
		{"no layer", func(s *Shape) { s.Layers = 0 }, "layers must be 1 to 512, not 0"},
		{"heads that do not divide the width", func(s *Shape) { s.Heads = 5 }, "cannot be cut into 5 heads"},
		{"heads that cannot share", func(s *Shape) { s.KVHeads = 3 }, "4 heads cannot share 3"},
		{"a vocabulary without room for bytes", func(s *Shape) { s.Vocab = 300 }, "the least is 512"},
		{"a type that is not written", func(s *Shape) { s.Weights = gguf.Q4_K }, "not Q4_K"},
		{"blocks that do not fit", func(s *Shape) { s.Weights, s.FF = gguf.Q8_0, 100 }, "no multiple of"},
		{"no spread", func(s *Shape) { s.Spread = math.NaN() }, "spread must be"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Write(io.Discard, small(tt.change), 1)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// The same seed makes the same file, another seed another.
func TestSeed(t *testing.T) {
	sum := func(seed uint64) [32]byte {
		h := sha256.New()
		if err := Write(h, small(), seed); err != nil {
			t.Fatal(err)
		}
		return [32]byte(h.Sum(nil))
	}
	first := sum(1)
	if sum(1) != first {
		t.Error("seed 1 made two different files")
	}
	if sum(2) == first {
		t.Error("seeds 1 and 2 made the same file")
	}
}

// The weights of every type have the mean 0 and the deviation asked for.
func TestWeights(t *testing.T) {
	const n, want = 1 << 18, 0.05
	for _, typ := range []gguf.Type{gguf.F32, gguf.F16, gguf.Q8_0} {
		t.Run(typ.String(), func(t *testing.T) {
			w := newWeights(typ, want, rand.NewChaCha8([32]byte{1}))
			sum, squares := 0.0, 0.0
			for range n {
				x := next(t, typ, w)
				sum, squares = sum+x, squares+x*x
			}
			if mean := sum / n; math.Abs(mean) > want/50 {
				t.Errorf("mean = %g, want 0", mean)
			}
			if got := math.Sqrt(squares / n); math.Abs(got-want) > want/50 {
				t.Errorf("deviation = %g, want %g", got, want)
			}
		})
	}
}

// next reads the next value of w; of a block of Q8_0, the first.
func next(t *testing.T, typ gguf.Type, w io.Reader) float64 {
	size := map[gguf.Type]int{gguf.F32: 4, gguf.F16: 2, gguf.Q8_0: 2 + q8Values}[typ]
	b := make([]byte, size)
	if _, err := io.ReadFull(w, b); err != nil {
		t.Fatal(err)
	}
	switch typ {
	case gguf.F32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	case gguf.F16:
		return toFloat(binary.LittleEndian.Uint16(b))
	default:
		return toFloat(binary.LittleEndian.Uint16(b)) * float64(int8(b[2]))
	}
}

// toFloat reads a half-precision number.
func toFloat(h uint16) float64 {
	fraction, exponent := float64(h&0x3ff)/1024, int(h>>10&0x1f)
	x := math.Ldexp(1+fraction, exponent-15)
	if exponent == 0 {
		x = math.Ldexp(fraction, -14)
	}
	if h&0x8000 != 0 {
		x = -x
	}
	return x
}

// Every half-precision number comes back as itself, and a number in between
// becomes one of its neighbours.
func TestFloat16(t *testing.T) {
	for h := range uint16(0x7c00) {
		if got := float16(toFloat(h)); got != h {
			t.Fatalf("float16(%g) = %#04x, want %#04x", toFloat(h), got, h)
		}
		if got := float16(toFloat(h)*0.7 + toFloat(h+1)*0.3); h < 0x7bff && got != h {
			t.Fatalf("a third above %g became %#04x, want %#04x", toFloat(h), got, h)
		}
	}
	if got := float16(-1.5); got != 0xbe00 {
		t.Errorf("float16(-1.5) = %#04x", got)
	}
}

// Every token is there once, every merge leads to a token, and no two Letters
// are ever joined.
func TestVocabulary(t *testing.T) {
	v := newVocabulary(2000)
	seen := map[string]bool{}
	for _, token := range v.tokens {
		if seen[token] {
			t.Errorf("the token %q is there twice", token)
		}
		seen[token] = true
	}
	for _, merge := range v.merges {
		left, right, _ := strings.Cut(merge, " ")
		if !seen[left] || !seen[right] || !seen[left+right] {
			t.Errorf("the merge %q leads from or to no token", merge)
		}
		if strings.Contains(Letters, left) && strings.Contains(Letters, right) {
			t.Errorf("the merge %q joins two letters that must stay apart", merge)
		}
	}
	if len(v.tokens) != 2000 || len(v.types) != 2000 {
		t.Errorf("%d tokens and %d types, want 2000", len(v.tokens), len(v.types))
	}
}

// A write that fails leaves no file behind.
func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := Create(path, small(func(s *Shape) { s.Layers = 0 }), 1); err == nil {
		t.Error("a model without layers was written")
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 0 {
		t.Errorf("%v was left behind", entries)
	}
	if err := Create(path, small(), 1); err != nil {
		t.Fatal(err)
	}
	file, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.CheckModel(); err != nil {
		t.Error(err)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, typ := range []gguf.Type{gguf.F16, gguf.Q8_0} {
		b.Run(typ.String(), func(b *testing.B) {
			s := Shape{Layers: 1, Width: 512, Heads: 8, KVHeads: 2, FF: 2048, Vocab: 4096, Context: 128, Weights: typ, Spread: 4}
			b.SetBytes(s.Parameters())
			for b.Loop() {
				if err := Write(io.Discard, s, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
