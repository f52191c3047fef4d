package gguf

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// A Summary is what a file says about itself, for people.
type Summary struct {
	Architecture string // such as llama or qwen3
	Name         string // general.name; may be empty
	FileType     string // such as Q8_0 or Q4_K_M
	Parameters   uint64 // values in all tensors of this file
	Size         int64  // bytes of this file
	Context      uint64 // tokens the model was trained with; 0 if unsaid
	Embedding    uint64 // length of a token's vector
	Blocks       uint64 // layers
	Heads        uint64 // attention heads; the most any layer has
	KVHeads      uint64 // key and value heads; the most any layer has
	Vocabulary   int    // tokens
	ChatTemplate bool   // whether the file says how to write a conversation

	Adapter *Adapter // nil for a file that is no adapter
	Part    int      // from 1, of a model in several files; 0 for a whole one
	Parts   int      // how many files the model is in; 0 for a whole one
}

// An Adapter is what an adapter file says about itself.
type Adapter struct {
	Type  string  // lora, of which alone llama.cpp makes use
	Alpha float64 // the scale of its weights is Alpha/Rank
	Rank  uint64  // the highest of its tensors
}

// Summary returns what f says about itself.
func (f *File) Summary() Summary {
	s := Summary{Architecture: f.architecture(), Size: f.Size, FileType: f.fileType()}
	s.Name, _ = f.String("general.name")
	for i := range f.Tensors {
		s.Parameters += f.Tensors[i].Values()
	}
	s.Context, _ = f.Uint(s.Architecture + ".context_length")
	s.Embedding, _ = f.Uint(s.Architecture + ".embedding_length")
	s.Blocks, _ = f.Uint(s.Architecture + ".block_count")
	s.Heads = f.most(s.Architecture + ".attention.head_count")
	s.KVHeads = f.most(s.Architecture + ".attention.head_count_kv")
	if tokens, ok := f.Array("tokenizer.ggml.tokens"); ok {
		s.Vocabulary = tokens.Len
	}
	_, s.ChatTemplate = f.String("tokenizer.chat_template")
	if f.isAdapter() {
		s.Adapter = f.adapter()
	}
	s.Part, s.Parts = f.part()
	return s
}

// String is the model in a few words, such as "llama 7.3M Q8_0".
func (s Summary) String() string {
	words := []string{s.Architecture, Count(s.Parameters), s.FileType}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// Count writes a number of parameters the way models are named: 950K, 7.3M,
// 1.5B, 70B.
func Count(n uint64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	x := float64(n)
	for _, unit := range []string{"K", "M", "B", "T"} {
		x /= 1000
		switch {
		case x < 9.95:
			return fmt.Sprintf("%.1f%s", x, unit)
		case x < 999.5 || unit == "T":
			return fmt.Sprintf("%.0f%s", x, unit)
		}
	}
	return "" // not reached: T ends the loop
}

// fileType returns the name of general.file_type, or else of the tensor type
// that fills most of the file.
func (f *File) fileType() string {
	if n, ok := f.Uint("general.file_type"); ok {
		const guessed = 1024 // set where the writer was not sure
		if name, ok := fileTypes[n&^guessed]; ok {
			return name
		}
	}
	bytes := map[Type]int64{}
	for i := range f.Tensors {
		bytes[f.Tensors[i].Type] += f.Tensors[i].Size
	}
	if len(bytes) == 0 {
		return ""
	}
	return slices.MaxFunc(slices.Sorted(maps.Keys(bytes)), func(a, b Type) int {
		return int(min(max(bytes[a]-bytes[b], math.MinInt32), math.MaxInt32))
	}).String()
}

// most returns the value of key, or the largest one where each layer has its
// own.
func (f *File) most(key string) uint64 {
	if n, ok := f.Uint(key); ok {
		return n
	}
	switch v, _ := f.Value(key); v := v.(type) {
	case []int32:
		if len(v) > 0 {
			return uint64(max(slices.Max(v), 0))
		}
	case []uint32:
		if len(v) > 0 {
			return uint64(slices.Max(v))
		}
	}
	return 0
}
