package gguf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bendi/models/gguf"
)

func TestCheckModel(t *testing.T) {
	tests := []struct {
		title  string
		change func(d *draft)
		want   string // in the error; empty for none
	}{
		{"a model", func(d *draft) {}, ""},
		{"a model that says so", func(d *draft) { d.set("general.type", "model") }, ""},
		{"an adapter", func(d *draft) { *d = *adapter() }, "is an adapter; name it under adapters"},
		{"a projector", func(d *draft) { d.set("general.type", "mmproj") }, "mmproj"},
		{"an old projector", func(d *draft) { d.set("general.architecture", "clip") }, "mmproj"},
		{"a control vector", func(d *draft) { d.set("general.architecture", "controlvector") }, "control vector"},
		{"an importance matrix", func(d *draft) { d.set("general.type", "imatrix") }, "importance matrix"},
		{"something new", func(d *draft) { d.set("general.type", "dataset") }, `of the type "dataset"`},
		{"no architecture", func(d *draft) { d.remove("general.architecture") }, "no general.architecture"},
		{"no context length", func(d *draft) { d.remove("llama.context_length") }, "no llama.context_length above 0"},
		{"no layers", func(d *draft) { d.set("llama.block_count", uint32(0)) }, "no llama.block_count above 0"},
		{"no tokenizer", func(d *draft) { d.remove("tokenizer.ggml.model") }, "no tokenizer"},
		{"no tokens", func(d *draft) { d.remove("tokenizer.ggml.tokens") }, "no vocabulary"},
		{"tokens that are no text", func(d *draft) { d.set("tokenizer.ggml.tokens", []int32{1, 2, 3, 4}) }, "no vocabulary"},
		{"too few scores", func(d *draft) { d.set("tokenizer.ggml.scores", []float32{1}) }, "has 4 tokens but 1 values of float32 in tokenizer.ggml.scores"},
		{"token types of another type", func(d *draft) { d.set("tokenizer.ggml.token_type", []uint8{1, 1, 1, 1}) }, "4 values of uint8 in tokenizer.ggml.token_type, it needs as many of int32"},
		{"more tokens than vectors", func(d *draft) {
			d.set("tokenizer.ggml.tokens", make([]string, 5))
			d.remove("tokenizer.ggml.token_type")
		}, "has 5 tokens but 4 rows in token_embd.weight"},
		{"a vocabulary alone", func(d *draft) { d.tensors = nil }, "a vocabulary alone"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			d := model()
			tt.change(d)
			matches(t, d.file(t).CheckModel(), tt.want)
		})
	}
}

func matches(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil {
		t.Errorf("refused: %v", err)
	}
	if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want %q in it", err, want)
	}
}

func TestCheckModelSaysEverything(t *testing.T) {
	d := new(draft)
	d.set("general.architecture", "llama")
	err := d.file(t).CheckModel()
	for _, want := range []string{"context_length", "embedding_length", "block_count", "tokenizer", "vocabulary", "tensors"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nhas no %q in it", err, want)
		}
	}
}

