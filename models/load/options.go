package load

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Options say how a model is loaded. The yaml tags are their keys in the
// configuration. The zero value is an f16 cache, no checkpoints and nothing on a
// GPU.
type Options struct {
	Cache          int            `yaml:"cache"`           // tokens that the KV cache holds, of all conversations and kept prefixes; 0: the slots times the context
	CacheType      CacheType      `yaml:"cache_type"`      // how they are stored; "": F16
	FlashAttention FlashAttention `yaml:"flash_attention"` // "": Auto
	GPU            GPU            `yaml:"gpu"`             // "": GPUAuto
	GPULayers      Layers         `yaml:"gpu_layers"`      // how many of the model's layers lie on GPUs
	MainGPU        int            `yaml:"main_gpu"`        // the number of the GPU that has what is not split
	Split          Split          `yaml:"split"`           // over several GPUs; "": SplitLayer
	TensorSplit    []int          `yaml:"tensor_split"`    // the share of each GPU; none: by their free memory
	Checkpoints    int            `yaml:"checkpoint_mib"`  // MiB for copies of the beginnings of prompts, of a model whose cache cannot share them; 0: none
	SharePrefixes  Sharing        `yaml:"share_prefixes"`  // who may use what others' prompts have left in the cache; "": ShareKey
}

// Defaults are what a model has that says nothing else: all of it on GPUs
// where there are any.
func Defaults() Options {
	return Options{CacheType: F16, FlashAttention: Auto, GPU: GPUAuto, GPULayers: AllLayers, Split: SplitLayer, Checkpoints: 256, SharePrefixes: ShareKey}
}

// Limits on what an option may be.
const (
	minCache = 128
	maxCache = 1 << 28
	maxGPUs  = 16 // llama_max_devices

	maxCheckpoints = 1 << 20 // MiB
)

// A CacheType is how the KV cache stores its numbers.
type CacheType string

// The types of KV caches. A quantized one takes about half and a quarter of
// F16, and needs flash attention.
const (
	F16 CacheType = "f16"
	Q80 CacheType = "q8_0"
	Q40 CacheType = "q4_0"
)

// Values lists every CacheType.
func (CacheType) Values() []string { return []string{string(F16), string(Q80), string(Q40)} }

// Quantized reports whether t stores blocks of numbers instead of numbers.
func (t CacheType) Quantized() bool { return t == Q80 || t == Q40 }

// CacheBlock is how many numbers a quantized cache stores together: the heads
// of a model have to be a multiple of it.
const CacheBlock = 32

// Bytes returns how many bytes n numbers of type t take.
func (t CacheType) Bytes(n int64) int64 {
	switch t {
	case Q80:
		return n / CacheBlock * 34
	case Q40:
		return n / CacheBlock * 18
	default:
		return n * 2
	}
}

// FlashAttention is whether attention is computed in one pass, which takes
// less memory.
type FlashAttention string

// Auto is on wherever the device that computes the attention can do it.
const (
	Auto FlashAttention = "auto"
	On   FlashAttention = "on"
	Off  FlashAttention = "off"
)

// Values lists every FlashAttention.
func (FlashAttention) Values() []string { return []string{string(Auto), string(On), string(Off)} }

// GPU is whether a model may, must or must not use GPUs.
type GPU string

// GPUAuto takes the GPUs that there are, unless the other options name one
// that is not there: then it fails as GPURequired does.
const (
	GPUAuto     GPU = "auto"
	GPURequired GPU = "required"
	GPUOff      GPU = "off"
)

// Values lists every GPU.
func (GPU) Values() []string { return []string{string(GPUAuto), string(GPURequired), string(GPUOff)} }

// Split is how a model is divided between several GPUs.
type Split string

// SplitLayer gives each GPU some layers, SplitRow some rows of every matrix,
// SplitNone everything to the main GPU.
const (
	SplitLayer Split = "layer"
	SplitRow   Split = "row"
	SplitNone  Split = "none"
)

// Values lists every Split.
func (Split) Values() []string {
	return []string{string(SplitLayer), string(SplitRow), string(SplitNone)}
}

// Sharing is who may use what others' prompts have left in the KV cache.
type Sharing string

// ShareKey keeps it to requests with the same API key: how fast a prompt is
// answered, and its cached tokens, tell whether somebody has sent its beginning
// before. ShareAll is for keys that trust each other.
const (
	ShareKey Sharing = "key"
	ShareAll Sharing = "all"
)

// Values lists every Sharing.
func (Sharing) Values() []string { return []string{string(ShareKey), string(ShareAll)} }

// Layers is a number of layers, counted from the model's end; the output is
// the last one.
type Layers int32

