package fit

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bendi/models/gguf"
	"bendi/models/load"
)

// zeros is the data of every tensor here.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A draft is a model to be measured.
type draft struct {
	arch                                              string
	layers, width, heads, kvHeads, headLen, ff, vocab int
	tied                                              bool
	more                                              []gguf.KeyValue
}

// qwen has the shape of Qwen2.5 0.5B with fewer tokens.
var qwen = draft{arch: "qwen2", layers: 24, width: 896, heads: 14, kvHeads: 2, headLen: 64, ff: 4864, vocab: 1000, tied: true}

// write writes d to a file, whose values are a hole.
func (d draft) write(t testing.TB) string {
	t.Helper()
	n := func(key string, value int) gguf.KeyValue {
		return gguf.KeyValue{Key: d.arch + "." + key, Value: uint32(value)}
	}
	tokens := make([]string, d.vocab)
	for i := range tokens {
		tokens[i] = fmt.Sprint(i)
	}
	metadata := append([]gguf.KeyValue{
		{Key: "general.architecture", Value: d.arch},
		n("context_length", 32768), n("embedding_length", d.width), n("block_count", d.layers), n("feed_forward_length", d.ff),
		n("attention.head_count", d.heads),
		{Key: "tokenizer.ggml.tokens", Value: tokens},
	}, d.more...)
	if d.kvHeads > 0 {
		metadata = append(metadata, n("attention.head_count_kv", d.kvHeads))
	}
	if d.headLen > 0 {
		metadata = append(metadata, n("attention.key_length", d.headLen), n("attention.value_length", d.headLen))
	}
	var tensors []gguf.TensorData
	add := func(name string, dims ...int) {
		t := gguf.TensorData{Name: name, Type: gguf.F16, Data: zeros{}}
		for _, d := range dims {
			t.Dims = append(t.Dims, uint64(d))
		}
		tensors = append(tensors, t)
	}
	add("token_embd.weight", d.width, d.vocab)
	if !d.tied {
		add("output.weight", d.width, d.vocab)
	}
	for i := range d.layers {
		add(fmt.Sprintf("blk.%d.ffn_up.weight", i), d.width, 512) // enough to be seen
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := gguf.Write(holes{f}, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	end, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(end); err != nil {
		t.Fatal(err)
	}
	return path
}

// holes leaves zeros out of a file.
type holes struct{ *os.File }

func (h holes) Write(p []byte) (int, error) {
	if !bytes.Equal(p, make([]byte, len(p))) {
		return h.File.Write(p)
	}
	_, err := h.Seek(int64(len(p)), io.SeekCurrent)
	return len(p), err
}

// ReadFrom is hidden: it would write zeros after all.
func (h holes) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{h}, r)
}