func TestCheckAdapter(t *testing.T) {
	pair := func(d *draft, name string, a, b []uint64) {
		d.tensor(name+".lora_a", gguf.F32, a...)
		d.tensor(name+".lora_b", gguf.F32, b...)
	}
	dims := func(n ...uint64) []uint64 { return n }
	tests := []struct {
		title  string
		change func(d *draft)
		want   string
	}{
		{"an adapter", func(d *draft) {}, ""},
		{"of the token vectors", func(d *draft) { pair(d, "token_embd.weight", dims(8, 4), dims(8, 64)) }, ""},
		{"of experts", func(d *draft) { pair(d, "blk.0.ffn_up_exps.weight", dims(64, 8, 3), dims(8, 96, 3)) }, ""},
		{"with norms, which are passed over", func(d *draft) { d.tensor("blk.0.attn_norm.weight", gguf.F32, 64) }, ""},
		{"a model", func(d *draft) { *d = *model() }, "is not an adapter"},
		{"another kind of adapter", func(d *draft) { d.set("adapter.type", "dora") }, `of the type "dora"`},
		{"for another architecture", func(d *draft) { d.set("general.architecture", "qwen3") }, `made for the architecture "qwen3"`},
		{"of a tensor the model lacks", func(d *draft) { pair(d, "blk.9.attn_q.weight", dims(64, 8), dims(8, 32)) }, "changes blk.9.attn_q.weight, which"},
		{"too wide", func(d *draft) { pair(d, "output_norm.weight", dims(65, 8), dims(8, 1)) }, "from 65 to 1 values, which in the model is from 64 to 1"},
		{"of two ranks", func(d *draft) { pair(d, "output_norm.weight", dims(64, 8), dims(4, 1)) }, "ranks 8 and 4"},
		{"token vectors of two ranks", func(d *draft) { pair(d, "token_embd.weight", dims(8, 4), dims(4, 64)) }, "ranks 8 and 4"},
		{"token vectors the other way round", func(d *draft) { pair(d, "token_embd.weight", dims(64, 8), dims(8, 4)) }, "changes token_embd.weight from 8 to 4 values"},
		{"of too few experts", func(d *draft) { pair(d, "blk.0.ffn_up_exps.weight", dims(64, 8, 2), dims(8, 96, 2)) }, "2 and 2 values on axis 3"},
		{"half a pair", func(d *draft) { d.tensors = d.tensors[:1] }, "has blk.0.attn_q.weight.lora_a but no blk.0.attn_q.weight.lora_b"},
		{"the other half", func(d *draft) { d.tensors = d.tensors[1:] }, "has blk.0.attn_q.weight.lora_b but no blk.0.attn_q.weight.lora_a"},
		{"a strange tensor", func(d *draft) { d.tensor("blk.0.attn_q.weight.delta", gguf.F32, 64) }, "no part of a LoRA adapter"},
		{"nothing", func(d *draft) { d.tensors = nil }, "has no LoRA tensors"},
		{"nothing but norms", func(d *draft) { d.tensors = nil; d.tensor("a_norm.weight", gguf.F32, 64) }, "has no LoRA tensors"},
		{"altogether wrong", func(d *draft) {
			for i := range 20 {
				pair(d, fmt.Sprintf("blk.%d.x.weight", i), dims(64, 8), dims(8, 32))
			}
		}, "15 tensors more do not fit"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			d := adapter()
			tt.change(d)
			matches(t, d.file(t).CheckAdapter(model().file(t)), tt.want)
		})
	}
}

func TestParts(t *testing.T) {
	// A model in three files, the first of which has all the metadata.
	whole := model()
	parts := make([]*draft, 3)
	for i := range parts {
		parts[i] = new(draft)
		if i == 0 {
			parts[i].metadata = whole.metadata
		}
		parts[i].set("split.no", uint16(i))
		parts[i].set("split.count", uint16(3))
		parts[i].set("split.tensors.count", int32(4))
	}
	parts[0].tensors = whole.tensors[:1]
	parts[1].tensors = whole.tensors[1:3]
	parts[2].tensors = whole.tensors[3:]
	save := func(t *testing.T, dir string, i int, d *draft) string {
		path := filepath.Join(dir, fmt.Sprintf("m-%05d-of-00003.gguf", i+1))
		if err := os.WriteFile(path, d.bytes(t), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		title  string
		change func(dir string)
		open   int
		want   string
	}{
		{"all there", func(string) {}, 0, ""},
		{"not the first", func(string) {}, 1, "part 2 of a model in 3 files; name the first file, which ends in -00001-of-00003.gguf"},
		{"one missing", func(dir string) { os.Remove(filepath.Join(dir, "m-00003-of-00003.gguf")) }, 0, "part 3 of 3"},
		{"one twice", func(dir string) {
			os.Link(filepath.Join(dir, "m-00002-of-00003.gguf"), filepath.Join(dir, "x"))
			os.Rename(filepath.Join(dir, "x"), filepath.Join(dir, "m-00003-of-00003.gguf.new"))
			os.Rename(filepath.Join(dir, "m-00003-of-00003.gguf.new"), filepath.Join(dir, "m-00003-of-00003.gguf"))
		}, 0, "says it is part 2 of 3, its name says 3 of 3"},
		{"one truncated", func(dir string) { os.Truncate(filepath.Join(dir, "m-00002-of-00003.gguf"), 300) }, 0, "m-00002-of-00003.gguf: truncated"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			dir := t.TempDir()
			var paths []string
			for i, d := range parts {
				paths = append(paths, save(t, dir, i, d))
			}
			tt.change(dir)
			f, err := gguf.Open(paths[tt.open])
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if s := f.Summary(); s.Part != tt.open+1 || s.Parts != 3 {
				t.Errorf("Summary says part %d of %d", s.Part, s.Parts)
			}
			matches(t, f.CheckModel(), tt.want)
			if tt.open == 0 { // the tensor the adapter changes is in the second file
				matches(t, adapter().file(t).CheckAdapter(f), tt.want)
			}
		})
	}
	t.Run("a tensor lost", func(t *testing.T) {
		dir := t.TempDir()
		path := save(t, dir, 0, parts[0])
		save(t, dir, 1, parts[1])
		short := *parts[2]
		short.tensors = nil
		save(t, dir, 2, &short)
		f, err := gguf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		matches(t, f.CheckModel(), "its 3 files hold 3 tensors, it needs 4")
	})
}
