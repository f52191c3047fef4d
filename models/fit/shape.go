package fit

import (
	"fmt"

	"bendi/models/gguf"
	"bendi/models/load"
)

// A shape is what of a model decides how much memory it takes beside its
// weights.
type shape struct {
	layers, trained int
	width, ff       int64
	heads           []int64 // of each layer
	kvHeads         []int64 // of each layer; 0 for one without attention
	keyLen, valLen  int64   // of a head
	vocabulary      int64
	embeds          bool // it was made for embeddings or reranking, and does not chat
	bothWays        bool // a token sees those behind it too
	oneLatent       bool // multi-head latent attention keeps one vector for keys and values
}

// readShape reads the shape from a model's metadata.
func readShape(f *gguf.File) shape {
	arch, _ := f.String("general.architecture")
	number := func(key string) int64 {
		n, _ := f.Uint(arch + "." + key)
		return int64(min(n, 1<<40))
	}
	s := shape{layers: int(min(number("block_count"), 1<<16)), trained: int(number("context_length")), width: number("embedding_length")}
	s.heads = perLayer(f, arch+".attention.head_count", s.layers, nil)
	s.kvHeads = perLayer(f, arch+".attention.head_count_kv", s.layers, s.heads)
	most := int64(1)
	for _, h := range s.heads {
		most = max(most, h)
	}
	s.keyLen = orElse(number("attention.key_length"), s.width/most)
	s.valLen = orElse(number("attention.value_length"), s.width/most)
	_, s.oneLatent = f.Uint(arch + ".attention.key_length_mla")
	for _, n := range perLayer(f, arch+".feed_forward_length", s.layers, nil) {
		s.ff = max(s.ff, n)
	}
	_, s.embeds = f.Uint(arch + ".pooling_type")
	if causal, _ := f.Value(arch + ".attention.causal"); causal == false {
		s.embeds, s.bothWays = true, true
	}
	experts := number("expert_feed_forward_length")*number("expert_used_count") + number("expert_shared_feed_forward_length")
	s.ff = max(s.ff, experts)
	if tokens, ok := f.Array("tokenizer.ggml.tokens"); ok {
		s.vocabulary = int64(tokens.Len)
	}
	return s
}

func orElse(n, other int64) int64 {
	if n > 0 {
		return n
	}
	return other
}

// perLayer reads a number that may be the same for all layers or one for each;
// what is not said is as in other.
func perLayer(f *gguf.File, key string, layers int, other []int64) []int64 {
	list := make([]int64, layers)
	copy(list, other)
	if n, ok := f.Uint(key); ok {
		for i := range list {
			list[i] = int64(min(n, 1<<40))
		}
		return list
	}
	value, _ := f.Value(key)
	switch v := value.(type) {
	case []int32:
		for i := range min(len(v), layers) {
			list[i] = max(0, int64(v[i]))
		}
	case []uint32:
		for i := range min(len(v), layers) {
			list[i] = int64(v[i])
		}
	}
	return list
}

// keys and values return how many numbers the cache keeps of a token in a
// layer.
func (s shape) keys(layer int) int64 { return s.kvHeads[layer] * s.keyLen }

func (s shape) values(layer int) int64 {
	if s.oneLatent {
		return 0
	}
	return s.kvHeads[layer] * s.valLen
}

// check returns why the model cannot have a cache of that type.
func (s shape) check(t load.CacheType) error {
	if t.Quantized() && (s.keyLen%load.CacheBlock != 0 || s.valLen%load.CacheBlock != 0) {
		return fmt.Errorf("cache_type %s needs heads of a multiple of %d numbers, this model's have %d and %d: write cache_type: f16",
			t, load.CacheBlock, s.keyLen, s.valLen)
	}
	return nil
}

// compute returns the bytes of the buffer in which llama.cpp computes a batch
// of so many tokens, of which so many have an output: the attention mask, and
// the largest of what lives at the same time in the feed-forward part, the
// attention and the output.
func (s shape) compute(cells, batch, outputs int64, flash bool) int64 {
	residual := 4 * s.width * batch
	feedForward := residual + 3*s.ff*batch
	output := s.width*batch + s.vocabulary*outputs
	mask := 2 * cells * batch
	var attention int64
	for layer := range s.layers {
		heads, kv := s.heads[layer], s.kvHeads[layer]
		a := residual + (heads*s.keyLen+kv*(s.keyLen+s.valLen))*batch
		if !flash {
			a += cells * heads * batch
		}
		attention = max(attention, a)
	}
	if !flash {
		mask *= 2
	}
	return mask + 4*max(feedForward, attention, output)
}

// embedding returns the bytes of the context in which a model is asked for
// embeddings of so many tokens together: its cache and buffers, and what its
// rows come out in, which is always in main memory. A model whose tokens see
// those behind them has them all computed at once, and no output for each.
func (s shape) embedding(tokens int64, flash bool) (context, output int64) {
	rows, logits := max(32, min(embedTokens, maxRowLogits/max(1, s.vocabulary))), s.vocabulary
	if s.bothWays {
		rows, logits = tokens, 0
	}
	for layer := range s.layers {
		context += 2 * tokens * (s.keys(layer) + s.values(layer))
	}
	outputs := rows
	if logits == 0 {
		outputs = 0
	}
	return context + s.compute(tokens, rows, outputs, flash), 4 * max(rows, embedInputs) * (logits + s.width)
}
