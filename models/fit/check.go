package fit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"bendi/models/load"
)

// A Model is one of those that are to be loaded together.
type Model struct {
	ID string
	Plan
	Estimate
}

// New measures a model where there are so many GPUs.
func New(id string, p Plan, gpus int) (Model, error) {
	e, err := Measure(p, gpus)
	return Model{id, p, e}, err
}

// Declared returns a model of which is known what it takes, since somebody says
// so, and nothing else.
func Declared(id string, host, gpu int64) Model {
	return Model{ID: id, Estimate: Estimate{Host: Memory{Process: host}, GPU: Memory{Process: gpu}}}
}

func (m Model) declared() bool { return m.Plan.Model == "" }

// LimitSet is the Limit of a Machine where the configuration sets it.
const LimitSet = "memory limit"

// Check returns why the models do not fit on the machine together, with the
// numbers and the settings with which they would, or nil. Memory that is not
// known counts as enough.
func Check(models []Model, m Machine) error {
	host, gpu := total(models)
	var errs []error
	if m.Free > 0 && host > m.Free {
		what := "memory is free"
		switch m.Limit {
		case "control group":
			what = "memory is left in the control group of this process"
		case LimitSet:
			what = "engine.memory_limit is left"
		}
		errs = append(errs, shortage(models, m, host, m.Free, what, func(e Estimate) Memory { return e.Host }))
	}
	if free := m.FreeGPU(); free > 0 && gpu > free {
		errs = append(errs, shortage(models, m, gpu, free, "GPU memory is free", func(e Estimate) Memory { return e.GPU }))
	}
	return errors.Join(errs...)
}

// total returns what the models take of the machine's memory and of the GPUs'.
func total(models []Model) (host, gpu int64) {
	for _, m := range models {
		host += m.Host.Total()
		gpu += m.GPU.Total()
	}
	return host, gpu
}

// fits reports whether the models fit on the machine.
func fits(models []Model, m Machine) bool {
	host, gpu := total(models)
	return (m.Free == 0 || host <= m.Free) && (m.FreeGPU() == 0 || gpu <= m.FreeGPU())
}

// shortage says that there is less than needed of a kind of memory, which part
// tells from the other.
func shortage(models []Model, m Machine, need, free int64, what string, part func(Estimate) Memory) error {
	var b strings.Builder
	fmt.Fprintf(&b, "the models need %s, and %s of %s", Bytes(need), Bytes(free), what)
	for _, model := range models {
		if p := part(model.Estimate); p.Total() > 0 && model.declared() {
			fmt.Fprintf(&b, "\nmodel %s: %s, as the configuration says", model.ID, Bytes(p.Total()))
		} else if p.Total() > 0 {
			fmt.Fprintf(&b, "\nmodel %s: %s", model.ID, p.describe(model.Cells))
		}
	}
	largest := 0
	for i := range models {
		if part(models[i].Estimate).Total() > part(models[largest].Estimate).Total() {
			largest = i
		}
	}
	model := models[largest]
	if model.declared() {
		fmt.Fprintf(&b, "\nhave %s take less and say so, or free memory", model.ID)
	} else if ways := advise(models, largest, m); len(ways) > 0 {
		for i, way := range ways {
			label := "or with"
			if i == 0 {
				label = "it would fit with"
			}
			fmt.Fprintf(&b, "\n%s models.%s: {%s}", label, model.ID, way)
		}
	} else {
		fmt.Fprintf(&b, "\nno smaller cache makes it fit: choose a smaller model or one of fewer bits than %s's %s, or free memory", model.ID, Bytes(part(model.Estimate).Weights))
	}
	return errors.New(b.String())
}

// describe says what m is the sum of.
func (m Memory) describe(cells int) string {
	embed := ""
	if m.Embed > 0 {
		embed = " + embeddings " + Bytes(m.Embed)
	}
	return fmt.Sprintf("%s = weights %s + KV cache of %d tokens %s + buffers %s%s + process %s",
		Bytes(m.Total()), Bytes(m.Weights), cells, Bytes(m.Cache), Bytes(m.Compute), embed, Bytes(m.Process))
}

// String says what a model takes where.
func (e Estimate) String() string {
	if e.GPULayers == 0 {
		return e.Host.describe(e.Cells)
	}
	return fmt.Sprintf("GPU %s; main memory %s", e.GPU.describe(e.Cells), Bytes(e.Host.Total()))
}

// advise returns settings of one of the models with which all would fit.
func advise(models []Model, i int, m Machine) []string {
	models = slices.Clone(models)
	asked, gpus := models[i], 0
	if asked.GPULayers > 0 {
		gpus = max(1, len(m.GPUs))
	}
	// try reports whether all fit when change is made to the model's plan.
	try := func(change func(*Plan)) bool {
		p := asked.Plan
		change(&p)
		changed, err := New(asked.ID, p, gpus)
		models[i] = changed
		return err == nil && fits(models, m)
	}
	var ways []string
	add := func(format string, args ...any) { ways = append(ways, fmt.Sprintf(format, args...)) }

	if asked.FlashAttention == load.Off {
		if try(func(p *Plan) { p.FlashAttention = load.Auto }) {
			add("flash_attention: auto")
		}
	} else {
		for _, t := range []load.CacheType{load.Q80, load.Q40} {
			if t != asked.CacheType && asked.CacheType != load.Q40 && try(func(p *Plan) { p.CacheType = t }) {
				add("cache_type: %s", t)
				break
			}
		}
	}
	for cache := asked.Cells / 2; cache >= max(asked.Window, cellBlock); cache /= 2 {
		if try(func(p *Plan) { p.Cache = cache }) {
			add("cache: %d", cache)
			break
		}
	}
	for slots := asked.Slots / 2; slots >= 1 && asked.Cache == 0; slots /= 2 {
		if try(func(p *Plan) { p.Slots = slots }) {
			add("slots: %d", slots)
			break
		}
	}
	for window := asked.Window / 2; window >= 512 && asked.Cache == 0; window /= 2 {
		if try(func(p *Plan) { p.Context = window }) {
			add("context: %d", window)
			break
		}
	}
	for layers := asked.GPULayers - 1; layers >= 0 && asked.GPULayers > 0; layers-- {
		if try(func(p *Plan) { p.GPULayers = load.Layers(layers) }) {
			add("gpu_layers: %d", layers)
			break
		}
	}
	if len(ways) > 0 {
		return ways
	}
	window := min(asked.Window, 2048)
	if try(func(p *Plan) {
		p.Context, p.Slots, p.Cache, p.CacheType, p.FlashAttention = window, 1, 0, load.Q40, load.Auto
	}) {
		add("context: %d, slots: 1, cache: 0, cache_type: q4_0, flash_attention: auto", window)
	} else if try(func(p *Plan) { p.Context, p.Slots, p.Cache, p.FlashAttention = window, 1, 0, load.Auto }) {
		add("context: %d, slots: 1, cache: 0, flash_attention: auto", window)
	}
	return ways
}

// Bytes writes a number of bytes as a person would.
func Bytes(n int64) string {
	const unit = 1024
	x, i := float64(n), 0
	for ; x >= unit && i < 4; i++ {
		x /= unit
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %ciB", x, " KMGT"[i])
}
