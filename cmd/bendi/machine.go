package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"bendi/config"
	"bendi/models"
	"bendi/models/fit"
)

// A survey is what is known of the machine and of the models before anything
// is loaded.
type survey struct {
	machine fit.Machine
	library string // the folder of llama.cpp's shared libraries
	cuda    bool   // they have a backend for CUDA
}

// look surveys the machine and chooses the libraries: those that are
// configured, else those for CUDA where they are installed and there is a
// device for them, else those for the CPU.
func look(ctx context.Context, cfg *config.Config, home models.Home) (survey, error) {
	s := survey{machine: fit.Look(ctx), library: string(cfg.Engine.Library)}
	if s.library == "" && s.machine.CUDA {
		s.library = home.CUDALibrary()
	}
	var err error
	if s.library == "" {
		s.library, err = home.Library()
	}
	_, missing := os.Stat(filepath.Join(s.library, models.CUDABackend))
	s.cuda = missing == nil
	return s, err
}

// gpus returns how many GPUs the libraries can use.
func (s survey) gpus() int {
	switch {
	case !s.cuda || !s.machine.CUDA:
		return 0
	case len(s.machine.GPUs) == 0:
		return 1 // nvidia-smi does not say how many
	default:
		return len(s.machine.GPUs)
	}
}

// plan says how a model is to be loaded.
func plan(m config.Model) fit.Plan {
	p := fit.Plan{Model: string(m.Path), Context: m.Context, Slots: m.Slots, Options: m.Options}
	for _, name := range slices.Sorted(maps.Keys(m.Adapters)) {
		p.Adapters = append(p.Adapters, string(m.Adapters[name]))
	}
	return p
}

// measure estimates the memory of the models that the routes offer.
func (s survey) measure(cfg *config.Config) ([]fit.Model, error) {
	var list []fit.Model
	for _, id := range used(cfg) {
		m, err := fit.New(id, plan(cfg.Models[id]), s.gpus())
		if err != nil {
			return nil, missing(id, err)
		}
		list = append(list, m)
	}
	return list, nil
}

// admit returns why the models may not be loaded at the start: they need more
// memory than is free, or one that is loaded on demand would, when nothing but
// those is loaded. Where the configuration says so, that is a warning alone.
func (s survey) admit(cfg *config.Config, list []fit.Model, log *slog.Logger) error {
	err := s.short(cfg, list)
	if err == nil {
		return nil
	}
	if cfg.Engine.Memory == "warn" {
		log.Warn("the models may not fit", "err", err)
		return nil
	}
	return fmt.Errorf("%w\nto load all the same, write engine: {memory: warn}", err)
}

// short returns why the models do not fit, as admit means it, or nil.
func (s survey) short(cfg *config.Config, list []fit.Model) error {
	machine := s.machine
	if limit := int64(cfg.Engine.MemoryLimit); limit > 0 && (machine.Free == 0 || limit < machine.Free) {
		machine.Free, machine.Limit = limit, fit.LimitSet
	}
	declared, onDemand := tenantsOf(cfg)
	var first, later []fit.Model
	for _, m := range append(slices.Clone(list), declared...) {
		if cfg.Models[m.ID].Load == config.LoadDemand || onDemand[m.ID] {
			later = append(later, m)
		} else {
			first = append(first, m)
		}
	}
	err := fit.Check(first, machine)
	for _, m := range later {
		if err == nil {
			err = fit.Check(append(slices.Clone(first), m), machine)
		}
	}
	return err
}

// idleGPU says why the GPU of this machine is not used and what to do, or
// nothing.
func (s survey) idleGPU(p *program) string {
	switch {
	case !s.machine.CUDA || s.cuda:
		return ""
	default:
		return p.sayf("this machine has an NVIDIA GPU, and the libraries in %s are for the CPU alone; run: make lib-cuda",
			"本机有 NVIDIA GPU，但 %s 中的库只支持 CPU；请运行：make lib-cuda", s.library)
	}
}
