package engine

import (
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/ebitengine/purego"
	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/models/fit"
	"bendi/models/gguf"
	"bendi/models/gguf/random"
	"bendi/models/load"
)

var bufferSize = regexp.MustCompile(`(model|KV|output|compute) buffer size = +([0-9.]+) MiB`)

// allocated runs f and returns what llama.cpp says it allocates meanwhile, in
// bytes by what for.
func allocated(f func()) map[string]float64 {
	sums := make(map[string]float64)
	llama.LogSet(purego.NewCallback(func(_ int32, text *byte, _ uintptr) uintptr {
		if m := bufferSize.FindStringSubmatch(goString(text)); m != nil {
			mib, _ := strconv.ParseFloat(m[2], 64)
			sums[m[1]] += mib * (1 << 20)
		}
		return 0
	}))
	defer llama.LogSet(llamaLog())
	f()
	return sums
}

// What package fit expects a model to take is what llama.cpp allocates.
func TestMemoryIsAsEstimated(t *testing.T) {
	shapes := map[string]random.Shape{
		"grouped heads": {Layers: 3, Width: 256, Heads: 8, KVHeads: 2, FF: 1024, Vocab: 8000, Context: 1024, Weights: gguf.Q8_0, Spread: 4},
		"one layer":     {Layers: 1, Width: 64, Heads: 2, KVHeads: 2, FF: 128, Vocab: 20000, Context: 8192, Weights: gguf.F16, Spread: 4},
	}
	plans := map[string]fit.Plan{"demo": {Model: testModel, Adapters: []string{testAdapter}}}
	for name, shape := range shapes {
		path := filepath.Join(t.TempDir(), "model.gguf")
		if err := random.Create(path, shape, 1); err != nil {
			t.Fatal(err)
		}
		plans[name] = fit.Plan{Model: path}
	}
	if _, err := LoadLibrary(testLibrary); err != nil {
		t.Fatal(err)
	}
	for name, p := range plans {
		for _, o := range []load.Options{
			{},
			{Cache: 3000},
			{CacheType: load.Q80},
			{CacheType: load.Q40},
			{FlashAttention: load.Off},
		} {
			p.Context, p.Slots, p.Options = 1000, 4, o
			want, err := fit.Measure(p, 0)
			if err != nil {
				t.Fatal(err)
			}
			got := allocated(func() {
				cfg := Config{Name: name, Model: p.Model, Context: p.Context, Slots: p.Slots, Threads: 1, Options: o}
				e, err := Open(cfg)
				if err != nil {
					t.Fatal(err)
				}
				e.Close()
			})
			unsaid := 0.0 // by llama.cpp: the outputs grow when more rows of a batch have one
			asked := allocated(func() {
				cfg := Config{Name: name, Model: p.Model, Context: p.Context, Slots: p.Slots, Threads: 1, Options: o}
				e, err := Open(cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				if _, err := e.Embed(t.Context(), &chat.EmbedRequest{Inputs: []chat.Input{{Tokens: make([]int, 500)}}}); err != nil {
					t.Fatal(err)
				}
				unsaid = 4 * float64(max(0, e.embed.rows-packInputs)*(e.vocab.size()+e.embed.width))
			})
			embed := -got["KV"] - got["output"] - got["compute"] + asked["KV"] + asked["output"] + asked["compute"]
			for _, c := range []struct {
				what      string
				got, want float64
				off       float64 // how far it may be
			}{
				{"weights", got["model"], float64(want.Host.Weights), 0.02*float64(want.Host.Weights) + (256 << 10)}, // the adapter is counted apart
				{"KV cache", got["KV"], float64(want.Host.Cache), 16 << 10},
				{"embeddings", embed + unsaid, float64(want.Host.Embed), 1 << 20},
				{"buffers", got["output"] + got["compute"], float64(want.Host.Compute), 640 << 10},
			} {
				t.Logf("%s, %v: %s %.0f bytes, expected %.0f", name, o.Args(), c.what, c.got, c.want)
				if c.got < c.want-c.off || c.got > c.want+c.off {
					t.Errorf("%s, %v: llama.cpp takes %.0f bytes for %s, expected %.0f", name, o.Args(), c.got, c.what, c.want)
				}
			}
		}
	}
}
