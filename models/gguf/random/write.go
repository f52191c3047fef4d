package random

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"bendi/models/gguf"
)

// Write writes a model of the shape to w.
func Write(w io.Writer, s Shape, seed uint64) error {
	if err := s.check(); err != nil {
		return err
	}
	return gguf.Write(w, s.metadata(), s.tensors(seed))
}

// Create writes a model of the shape to a new file. Where it fails, there is no
// file.
func Create(path string, s Shape, seed uint64) error {
	part := path + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	defer os.Remove(part) // gone already when all went well
	out := bufio.NewWriterSize(f, 1<<20)
	err = Write(out, s, seed)
	if err == nil {
		err = out.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return fmt.Errorf("writing the random model %s: %w", path, err)
	}
	return nil
}

func (s Shape) metadata() []gguf.KeyValue {
	v := newVocabulary(s.Vocab)
	last := uint32(s.Vocab - 1)
	fileType := map[gguf.Type]uint32{gguf.F32: 0, gguf.F16: 1, gguf.Q8_0: 7}[s.Weights]
	return slices.Concat([]gguf.KeyValue{
		{Key: "general.architecture", Value: s.Memory.architecture()},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: "random " + s.String()},
		{Key: "general.file_type", Value: fileType},
		{Key: "general.quantization_version", Value: uint32(2)},
	}, s.dimensions(), []gguf.KeyValue{
		{Key: "tokenizer.ggml.model", Value: "gpt2"},
		{Key: "tokenizer.ggml.pre", Value: "qwen2"},
		{Key: "tokenizer.ggml.tokens", Value: v.tokens},
		{Key: "tokenizer.ggml.token_type", Value: v.types},
		{Key: "tokenizer.ggml.merges", Value: v.merges},
		{Key: "tokenizer.ggml.bos_token_id", Value: last - 2},
		{Key: "tokenizer.ggml.eos_token_id", Value: last},
		{Key: "tokenizer.ggml.padding_token_id", Value: last - 2},
		{Key: "tokenizer.ggml.add_bos_token", Value: false},
		{Key: "tokenizer.chat_template", Value: template},
	})
}

// dimensions returns what the header says about the architecture.
func (s Shape) dimensions() []gguf.KeyValue {
	name := s.Memory.architecture()
	number := func(key string, value int) gguf.KeyValue {
		return gguf.KeyValue{Key: name + "." + key, Value: uint32(value)}
	}
	list := []gguf.KeyValue{
		number("context_length", s.Context), number("embedding_length", s.Width), number("block_count", s.Layers),
		number("feed_forward_length", s.FF), number("vocab_size", s.Vocab),
		{Key: name + ".attention.layer_norm_rms_epsilon", Value: float32(1e-6)},
	}
	if s.Memory == Recurrent {
		return append(list, number("attention.head_count", 0), number("ssm.conv_kernel", mambaConv), number("ssm.inner_size", 2*s.Width),
			number("ssm.state_size", mambaState), number("ssm.time_step_rank", s.rank()))
	}
	list = append(list, number("attention.head_count", s.Heads), number("attention.head_count_kv", s.KVHeads),
		number("rope.dimension_count", s.Width/s.Heads), gguf.KeyValue{Key: name + ".rope.freq_base", Value: float32(1e6)})
	if s.Memory == Window {
		list = append(list, number("attention.sliding_window", s.Sliding))
	}
	return list
}

// How large a recurrent layer's parts are, beside its width.
const (
	mambaConv  = 4
	mambaState = 16
)

// rank returns how many numbers decide how fast a recurrent layer forgets.
func (s Shape) rank() int { return (s.Width + 15) / 16 }

