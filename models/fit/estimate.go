package fit

import (
	"fmt"
	"os"
	"regexp"
	"strconv"

	"bendi/models/gguf"
	"bendi/models/load"
)

// A Plan is how a model is to be loaded.
type Plan struct {
	Model    string   // GGUF file
	Adapters []string // LoRA files
	Context  int      // tokens of each conversation; 0: what the model was trained with
	Slots    int      // conversations at once
	load.Options
}

// An Estimate is how much memory a model takes.
type Estimate struct {
	Window    int // tokens of each conversation
	Cells     int // tokens that the KV cache holds
	Layers    int // of the model, its output one of them
	GPULayers int // how many of them lie on GPUs
	Host, GPU Memory
}

// Memory is what something takes, in bytes.
type Memory struct {
	Weights int64 // of the model and its adapters
	Cache   int64 // the KV cache
	Compute int64 // buffers of a computation, and the logits
	Embed   int64 // the context for embeddings, once somebody has asked for some
	Process int64 // the worker itself, or what CUDA takes for it
}

// Total returns the sum.
func (m Memory) Total() int64 { return m.Weights + m.Cache + m.Compute + m.Embed + m.Process }

const (
	// ubatch is how many tokens the engine has llama.cpp compute at once.
	ubatch = 512
	// embedTokens is the context in which a model that chats is asked for
	// embeddings, for as long as no longer input comes, and maxRowLogits how
	// many logits one of its steps may make.
	embedTokens, maxRowLogits = 512, 16 << 20
	embedInputs               = 64 // of a batch
	// cellBlock is what llama.cpp rounds the number of cells up to.
	cellBlock = 256
	// workerSize is what a worker takes before it has loaded anything, and
	// perToken what each token of the vocabulary adds to it.
	workerSize, perToken = 40 << 20, 400
	// cudaSize is what CUDA and cuBLAS take on a GPU; a guess from what others
	// report, not measured.
	cudaSize = 512 << 20
)

// Measure returns how much memory p takes where there are so many GPUs. It
// fails where the model cannot be loaded so at all, however much there is.
func Measure(p Plan, gpus int) (Estimate, error) {
	f, err := gguf.Open(p.Model)
	if err != nil {
		return Estimate{}, err
	}
	defer f.Close()
	parts, err := f.OpenParts()
	if err != nil {
		return Estimate{}, err
	}
	files := []*gguf.File{f}
	for _, part := range parts {
		defer part.Close()
		files = append(files, part)
	}
	s := readShape(f)
	if err := s.check(p.CacheType); err != nil {
		return Estimate{}, fmt.Errorf("%s: %w", p.Model, err)
	}

	e := Estimate{Window: p.Context, Layers: s.layers + 1}
	if e.Window == 0 {
		e.Window = s.trained
	}
	e.Cells = p.Cache
	if e.Cells == 0 {
		e.Cells = e.Window * p.Slots
	}
	if e.Cells < e.Window {
		return Estimate{}, fmt.Errorf("%s: a cache of %d tokens cannot hold one conversation of %d: raise cache, or set context", p.Model, e.Cells, e.Window)
	}
	if gpus > 0 && !p.OffGPU() {
		e.GPULayers = p.GPULayers.Of(s.layers)
	}
	onGPU := func(layer int) bool { return layer >= e.Layers-e.GPULayers }

	tied := true
	var embedding int64
	for _, file := range files {
		for i := range file.Tensors {
			t := &file.Tensors[i]
			layer := layerOf(t.Name, s.layers)
			switch {
			case t.Name == "token_embd.weight":
				embedding = t.Size
			case t.Name == "output.weight":
				tied = false
			}
			if layer >= 0 && onGPU(layer) {
				e.GPU.Weights += t.Size
			} else {
				e.Host.Weights += t.Size
			}
		}
	}
	if tied && onGPU(s.layers) {
		e.GPU.Weights += embedding // which stays in the host's memory as well
	}
	for _, path := range p.Adapters {
		info, err := os.Stat(path)
		if err != nil {
			return Estimate{}, err
		}
		if e.GPULayers > 0 {
			e.GPU.Weights += info.Size()
		} else {
			e.Host.Weights += info.Size()
		}
	}

	flash := p.FlashAttention != load.Off
	e.Host.Process = workerSize + perToken*s.vocabulary
	if e.GPULayers > 0 {
		e.GPU.Process = cudaSize
		if p.Split != load.SplitNone {
			e.GPU.Process *= int64(gpus)
		}
	}
	tokens := int64(embedTokens)
	if s.embeds { // for that alone, with inputs as long as they may be
		e.Cells = e.Window
		tokens = max(tokens, int64(min(e.Window, max(s.trained, 1))))
	}
	context, output := s.embedding(tokens, flash)
	if e.Host.Embed = output; e.GPULayers > 0 {
		e.GPU.Embed = context
	} else {
		e.Host.Embed += context
	}
	if s.embeds {
		return e, nil
	}

	cells := (int64(e.Cells) + cellBlock - 1) / cellBlock * cellBlock
	for layer := range s.layers {
		size := cells * (p.CacheType.Bytes(s.keys(layer)) + p.CacheType.Bytes(s.values(layer)))
		if onGPU(layer) {
			e.GPU.Cache += size
		} else {
			e.Host.Cache += size
		}
	}

	compute := s.compute(cells, ubatch, int64(p.Slots), flash)
	logits := int64(p.Slots) * s.vocabulary * 4
	e.Host.Compute = logits
	if e.GPULayers > 0 {
		e.GPU.Compute = compute
	}
	if e.GPULayers < e.Layers {
		e.Host.Compute += compute
	}
	return e, nil
}

var blockName = regexp.MustCompile(`^blk\.(\d+)\.`)

// layerOf returns the layer that a tensor belongs to: that of the output is
// layers, that of the input, which never lies on a GPU, -1.
func layerOf(name string, layers int) int {
	if m := blockName.FindStringSubmatch(name); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n < layers {
			return n
		}
	}
	if name == "output.weight" || name == "output.bias" || name == "output_norm.weight" || name == "output_norm.bias" {
		return layers
	}
	return -1
}
