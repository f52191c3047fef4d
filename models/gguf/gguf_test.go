package gguf_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bendi/models/gguf"
)

// A draft is a file to be written; tests change it before.
type draft struct {
	metadata []gguf.KeyValue
	tensors  []gguf.TensorData
}

func (d *draft) set(key string, value any) {
	i := slices.IndexFunc(d.metadata, func(kv gguf.KeyValue) bool { return kv.Key == key })
	if i < 0 {
		d.metadata = append(d.metadata, gguf.KeyValue{Key: key, Value: value})
		return
	}
	d.metadata[i].Value = value
}

func (d *draft) remove(key string) {
	d.metadata = slices.DeleteFunc(d.metadata, func(kv gguf.KeyValue) bool { return kv.Key == key })
}

// zeros are the values of any tensor.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func (d *draft) tensor(name string, typ gguf.Type, dims ...uint64) {
	d.tensors = append(d.tensors, gguf.TensorData{Name: name, Type: typ, Dims: dims, Data: zeros{}})
}

func (d *draft) bytes(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gguf.Write(&b, d.metadata, d.tensors); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (d *draft) file(t testing.TB) *gguf.File {
	t.Helper()
	return parse(t, d.bytes(t))
}

func parse(t testing.TB, data []byte) *gguf.File {
	t.Helper()
	f, err := gguf.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// model is a small model of 64-value vectors and a vocabulary of 4.
func model() *draft {
	d := new(draft)
	d.set("general.architecture", "llama")
	d.set("general.name", "Tiny")
	d.set("general.file_type", uint32(7))
	d.set("llama.context_length", uint32(2048))
	d.set("llama.embedding_length", uint32(64))
	d.set("llama.block_count", uint32(1))
	d.set("llama.attention.head_count", uint32(4))
	d.set("llama.attention.head_count_kv", []int32{2, 1})
	d.set("tokenizer.ggml.model", "gpt2")
	d.set("tokenizer.ggml.tokens", []string{"a", "b", "", "词"})
	d.set("tokenizer.ggml.token_type", []int32{1, 1, 3, 1})
	d.set("tokenizer.chat_template", "{{ messages }}")
	d.tensor("token_embd.weight", gguf.Q8_0, 64, 4)
	d.tensor("blk.0.attn_q.weight", gguf.Q8_0, 64, 32)
	d.tensor("blk.0.ffn_up_exps.weight", gguf.F16, 64, 96, 3)
	d.tensor("output_norm.weight", gguf.F32, 64)
	return d
}

// adapter fits model.
func adapter() *draft {
	d := new(draft)
	d.set("general.type", "adapter")
	d.set("general.architecture", "llama")
	d.set("adapter.type", "lora")
	d.set("adapter.lora.alpha", float32(16))
	d.tensor("blk.0.attn_q.weight.lora_a", gguf.F32, 64, 8)
	d.tensor("blk.0.attn_q.weight.lora_b", gguf.F32, 8, 32)
	return d
}

func TestSummary(t *testing.T) {
	f := model().file(t)
	got := f.Summary()
	want := gguf.Summary{
		Architecture: "llama", Name: "Tiny", FileType: "Q8_0", Size: f.Size,
		Parameters: 64*4 + 64*32 + 64*96*3 + 64,
		Context:    2048, Embedding: 64, Blocks: 1, Heads: 4, KVHeads: 2, Vocabulary: 4, ChatTemplate: true,
	}
	if got != want {
		t.Errorf("Summary = %+v, want %+v", got, want)
	}
	if got, want := got.String(), "llama 21K Q8_0"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}

	s := adapter().file(t).Summary()
	if s.Adapter == nil || *s.Adapter != (gguf.Adapter{Type: "lora", Alpha: 16, Rank: 8}) {
		t.Errorf("Adapter = %+v, want lora, 16, 8", s.Adapter)
	}
	if s.FileType != "F32" { // from the tensors, for want of general.file_type
		t.Errorf("FileType = %s, want F32", s.FileType)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1.0K", 950_000: "950K", 999_600: "1.0M", 7_300_000: "7.3M", 9_960_000: "10M", 1_540_000_000: "1.5B", 70_600_000_000: "71B", 2_000_000_000_000_000: "2000T"} {
		if got := gguf.Count(n); got != want {
			t.Errorf("Count(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestGetters(t *testing.T) {
	d := new(draft)
	d.set("u8", uint8(200))
	d.set("i64", int64(-1))
	d.set("i16", int16(7))
	d.set("f64", 0.5)
	d.set("f32", float32(0.25))
	d.set("yes", true)
	d.set("s", "text")
	d.set("list", []string{"x", ""})
	f := d.file(t)
	if n, ok := f.Uint("u8"); n != 200 || !ok {
		t.Errorf("u8 = %d, %v", n, ok)
	}
	if n, ok := f.Uint("i64"); ok {
		t.Errorf("i64, which is -1, counts as %d", n)
	}
	if n, ok := f.Uint("i16"); n != 7 || !ok {
		t.Errorf("i16 = %d, %v", n, ok)
	}
	if x, ok := f.Float("f64"); x != 0.5 || !ok {
		t.Errorf("f64 = %v, %v", x, ok)
	}
	if x, ok := f.Float("f32"); x != 0.25 || !ok {
		t.Errorf("f32 = %v, %v", x, ok)
	}
	if b, ok := f.Bool("yes"); !b || !ok {
		t.Errorf("yes = %v, %v", b, ok)
	}
	if s, ok := f.String("s"); s != "text" || !ok {
		t.Errorf("s = %q, %v", s, ok)
	}
	if a, ok := f.Array("list"); a.Len != 2 || a.Elem != "string" || !ok {
		t.Errorf("list = %+v, %v", a, ok)
	}
	if v, err := f.Value("list"); err != nil || !slices.Equal(v.([]string), []string{"x", ""}) {
		t.Errorf("list = %q, %v", v, err)
	}
	for _, absent := range []string{"", "none"} {
		_, s := f.String(absent)
		_, n := f.Uint(absent)
		v, err := f.Value(absent)
		if s || n || v != nil || err != nil {
			t.Errorf("%q has a value", absent)
		}
	}
}

func TestData(t *testing.T) {
	d := new(draft)
	for i, text := range []string{"first tensor", "second", "third one"} {
		d.tensors = append(d.tensors, gguf.TensorData{Name: fmt.Sprint(i), Type: 24, Dims: []uint64{uint64(len(text))}, Data: strings.NewReader(text + "rest")})
	}
	f := d.file(t)
	for i, want := range []string{"first tensor", "second", "third one"} {
		got, err := io.ReadAll(f.Data(f.Tensor(fmt.Sprint(i))))
		if err != nil || string(got) != want {
			t.Errorf("tensor %d = %q, %v, want %q", i, got, err, want)
		}
		if f.Tensors[i].Offset%32 != 0 {
			t.Errorf("tensor %d begins at %d", i, f.Tensors[i].Offset)
		}
	}
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	data := model().bytes(t)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.CheckModel(); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}

	if err := os.Truncate(path, int64(len(data))-1000); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%s: truncated: tensor blk.0.ffn_up_exps.weight ends at byte %d, the file has %d; download it again and compare its SHA-256", path, len(data)-256, len(data)-1000)
	if _, err := gguf.Open(path); err == nil || err.Error() != want {
		t.Errorf("of a truncated file:\ngot  %v\nwant %s", err, want)
	}
	for _, path := range []string{filepath.Dir(path), path + ".missing", os.DevNull} {
		if _, err := gguf.Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s) = %v, want an error with the path", path, err)
		}
	}
}

// A file that is shorter than it was a moment ago is an error, not an end.
func TestShrinkingFile(t *testing.T) {
	data := model().bytes(t)
	for cut := range 400 {
		if _, err := gguf.Read(bytes.NewReader(data[:cut]), int64(len(data))); err == nil {
			t.Fatalf("reads a header cut at %d", cut)
		}
	}
}

// Wherever a file is cut short, it is refused.
func TestEveryTruncationIsRefused(t *testing.T) {
	data := model().bytes(t)
	last := parse(t, data).Tensor("output_norm.weight")
	for cut := int64(0); cut < last.Offset+last.Size; cut += 1 + cut/100 {
		_, err := gguf.Read(bytes.NewReader(data[:cut]), cut)
		if err == nil {
			t.Fatalf("reads a file cut at %d", cut)
		}
	}
}

func BenchmarkVocabulary(b *testing.B) {
	tokens := make([]string, 150_000)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("token%d", i)
	}
	d := model()
	d.set("tokenizer.ggml.tokens", tokens)
	data := d.bytes(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		parse(b, data)
	}
}
