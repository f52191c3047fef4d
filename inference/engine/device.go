package engine

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/models/load"
)

// A Device is something that llama.cpp can compute on.
type Device struct {
	Name        string // such as CUDA0
	Description string // such as NVIDIA H100 PCIe
	GPU         bool
	Free, Total uint64 // bytes of its memory
}

// Devices lists the devices that llama.cpp has found. [LoadLibrary] must have
// been called.
func Devices() []Device {
	var list []Device
	for i := range llama.GGMLBackendDeviceCount() {
		d := llama.GGMLBackendDeviceGet(i)
		kind := llama.GGMLBackendDevType(d)
		device := Device{
			Name:        llama.GGMLBackendDeviceName(d),
			Description: strings.TrimSpace(llama.GGMLBackendDeviceDescription(d)),
			GPU:         kind == llama.GGMLBackendDeviceTypeGPU || kind == llama.GGMLBackendDeviceTypeIGPU,
		}
		device.Free, device.Total = llama.GGMLBackendDeviceMemory(d)
		list = append(list, device)
	}
	return list
}

// gpusOf returns the GPUs among devices.
func gpusOf(devices []Device) (gpus []Device) {
	for _, d := range devices {
		if d.GPU {
			gpus = append(gpus, d)
		}
	}
	return gpus
}

// CheckDevices returns why a model cannot be loaded as o says on these
// devices: llama.cpp itself would quietly use the CPU.
func CheckDevices(o load.Options, devices []Device) error {
	gpus := gpusOf(devices)
	shares := len(o.TensorSplit)
	switch {
	case !o.NamesGPU():
		return nil
	case len(gpus) == 0:
		const hint = "run `bendi doctor`, which says what is missing, or set gpu: off to use the CPU"
		switch {
		case o.GPU == load.GPURequired:
			return fmt.Errorf("gpu: required, and llama.cpp has found no GPU here: %s", hint)
		case o.GPULayers > 0:
			return fmt.Errorf("gpu_layers: %d, and llama.cpp has found no GPU here: %s", o.GPULayers, hint)
		default:
			return fmt.Errorf("main_gpu and tensor_split name GPUs, and llama.cpp has found none here: %s", hint)
		}
	case o.MainGPU >= len(gpus):
		return fmt.Errorf("main_gpu: %d, and the last of the %d GPUs here is %d", o.MainGPU, len(gpus), len(gpus)-1)
	case shares > len(gpus):
		return fmt.Errorf("tensor_split has %d shares, and there are %d GPUs here", shares, len(gpus))
	default:
		return nil
	}
}

// modelParams returns how llama.cpp is to load a model on so many GPUs.
func modelParams(o load.Options, gpus int) llama.ModelParams {
	p := llama.ModelDefaultParams()
	if gpus == 0 {
		return p
	}
	p.SplitMode, p.MainGpu = llama.SplitModeLayer, int32(o.MainGPU)
	switch o.Split {
	case load.SplitRow:
		p.SplitMode = llama.SplitModeRow
	case load.SplitNone:
		p.SplitMode = llama.SplitModeNone
	}
	p.NGpuLayers = int32(o.GPULayers) // below 0: all
	if o.OffGPU() {
		// No main GPU means no GPU at all, where no layers alone would still
		// send large products there.
		p.NGpuLayers, p.SplitMode, p.MainGpu = 0, llama.SplitModeNone, -1
		return p
	}
	if len(o.TensorSplit) > 0 {
		shares := make([]float32, max(int(llama.MaxDevices()), len(o.TensorSplit))) // llama.cpp reads one for each device
		for i, share := range o.TensorSplit {
			shares[i] = float32(share)
		}
		p.TensorSplit = &shares[0]
	}
	return p
}

// openModel loads the weights.
func openModel(path string, o load.Options, gpus int) (llama.Model, error) {
	p := modelParams(o, gpus)
	model, err := llama.ModelLoadFromFile(path, p)
	runtime.KeepAlive(p) // and with it the shares
	if err != nil || model == 0 {
		return 0, fmt.Errorf("llama.cpp cannot load %s; the lines above say why", path)
	}
	return model, nil
}

// setCache says what the KV cache is of and how attention is computed.
func setCache(p *llama.ContextParams, o load.Options) {
	types := map[load.CacheType]llama.GGMLType{load.Q80: llama.GGMLTypeQ8_0, load.Q40: llama.GGMLTypeQ4_0}
	if t, ok := types[o.CacheType]; ok {
		p.TypeK, p.TypeV = t, t
	}
	p.FlashAttentionType = llama.FlashAttentionTypeAuto
	switch o.FlashAttention {
	case load.On:
		p.FlashAttentionType = llama.FlashAttentionTypeEnabled
	case load.Off:
		p.FlashAttentionType = llama.FlashAttentionTypeDisabled
	}
}

// computing says in words what computes: the GPUs, where a layer lies on them,
// or the CPU.
func computing(devices []Device, gpuLayers, threads int) string {
	var names []string
	cpu := "CPU"
	for _, d := range devices {
		if d.GPU {
			names = append(names, d.Description)
		} else if strings.HasPrefix(d.Name, "CPU") {
			cpu = d.Description
		}
	}
	if gpuLayers > 0 {
		return strings.Join(names, ", ")
	}
	if threads == 1 {
		return cpu + ", 1 thread"
	}
	return fmt.Sprintf("%s, %d threads", cpu, threads)
}