// tensors returns the matrices, with weights that keep the size of what passes
// through them, and all norms 1.
func (s Shape) tensors(seed uint64) []gguf.TensorData {
	var list []gguf.TensorData
	matrix := func(name string, in, out int, deviation float64) {
		var key [32]byte
		binary.LittleEndian.PutUint64(key[:], seed)
		binary.LittleEndian.PutUint64(key[8:], uint64(len(list))) // each tensor has numbers of its own
		list = append(list, gguf.TensorData{
			Name: name, Type: s.Weights, Dims: []uint64{uint64(in), uint64(out)},
			Data: newLazy(func() io.Reader { return newWeights(s.Weights, deviation, rand.NewChaCha8(key)) }),
		})
	}
	dims := func(of []int) (list []uint64) {
		for _, n := range of {
			list = append(list, uint64(n))
		}
		return list
	}
	numbers := func(name string, deviation float64, of ...int) { // kept as F32, whatever the weights are
		var key [32]byte
		binary.LittleEndian.PutUint64(key[:], seed)
		binary.LittleEndian.PutUint64(key[8:], uint64(len(list)))
		list = append(list, gguf.TensorData{
			Name: name, Type: gguf.F32, Dims: dims(of),
			Data: newLazy(func() io.Reader { return newWeights(gguf.F32, deviation, rand.NewChaCha8(key)) }),
		})
	}
	all := func(name string, value float32, of ...int) {
		list = append(list, gguf.TensorData{Name: name, Type: gguf.F32, Dims: dims(of), Data: newConstant(value)})
	}
	norm := func(name string) { all(name, 1, s.Width) }
	even := func(in int) float64 { return 1 / math.Sqrt(float64(in)) }
	kv := s.Width / s.Heads * s.KVHeads

	matrix("token_embd.weight", s.Width, s.Vocab, 1)
	for i := range s.Layers {
		block := fmt.Sprintf("blk.%d.", i)
		if s.Memory == Recurrent {
			inner := 2 * s.Width
			norm(block + "attn_norm.weight")
			matrix(block+"ssm_in.weight", s.Width, 2*inner, even(s.Width))
			numbers(block+"ssm_conv1d.weight", 0.5, mambaConv, inner)
			numbers(block+"ssm_conv1d.bias", 0.1, inner)
			matrix(block+"ssm_x.weight", inner, s.rank()+2*mambaState, even(inner))
			numbers(block+"ssm_dt.weight", even(s.rank()), s.rank(), inner)
			numbers(block+"ssm_dt.bias", 0.1, inner)
			all(block+"ssm_a", -1, mambaState, inner) // below 0: it forgets
			all(block+"ssm_d", 1, inner)
			matrix(block+"ssm_out.weight", inner, s.Width, even(inner))
			continue
		}
		if s.Memory == Full {
			norm(block + "attn_norm.weight")
		}
		matrix(block+"attn_q.weight", s.Width, s.Width, even(s.Width))
		matrix(block+"attn_k.weight", s.Width, kv, even(s.Width))
		matrix(block+"attn_v.weight", s.Width, kv, even(s.Width))
		matrix(block+"attn_output.weight", s.Width, s.Width, even(s.Width))
		if s.Memory == Window { // norms on both sides of the heads, and after each half
			norm(block + "attn_q_norm.weight")
			all(block+"attn_k_norm.weight", 1, kv)
			norm(block + "post_attention_norm.weight")
			norm(block + "post_ffw_norm.weight")
		} else {
			norm(block + "ffn_norm.weight")
		}
		matrix(block+"ffn_gate.weight", s.Width, s.FF, even(s.Width))
		matrix(block+"ffn_up.weight", s.Width, s.FF, even(s.Width))
		matrix(block+"ffn_down.weight", s.FF, s.Width, even(s.FF))
	}
	norm("output_norm.weight")
	// Not tied to the embedding: a tied one would make the model repeat its
	// last token for ever.
	matrix("output.weight", s.Width, s.Vocab, s.Spread*even(s.Width))
	return list
}

// A lazy reader is made when it is first read, so that one tensor's numbers are
// in memory at a time.
type lazy struct {
	open func() io.Reader
	r    io.Reader
}

func newLazy(open func() io.Reader) *lazy { return &lazy{open: open} }

func (l *lazy) Read(p []byte) (int, error) {
	if l.r == nil {
		l.r = l.open()
	}
	return l.r.Read(p)
}