// AllLayers is as many as the model has.
const AllLayers Layers = -1

const maxLayers = 9999

// UnmarshalText reads all or a number.
func (l *Layers) UnmarshalText(text []byte) error {
	if string(text) == "all" {
		*l = AllLayers
		return nil
	}
	n, err := strconv.ParseUint(string(text), 10, 16)
	if err != nil || n > maxLayers {
		return fmt.Errorf("want all or a number of layers up to %d, have %q", maxLayers, text)
	}
	*l = Layers(n)
	return nil
}

// MarshalText writes all or a number.
func (l Layers) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

func (l Layers) String() string {
	if l == AllLayers {
		return "all"
	}
	return strconv.Itoa(int(l))
}

// Of returns how many layers l is of a model that has n and its output.
func (l Layers) Of(n int) int {
	if l == AllLayers {
		return n + 1
	}
	return min(int(l), n+1)
}

// NamesGPU reports whether o asks for more than whatever GPU there is, so that
// one that is missing is a fault.
func (o Options) NamesGPU() bool {
	return o.GPU != GPUOff && (o.GPU == GPURequired || o.GPULayers > 0 || o.MainGPU > 0 || len(o.TensorSplit) > 0)
}

// OffGPU reports whether o keeps a model off every GPU.
func (o Options) OffGPU() bool { return o.GPU == GPUOff || o.GPULayers == 0 }

// Check reports everything wrong with o, each by its key. A context of 0 is
// not known yet.
func (o Options) Check(context int, bad func(key, format string, args ...any)) {
	switch {
	case o.Cache != 0 && (o.Cache < minCache || o.Cache > maxCache):
		bad("cache", "want 0 (slots times context) or %d to %d tokens, have %d", minCache, maxCache, o.Cache)
	case o.Cache != 0 && o.Cache < context:
		bad("cache", "a cache of %d tokens cannot hold one conversation of %d; raise it, or lower context", o.Cache, context)
	}
	checkValue(bad, "cache_type", o.CacheType)
	checkValue(bad, "flash_attention", o.FlashAttention)
	if o.CacheType.Quantized() && o.FlashAttention == Off {
		bad("cache_type", "%s needs flash attention; write f16, or flash_attention: auto", o.CacheType)
	}
	checkValue(bad, "gpu", o.GPU)
	switch {
	case o.GPULayers < AllLayers || o.GPULayers > maxLayers:
		bad("gpu_layers", "want all or 0 to %d layers, have %d", maxLayers, int(o.GPULayers))
	case o.GPU == GPUOff && o.GPULayers > 0:
		bad("gpu_layers", "%d layers cannot lie on a GPU with gpu: off; remove one of the two", o.GPULayers)
	case o.GPU == GPURequired && o.GPULayers == 0:
		bad("gpu_layers", "0 leaves nothing for the GPU that gpu: required asks for; write all or a number, or gpu: off")
	}
	switch {
	case o.MainGPU < 0 || o.MainGPU >= maxGPUs:
		bad("main_gpu", "want a GPU from 0 to %d, have %d", maxGPUs-1, o.MainGPU)
	case o.MainGPU > 0 && o.OffGPU():
		bad("main_gpu", "nothing lies on a GPU here; remove it, or gpu: off and gpu_layers: 0")
	}
	if o.Checkpoints < 0 || o.Checkpoints > maxCheckpoints {
		bad("checkpoint_mib", "want 0 (none) to %d MiB, have %d", maxCheckpoints, o.Checkpoints)
	}
	checkValue(bad, "share_prefixes", o.SharePrefixes)
	checkValue(bad, "split", o.Split)
	switch {
	case len(o.TensorSplit) == 0:
	case len(o.TensorSplit) > maxGPUs:
		bad("tensor_split", "want at most %d shares, one for each GPU, have %d", maxGPUs, len(o.TensorSplit))
	case slices.Min(o.TensorSplit) < 0 || slices.Max(o.TensorSplit) == 0 || slices.Max(o.TensorSplit) > 1<<20:
		bad("tensor_split", "want shares such as [3, 1], each 0 to %d and one above 0", 1<<20)
	case o.Split == SplitNone:
		bad("tensor_split", "cannot be had with split: none; remove one of the two")
	case o.OffGPU():
		bad("tensor_split", "nothing lies on a GPU here; remove it, or gpu: off and gpu_layers: 0")
	}
}

// A choice is a text that has few values.
type choice interface {
	~string
	Values() []string
}

func checkValue[T choice](bad func(key, format string, args ...any), key string, value T) {
	if values := value.Values(); value != "" && !slices.Contains(values, string(value)) {
		bad(key, "want one of %s, have %q", strings.Join(values, ", "), string(value))
	}
}
