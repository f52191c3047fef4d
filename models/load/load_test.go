package load_test

import (
	"flag"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bendi/models/load"
)

// parse reads a command line as the worker does.
func parse(args []string) (load.Options, error) {
	o := load.Defaults()
	f := flag.NewFlagSet("test", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	o.Flags(f)
	return o, f.Parse(args)
}

// What Args writes, Flags reads back.
func FuzzArgs(f *testing.F) {
	f.Add(4096, uint8(1), uint8(2), uint8(1), 20, 1, uint8(1), 3, 1)
	f.Add(0, uint8(0), uint8(0), uint8(0), -1, 0, uint8(0), 0, 0)
	f.Fuzz(func(t *testing.T, cache int, typ, flash, gpu uint8, layers, mainGPU int, split uint8, shareA, shareB int) {
		pick := func(values []string, i uint8) string { return values[int(i)%len(values)] }
		o := load.Options{
			Cache:          cache,
			CacheType:      load.CacheType(pick(load.F16.Values(), typ)),
			FlashAttention: load.FlashAttention(pick(load.Auto.Values(), flash)),
			GPU:            load.GPU(pick(load.GPUAuto.Values(), gpu)),
			GPULayers:      load.Layers(max(-1, layers%10000)),
			MainGPU:        mainGPU,
			Split:          load.Split(pick(load.SplitLayer.Values(), split)),
			Checkpoints:    int(split) * 64,
			SharePrefixes:  load.Sharing(pick(load.ShareKey.Values(), split)),
		}
		if shareA != 0 {
			o.TensorSplit = []int{shareA, shareB}
		}
		got, err := parse(o.Args())
		if err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("%q is read as %+v, %v, want %+v", o.Args(), got, err, o)
		}
	})
}

func TestArgs(t *testing.T) {
	if args := load.Defaults().Args(); len(args) > 0 {
		t.Errorf("the defaults need the flags %q, want none", args)
	}
	if got, want := (load.Options{}).Args(), []string{"--gpu-layers", "0", "--checkpoint-mib", "0"}; !slices.Equal(got, want) {
		t.Errorf("the zero value gives %q, want %q", got, want)
	}
	for _, args := range []string{"--cache-type f32", "--gpu maybe", "--gpu-layers some", "--gpu-layers -1", "--split tensor", "--tensor-split 3,", "--tensor-split 1.5"} {
		if o, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%s is read as %+v", args, o)
		}
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		args    string
		context int
		faults  string // keys, in order
	}{
		{"", 0, ""},
		{"--cache 4096 --cache-type q8_0 --gpu required --gpu-layers 20 --main-gpu 1 --split row --tensor-split 3,1", 4096, ""},
		{"--cache 4096 --cache-type q4_0 --flash-attention on", 0, ""},
		{"--gpu off --gpu-layers 0", 0, ""},
		{"--cache 127", 0, "cache"},
		{"--cache -1", 0, "cache"},
		{"--cache 4095", 4096, "cache"},
		{"--cache-type q8_0 --flash-attention off", 0, "cache_type"},
		{"--gpu off --gpu-layers 1", 0, "gpu_layers"},
		{"--gpu required --gpu-layers 0", 0, "gpu_layers"},
		{"--main-gpu 16", 0, "main_gpu"},
		{"--main-gpu 1 --gpu off", 0, "main_gpu"},
		{"--tensor-split 0,0", 0, "tensor_split"},
		{"--tensor-split 1,-1", 0, "tensor_split"},
		{"--tensor-split 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", 0, "tensor_split"},
		{"--tensor-split 1,1 --split none", 0, "tensor_split"},
		{"--tensor-split 1,1 --gpu-layers 0", 0, "tensor_split"},
		{"--cache 1 --main-gpu -1 --gpu off --gpu-layers 3", 0, "cache gpu_layers main_gpu"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			o, err := parse(strings.Fields(tt.args))
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			o.Check(tt.context, func(key, format string, args ...any) {
				keys = append(keys, key)
				if text := fmt.Sprintf(format, args...); strings.Contains(text, "%!") {
					t.Errorf("%s: %s", key, text)
				}
			})
			if got := strings.Join(keys, " "); got != tt.faults {
				t.Errorf("faults at %q, want %q", got, tt.faults)
			}
		})
	}
	var faults int
	load.Options{CacheType: "f32", FlashAttention: "1", GPU: "yes", Split: "tensor", GPULayers: -2}.Check(0, func(string, string, ...any) { faults++ })
	if faults != 5 {
		t.Errorf("%d faults for 5 values that there are not", faults)
	}
}

func TestNamesGPU(t *testing.T) {
	for args, want := range map[string]bool{
		"":                     false,
		"--gpu off":            false,
		"--gpu required":       true,
		"--gpu-layers 0":       false,
		"--gpu-layers 20":      true,
		"--main-gpu 1":         true,
		"--tensor-split 1,1":   true,
		"--gpu off --cache 99": false,
	} {
		o, err := parse(strings.Fields(args))
		if got := o.NamesGPU(); err != nil || got != want {
			t.Errorf("%s: NamesGPU is %v, %v", args, got, err)
		}
	}
}

func TestLayersOf(t *testing.T) {
	for l, want := range map[load.Layers]int{load.AllLayers: 33, 0: 0, 20: 20, 33: 33, 99: 33} {
		if got := l.Of(32); got != want {
			t.Errorf("%v of 32 layers and the output are %d, want %d", l, got, want)
		}
	}
}
