package random

import (
	"fmt"

	"bendi/models/gguf"
)

// A Shape is how large each part of a model is.
type Shape struct {
	Layers  int
	Width   int // of the vectors between layers
	Heads   int // of attention; Width is a multiple of it
	KVHeads int // of keys and values; Heads is a multiple of it
	FF      int // width of the feed-forward layers
	Vocab   int // tokens, at least MinVocab
	Context int // tokens the model says it was trained with

	// Memory is how the model remembers what it has read. With Window, Sliding
	// is how many tokens most layers look back on. A Recurrent model has no
	// attention, so Heads, KVHeads and FF mean nothing to it.
	Memory  Memory
	Sliding int

	// Weights is how matrices are stored: F32, F16 or Q8_0, whose blocks have
	// to divide Width and FF.
	Weights gguf.Type

	// Spread is the standard deviation of the logits. With 4 and a vocabulary
	// of 150,000 some fifty tokens share most of the probability, about as in
	// running text; with 1 it is tens of thousands.
	Spread float64
}

// A Memory is how a model remembers what it has read.
type Memory int

const (
	Full      Memory = iota // every layer looks back on everything: the llama architecture
	Window                  // three layers of four look back on a window: olmo2
	Recurrent               // a state of one size, whatever was read: mamba
)

// architecture returns the name that llama.cpp knows it by.
func (m Memory) architecture() string { return [...]string{"llama", "olmo2", "mamba"}[m] }

// Shapes that benchmarks use.
var (
	// Overhead costs next to nothing to compute, so that what is left is the
	// server's own work.
	Overhead = Shape{Layers: 1, Width: 64, Heads: 2, KVHeads: 2, FF: 128, Vocab: 151936, Context: 8192, Weights: gguf.F16, Spread: 4}

	// HalfB has the shape of the smallest Qwen2.5, with an output matrix of its
	// own.
	HalfB = Shape{Layers: 24, Width: 896, Heads: 14, KVHeads: 2, FF: 4864, Vocab: 151936, Context: 8192, Weights: gguf.Q8_0, Spread: 4}
)

// MinVocab is the smallest vocabulary: what the template and any text need.
const MinVocab = 512

// check returns why there can be no model of the shape.
func (s Shape) check() error {
	for _, n := range []struct {
		name       string
		value, max int
	}{
		{"layers", s.Layers, 512}, {"width", s.Width, 1 << 16}, {"heads", s.Heads, 1 << 10}, {"KV heads", s.KVHeads, 1 << 10},
		{"feed-forward width", s.FF, 1 << 18}, {"vocabulary", s.Vocab, 1 << 20}, {"context", s.Context, 1 << 24},
	} {
		if n.value < 1 || n.value > n.max {
			return fmt.Errorf("random model: %s must be 1 to %d, not %d", n.name, n.max, n.value)
		}
	}
	switch {
	case s.Memory < Full || s.Memory > Recurrent:
		return fmt.Errorf("random model: there is no memory %d", s.Memory)
	case s.Memory == Window && (s.Sliding < 1 || s.Sliding > s.Context):
		return fmt.Errorf("random model: a window must be 1 to the %d tokens of context, not %d", s.Context, s.Sliding)
	case s.Width%s.Heads != 0 || s.Width/s.Heads%2 != 0:
		return fmt.Errorf("random model: a width of %d cannot be cut into %d heads of even width", s.Width, s.Heads)
	case s.Heads%s.KVHeads != 0:
		return fmt.Errorf("random model: %d heads cannot share %d KV heads", s.Heads, s.KVHeads)
	case s.Vocab < MinVocab:
		return fmt.Errorf("random model: a vocabulary of %d is too small, the least is %d", s.Vocab, MinVocab)
	case !(s.Spread >= 0 && s.Spread <= 100):
		return fmt.Errorf("random model: spread must be 0 to 100, not %g", s.Spread)
	case s.Weights != gguf.F32 && s.Weights != gguf.F16 && s.Weights != gguf.Q8_0:
		return fmt.Errorf("random model: weights can be F32, F16 or Q8_0, not %s", s.Weights)
	case s.Weights == gguf.Q8_0 && (s.Width%q8Values != 0 || s.FF%q8Values != 0):
		return fmt.Errorf("random model: Q8_0 stores %d values in a block, which widths of %d and %d are no multiple of", q8Values, s.Width, s.FF)
	}
	return nil
}

// Parameters returns the number of weights in matrices.
func (s Shape) Parameters() int64 {
	kv := int64(s.Width / s.Heads * s.KVHeads)
	width, ff := int64(s.Width), int64(s.FF)
	return int64(s.Layers)*(2*width*width+2*width*kv+3*width*ff) + 2*int64(s.Vocab)*width
}

// String describes s, such as "24 x 896, vocabulary 151936, Q8_0, 630M".
func (s Shape) String() string {
	return fmt.Sprintf("%d x %d, vocabulary %d, %s, %.0fM parameters", s.Layers, s.Width, s.Vocab, s.Weights, float64(s.Parameters())/1e6)
}
