package engine

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/models/load"
)

func TestCheckDevices(t *testing.T) {
	cpu := []Device{{Name: "CPU", Description: "a CPU"}}
	two := append(cpu, Device{Name: "CUDA0", GPU: true}, Device{Name: "CUDA1", GPU: true})
	with := func(change func(*load.Options)) load.Options {
		o := load.Defaults()
		change(&o)
		return o
	}
	tests := []struct {
		name    string
		options load.Options
		devices []Device
		words   string // in the error; "": none
	}{
		{"any machine will do", load.Defaults(), cpu, ""},
		{"nothing asked for", load.Options{}, cpu, ""},
		{"off", with(func(o *load.Options) { o.GPU = load.GPUOff }), cpu, ""},
		{"required, none", with(func(o *load.Options) { o.GPU = load.GPURequired }), cpu, "gpu: required, and llama.cpp has found no GPU"},
		{"required, one", with(func(o *load.Options) { o.GPU = load.GPURequired }), two, ""},
		{"layers, none", with(func(o *load.Options) { o.GPULayers = 20 }), cpu, "gpu_layers: 20, and llama.cpp has found no GPU"},
		{"layers, two", with(func(o *load.Options) { o.GPULayers = 20 }), two, ""},
		{"main, none", with(func(o *load.Options) { o.MainGPU = 1 }), cpu, "main_gpu and tensor_split name GPUs"},
		{"main, the last", with(func(o *load.Options) { o.MainGPU = 1 }), two, ""},
		{"main, too high", with(func(o *load.Options) { o.MainGPU = 2 }), two, "main_gpu: 2, and the last of the 2 GPUs here is 1"},
		{"shares, two", with(func(o *load.Options) { o.TensorSplit = []int{3, 1} }), two, ""},
		{"shares, too many", with(func(o *load.Options) { o.TensorSplit = []int{3, 1, 1} }), two, "tensor_split has 3 shares, and there are 2 GPUs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckDevices(tt.options, tt.devices)
			if (err == nil) != (tt.words == "") || err != nil && !strings.Contains(err.Error(), tt.words) {
				t.Errorf("got %v, want %q in it", err, tt.words)
			}
		})
	}
}

func TestModelParams(t *testing.T) {
	openDemo(t, Config{Slots: 1}) // the library is loaded
	o := load.Defaults()
	if p := modelParams(o, 1); p.NGpuLayers >= 0 || p.SplitMode != llama.SplitModeLayer || p.MainGpu != 0 || p.TensorSplit != nil {
		t.Errorf("the defaults are %+v", p)
	}
	o.GPULayers, o.MainGPU, o.Split, o.TensorSplit = 20, 1, load.SplitRow, []int{3, 1}
	p := modelParams(o, 2)
	if p.NGpuLayers != 20 || p.SplitMode != llama.SplitModeRow || p.MainGpu != 1 || p.TensorSplit == nil {
		t.Fatalf("got %+v", p)
	}
	if shares := unsafe.Slice(p.TensorSplit, llama.MaxDevices()); shares[0] != 3 || shares[1] != 1 || shares[2] != 0 {
		t.Errorf("the shares are %v", shares)
	}
	o = load.Defaults()
	o.GPU = load.GPUOff
	if p := modelParams(o, 2); p.NGpuLayers != 0 || p.SplitMode != llama.SplitModeNone || p.MainGpu != -1 {
		t.Errorf("off is %+v", p)
	}
	o.Split = load.SplitNone
	if p := modelParams(o, 0); p.SplitMode == llama.SplitModeNone {
		t.Error("without GPUs there is none to hold everything, and llama.cpp would say so")
	}
}

// A model answers whatever its cache is made of, and a GPU that is asked for
// and not there is an error before anything is loaded.
func TestLoadOptions(t *testing.T) {
	for _, o := range []load.Options{
		{CacheType: load.Q80}, {CacheType: load.Q40, FlashAttention: load.On}, {FlashAttention: load.Off}, {GPU: load.GPUOff, Split: load.SplitNone},
	} {
		e := openDemo(t, Config{Slots: 1, Context: 256, Threads: 1, Options: o})
		if a := answerOf(t, e, question("怎么退货?")); a.Text[0] == "" {
			t.Errorf("%+v: an empty answer", o)
		}
		info := e.Info()
		if info.Layers != 5 || info.GPULayers != 0 || !strings.Contains(info.Device, "1 thread") {
			t.Errorf("%+v: %+v, want none of 5 layers on a GPU", o, info)
		}
	}
	if len(gpusOf(Devices())) > 0 {
		t.Skip("there is a GPU here")
	}
	_, err := Open(Config{Name: "demo", Model: testModel, Slots: 1, Options: load.Options{GPU: load.GPURequired, GPULayers: load.AllLayers}})
	if err == nil || !strings.Contains(err.Error(), "no GPU here") {
		t.Errorf("a GPU that is required and not there: %v", err)
	}
}
