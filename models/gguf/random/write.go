package random

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"

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
	return []gguf.KeyValue{
		{Key: "general.architecture", Value: "llama"},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: "random " + s.String()},
		{Key: "general.file_type", Value: fileType},
		{Key: "general.quantization_version", Value: uint32(2)},
		{Key: "llama.context_length", Value: uint32(s.Context)},
		{Key: "llama.embedding_length", Value: uint32(s.Width)},
		{Key: "llama.block_count", Value: uint32(s.Layers)},
		{Key: "llama.feed_forward_length", Value: uint32(s.FF)},
		{Key: "llama.attention.head_count", Value: uint32(s.Heads)},
		{Key: "llama.attention.head_count_kv", Value: uint32(s.KVHeads)},
		{Key: "llama.attention.layer_norm_rms_epsilon", Value: float32(1e-6)},
		{Key: "llama.rope.dimension_count", Value: uint32(s.Width / s.Heads)},
		{Key: "llama.rope.freq_base", Value: float32(1e6)},
		{Key: "llama.vocab_size", Value: uint32(s.Vocab)},
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
	}
}

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
	norm := func(name string) {
		list = append(list, gguf.TensorData{Name: name, Type: gguf.F32, Dims: []uint64{uint64(s.Width)}, Data: new(ones)})
	}
	even := func(in int) float64 { return 1 / math.Sqrt(float64(in)) }
	kv := s.Width / s.Heads * s.KVHeads

	matrix("token_embd.weight", s.Width, s.Vocab, 1)
	for i := range s.Layers {
		block := fmt.Sprintf("blk.%d.", i)
		norm(block + "attn_norm.weight")
		matrix(block+"attn_q.weight", s.Width, s.Width, even(s.Width))
		matrix(block+"attn_k.weight", s.Width, kv, even(s.Width))
		matrix(block+"attn_v.weight", s.Width, kv, even(s.Width))
		matrix(block+"attn_output.weight", s.Width, s.Width, even(s.Width))
		norm(block + "ffn_norm.weight")
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
