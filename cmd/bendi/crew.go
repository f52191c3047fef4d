package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"bendi/config"
	"bendi/inference/llamacpp"
	"bendi/models/fit"
)

// A crew is the workers of all houses. Those that are described alike are one,
// which goes on with its work when one house follows another.
type crew = stock[job, *post]

// A job describes a worker.
type job struct {
	llamacpp.Config         // without what it is given to work with
	files           []stamp // of the model and its adapters: other files are another worker
}

// A post is a worker and its place in memory.
type post struct {
	*llamacpp.Worker
	tenant *tenant
	rooms  *residence
}

func newCrew() *crew {
	return &crew{
		alike: func(a, b job) bool { return reflect.DeepEqual(a, b) },
		end: func(p *post) {
			p.Close()
			p.rooms.moveOut(p.tenant)
		},
	}
}

// jobOf describes the worker of a model.
func jobOf(id string, m config.Model, worker, library string) job {
	j := job{Config: llamacpp.Config{
		Name: id, Worker: worker, Library: library,
		Model: string(m.Path), Adapters: make(map[string]string),
		Context: m.Context, Slots: m.Slots, Threads: m.Threads, Options: m.Options, TemplateKwargs: make(map[string]string),
		Demand: m.Load == config.LoadDemand, UnloadAfter: time.Duration(m.UnloadAfter),
		HangTimeout: cmp.Or(time.Duration(m.HangTimeout), -1),
	}}
	j.files = append(j.files, stampOf(j.Model))
	for _, name := range slices.Sorted(maps.Keys(m.Adapters)) {
		j.Adapters[name] = string(m.Adapters[name])
		j.files = append(j.files, stampOf(j.Adapters[name]))
	}
	for name, value := range m.TemplateKwargs {
		j.TemplateKwargs[name] = string(value)
	}
	return j
}

// hire gets the house its workers. Those of the first house start all at once:
// whether there is room for them has been seen. A later house finds others at
// work, so that each new worker is made room for, and has loaded its model when
// hire returns.
func (h *house) hire(ctx context.Context) error {
	worker := string(h.cfg.Engine.Worker)
	if worker == "" && len(h.models) > 0 {
		var err error
		if worker, err = h.home.Worker(); err != nil {
			return err
		}
	}
	for _, m := range h.models {
		j := jobOf(m.ID, h.cfg.Models[m.ID], worker, h.survey.library)
		p, back, err := h.crew.take(j, func() (*post, error) { return h.employ(ctx, m, j) })
		if err != nil {
			return err
		}
		h.backs = append(h.backs, back)
		h.workers[m.ID] = p.Worker
	}
	return nil
}

// employ starts a worker.
func (h *house) employ(ctx context.Context, m fit.Model, j job) (*post, error) {
	p := &post{tenant: &tenant{Model: m, onDemand: j.Demand}, rooms: h.rooms}
	if !h.first && j.Demand {
		if err := h.rooms.couldFit(ctx, p.tenant); err != nil {
			return nil, err
		}
	}
	c, load := j.Config, !h.first && !j.Demand
	c.ReadyWait = time.Duration(h.cfg.Engine.LoadWait)
	c.Log, c.Admit = h.log, func(ctx context.Context) (func(), error) { return h.rooms.admit(ctx, p.tenant) }
	if load {
		done, err := h.rooms.admit(ctx, p.tenant)
		if err != nil {
			return nil, beside(err)
		}
		defer done()
	}
	var err error
	if p.Worker, err = llamacpp.Start(c); err != nil {
		return nil, err
	}
	p.tenant.worker = p.Worker
	h.rooms.moveIn(p.tenant)
	if load {
		if err := p.Wait(ctx); err != nil {
			h.crew.end(p)
			return nil, err
		}
	}
	return p, nil
}

// beside says why a model cannot be loaded while others are at work.
func beside(err error) error {
	return fmt.Errorf("%w\nthe models that are at work stay until the others have taken over: start the server anew to have one in place of the other, or give the new one load: demand", err)
}

// local returns the worker of a model that runs here.
func (h *house) local(id string) *llamacpp.Worker {
	base, _, _ := strings.Cut(id, ":")
	return h.workers[base]
}