func measure(t testing.TB, d draft, gpus int, change ...func(*Plan)) Estimate {
	t.Helper()
	p := Plan{Model: d.write(t), Context: 4096, Slots: 16, Options: load.Defaults()}
	for _, c := range change {
		c(&p)
	}
	e, err := Measure(p, gpus)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const mib = 1 << 20

// The numbers that llama.cpp 0.5.0 printed for models of these shapes, without
// their logits, in MiB and rounded to hundredths.
func TestComputeIsWhatLlamaReserves(t *testing.T) {
	llama8B := draft{arch: "llama", layers: 32, width: 4096, heads: 32, kvHeads: 8, headLen: 128, ff: 14336, vocab: 128256}
	allHeads := draft{arch: "llama", layers: 8, width: 2048, heads: 32, kvHeads: 32, headLen: 64, ff: 5632, vocab: 32000}
	tests := []struct {
		name         string
		d            draft
		cells, slots int64
		flash        bool
		want         float64
	}{
		{"qwen", qwen, 65536, 16, true, 99.51},
		{"qwen", qwen, 131072, 16, true, 163.51},
		{"qwen", qwen, 65536, 16, false, 1929.26},
		{"8B", llama8B, 32768, 4, true, 148.01},
		{"8B", llama8B, 262144, 16, true, 372.01},
		{"8B", llama8B, 32768, 4, false, 2156.01},
		{"8B", llama8B, 131072, 16, false, 8492.01},
		{"all heads", allHeads, 16384, 8, true, 65.01},
		{"all heads", allHeads, 32768, 8, false, 2140.01},
	}
	for _, tt := range tests {
		s := shape{layers: 1, width: int64(tt.d.width), ff: int64(tt.d.ff), heads: []int64{int64(tt.d.heads)}, kvHeads: []int64{int64(tt.d.kvHeads)},
			keyLen: int64(tt.d.headLen), valLen: int64(tt.d.headLen), vocabulary: int64(tt.d.vocab)}
		got := float64(s.compute(tt.cells, ubatch, tt.slots, tt.flash)) / mib
		if got < tt.want-0.03 || got > tt.want+0.03 {
			t.Errorf("%s, %d cells, flash %v: %.2f MiB, llama.cpp has %.2f", tt.name, tt.cells, tt.flash, got, tt.want)
		}
	}
}

func TestMeasure(t *testing.T) {
	embedding, layer := int64(896*1000*2), int64(896*512*2)
	perCell := int64(24 * 2 * 128) // numbers
	host := func(weights, cache int64) func(Estimate) bool {
		return func(e Estimate) bool { return e.Host.Weights == weights && e.Host.Cache == cache }
	}
	tests := []struct {
		name   string
		d      draft
		gpus   int
		change func(*Plan)
		want   func(Estimate) bool
	}{
		{"on the CPU", qwen, 0, func(*Plan) {}, host(embedding+24*layer, 65536*perCell*2)},
		{"q8_0", qwen, 0, func(p *Plan) { p.CacheType = load.Q80 }, host(embedding+24*layer, 65536*perCell/32*34)},
		{"q4_0", qwen, 0, func(p *Plan) { p.CacheType = load.Q40 }, host(embedding+24*layer, 65536*perCell/32*18)},
		{"a cache of its own", qwen, 0, func(p *Plan) { p.Cache = 5000 }, host(embedding+24*layer, 5120*perCell*2)},
		{"the trained context", qwen, 0, func(p *Plan) { p.Context, p.Slots = 0, 1 }, func(e Estimate) bool { return e.Window == 32768 && e.Cells == 32768 }},
		{"all on a GPU", qwen, 1, func(*Plan) {}, func(e Estimate) bool {
			return e.GPULayers == 25 && e.Host.Weights == embedding && e.GPU.Weights == embedding+24*layer && e.Host.Cache == 0 && e.GPU.Cache == 65536*perCell*2
		}},
		{"an output of its own", func() draft { d := qwen; d.tied = false; return d }(), 1, func(*Plan) {}, func(e Estimate) bool {
			return e.Host.Weights == embedding && e.GPU.Weights == embedding+24*layer
		}},
		{"five layers on a GPU", qwen, 1, func(p *Plan) { p.GPULayers = 5 }, func(e Estimate) bool {
			return e.GPULayers == 5 && e.Host.Weights == embedding+20*layer && e.GPU.Weights == embedding+4*layer && e.GPU.Cache == 65536*perCell*2/24*4
		}},
		{"off", qwen, 1, func(p *Plan) { p.GPU = load.GPUOff }, func(e Estimate) bool { return e.GPULayers == 0 && e.GPU.Total() == 0 }},
		{"two GPUs", qwen, 2, func(*Plan) {}, func(e Estimate) bool { return e.GPU.Process == 2*cudaSize }},
		{"heads of a layer each", func() draft {
			d := qwen
			d.kvHeads = 0
			each := make([]int32, 24)
			each[3] = 2 // the only layer with attention
			d.more = []gguf.KeyValue{{Key: "qwen2.attention.head_count_kv", Value: each}}
			return d
		}(), 0, func(*Plan) {}, host(embedding+24*layer, 65536*2*2*128)},
		{"one latent vector", func() draft {
			d := qwen
			d.more = []gguf.KeyValue{{Key: "qwen2.attention.key_length_mla", Value: uint32(64)}}
			return d
		}(), 0, func(*Plan) {}, host(embedding+24*layer, 65536*perCell)},
		{"made for embeddings", func() draft {
			d := qwen
			d.more = []gguf.KeyValue{{Key: "qwen2.pooling_type", Value: uint32(3)}}
			return d
		}(), 0, func(*Plan) {}, func(e Estimate) bool { // 4096 tokens, and no conversations
			return e.Host.Cache == 0 && e.Host.Compute == 0 && e.Cells == 4096 && e.Host.Embed > 4096*perCell*2 && e.Host.Embed < 8192*perCell*2
		}},
		{"an encoder", func() draft {
			d := qwen
			d.more = []gguf.KeyValue{{Key: "qwen2.attention.causal", Value: false}}
			return d
		}(), 1, func(*Plan) {}, func(e Estimate) bool { // computes all 4096 tokens at once
			return e.GPU.Cache == 0 && e.GPU.Embed > 4096*perCell*2+4096*4096*2 && e.Host.Embed < 32<<20
		}},
		{"heads by default", func() draft {
			d := qwen
			d.headLen, d.kvHeads = 0, 0
			return d
		}(), 0, func(*Plan) {}, host(embedding+24*layer, 65536*2*24*2*896)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if e := measure(t, tt.d, tt.gpus, tt.change); !tt.want(e) {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestMeasureRefuses(t *testing.T) {
	odd := qwen
	odd.headLen = 80
	path := odd.write(t)
	for want, change := range map[string]func(*Plan){
		"heads of a multiple of 32":             func(p *Plan) { p.CacheType = load.Q80 },
		"cannot hold one conversation of 32768": func(p *Plan) { p.Cache = 4096 },
		"no such file":                          func(p *Plan) { p.Model += "x" },
		"adapter.gguf: no such file":            func(p *Plan) { p.Adapters = []string{"adapter.gguf"} },
	} {
		p := Plan{Model: path, Slots: 4, Options: load.Defaults()}
		change(&p)
		if e, err := Measure(p, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v, %v, want %q", e, err, want)
		}
	}
}

// Whatever a model and its options are, an estimate is made of sums that are
// not below zero, and a larger cache never takes less.
func FuzzMeasure(f *testing.F) {
	path := qwen.write(f)
	f.Add(4096, 16, 0, uint8(0), -1, uint8(1), true)
	f.Fuzz(func(t *testing.T, context, slots, cache int, typ uint8, layers int, gpus uint8, flash bool) {
		o := load.Defaults()
		o.Cache = min(max(cache, 0), 1<<28)
		o.CacheType = load.CacheType(load.F16.Values()[int(typ)%3])
		o.GPULayers = load.Layers(max(-1, layers%10000))
		if !flash {
			o.FlashAttention = load.Off
		}
		p := Plan{Model: path, Context: min(max(context, 0), 1<<24), Slots: min(max(slots, 1), 256), Options: o}
		e, err := Measure(p, int(gpus%4))
		if err != nil {
			return
		}
		for _, m := range []Memory{e.Host, e.GPU} {
			if m.Weights < 0 || m.Cache < 0 || m.Compute < 0 || m.Process < 0 {
				t.Fatalf("%+v: %+v", p, e)
			}
		}
		p.Cache = e.Cells + 256
		more, err := Measure(p, int(gpus%4))
		if err != nil {
			t.Fatal(err)
		}
		if more.Host.Total()+more.GPU.Total() <= e.Host.Total()+e.GPU.Total() {
			t.Errorf("%d cells take %+v, %d take %+v", e.Cells, e, more.Cells, more)
		}
	})
}

func TestCheck(t *testing.T) {
	path := qwen.write(t)
	plan := func(change ...func(*Plan)) []Model {
		p := Plan{Model: path, Context: 4096, Slots: 16, Options: load.Defaults()}
		gpus := 0
		for _, c := range change {
			c(&p)
		}
		m, err := New("qwen", p, gpus)
		if err != nil {
			t.Fatal(err)
		}
		return []Model{m}
	}
	onGPU := func(change func(*Plan)) []Model {
		p := Plan{Model: path, Context: 4096, Slots: 16, Options: load.Defaults()}
		change(&p)
		m, err := New("qwen", p, 1)
		if err != nil {
			t.Fatal(err)
		}
		return []Model{m}
	}
	small, err := New("small", Plan{Model: path, Context: 512, Slots: 1, Options: load.Defaults()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		models  []Model
		machine Machine
		words   []string // in the error; none: it fits
	}{
		{"plenty", plan(), Machine{Free: 16 << 30}, nil},
		{"not known", plan(), Machine{}, nil},
		{"a quantized cache", plan(), Machine{Free: 850 << 20}, []string{
			"the models need 976.4 MiB, and 850.0 MiB of memory is free", "model qwen: 976.4 MiB = weights 22.7 MiB + KV cache of 65536 tokens 768.0 MiB",
			"it would fit with models.qwen: {cache_type: q8_0}", "or with models.qwen: {cache: 32768}", "or with models.qwen: {slots: 8}", "or with models.qwen: {context: 2048}",
		}},
		{"flash attention", plan(func(p *Plan) { p.FlashAttention = load.Off }), Machine{Free: 1 << 30}, []string{"{flash_attention: auto}"}},
		{"the control group", plan(), Machine{Free: 850 << 20, Limit: "control group"}, []string{"850.0 MiB of memory is left in the control group"}},
		{"everything at once", plan(), Machine{Free: 176 << 20}, []string{"{context: 2048, slots: 1, cache: 0, cache_type: q4_0, flash_attention: auto}"}},
		{"the weights alone", plan(), Machine{Free: 60 << 20}, []string{"no smaller cache makes it fit", "22.7 MiB"}},
		{"two models", append([]Model{small}, plan()...), Machine{Free: 1 << 30}, []string{"the models need 1.1 GiB", "model small: ", "model qwen: ", "it would fit with models.qwen: {"}},
		{"a GPU", onGPU(func(*Plan) {}), Machine{Free: 16 << 30, GPUs: []GPU{{Free: 1100 << 20}}}, []string{
			"of GPU memory is free", "{cache_type: q8_0}", "{cache: ", "{slots: ", "{context: ", "{gpu_layers: ",
		}},
		{"a GPU that is full", onGPU(func(*Plan) {}), Machine{Free: 16 << 30, GPUs: []GPU{{Free: 100 << 20}}}, []string{"{gpu_layers: 0}"}},
		{"two GPUs", onGPU(func(*Plan) {}), Machine{Free: 16 << 30, GPUs: []GPU{{Free: 1 << 30}, {Free: 1 << 30}}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Check(tt.models, tt.machine)
			if (err != nil) != (len(tt.words) > 0) {
				t.Fatalf("got %v, want %q", err, tt.words)
			}
			for _, word := range tt.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%v\nwant %q in it", err, word)
				}
			}
		})
	}
}

// With every way that a refusal names, the models fit.
func TestAdviceIsTrue(t *testing.T) {
	path := qwen.write(t)
	for _, free := range []int64{120 << 20, 130 << 20, 160 << 20, 500 << 20, 700 << 20, 900 << 20} {
		m, err := New("qwen", Plan{Model: path, Context: 4096, Slots: 16, Options: load.Defaults()}, 0)
		if err != nil {
			t.Fatal(err)
		}
		machine := Machine{Free: free}
		for _, way := range advise([]Model{m}, 0, machine) {
			p := m.Plan
			for setting := range strings.SplitSeq(way, ", ") {
				key, value, _ := strings.Cut(setting, ": ")
				n := 0
				fmt.Sscan(value, &n)
				switch key {
				case "cache_type":
					p.CacheType = load.CacheType(value)
				case "flash_attention":
					p.FlashAttention = load.FlashAttention(value)
				case "cache":
					p.Cache = n
				case "slots":
					p.Slots = n
				case "context":
					p.Context = n
				default:
					t.Fatalf("advice about %s", key)
				}
			}
			changed, err := New("qwen", p, 0)
			if err != nil || !fits([]Model{changed}, machine) {
				t.Errorf("with %s and %s free: %+v, %v", way, Bytes(free), changed.Estimate, err)
			}
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 3 << 19: "1.5 MiB", 5 << 40: "5.0 TiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}
