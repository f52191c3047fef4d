package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"bendi/access"
	"bendi/access/limit"
	"bendi/access/token"
	"bendi/chat"
	"bendi/config"
	"bendi/experiment"
	"bendi/filter"
	"bendi/inference/llamacpp"
	"bendi/internal/certs"
	"bendi/metrics"
	"bendi/models"
	"bendi/models/fit"
	"bendi/openaicompat"
)

// A house is what one configuration describes: a tower of Models for each
// route, and who may ask. It stands on a [ground], with what it shares with the
// houses before and after it, and never changes: a reload builds another.
type house struct {
	*ground
	cfg   *config.Config
	first bool // nothing runs yet that it would have to make room beside

	policies map[string]*filter.Policy // by name
	library  *library
	door     *access.Door
	issuers  []token.Issuer
	limiter  *limit.Limiter

	survey  survey
	models  []fit.Model                 // those that run here, by id
	fits    map[string]fit.Estimate     // by model id
	workers map[string]*llamacpp.Worker // by model id
	around  *neighbourhood

	splits  []*experiment.Split
	splitOf []string // their routes
	plans   []experiment.Plan

	routes []openaicompat.Route
	served http.Handler
	office http.Handler // what the operator asks, where that has an address of its own; else nil

	identity *certs.Identity // shown to clients; nil: there is no TLS

	backs []func() // give back the workers
}

// build builds the house of a configuration. Its error is about the
// configuration, a usage error, or about what there is: a model file is missing
// or damaged, there is too little memory. Nothing is left of a house then.
func (g *ground) build(ctx context.Context, cfg *config.Config, first bool) (*house, error) {
	h := &house{ground: g, cfg: cfg, first: first, fits: make(map[string]fit.Estimate), workers: make(map[string]*llamacpp.Worker)}
	steps := []func(context.Context) error{h.inspect, h.secure, h.furnish, h.admit, h.count, h.account, h.remind, h.measure, h.hire, h.meet, h.raise}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			h.close()
			return nil, err
		}
	}
	return h, nil
}

// inspect reads the headers of all model files, so that a truncated or
// damaged one is an error here and not the death of a worker.
func (h *house) inspect(context.Context) error {
	var errs []error
	for _, id := range used(h.cfg) {
		m := h.cfg.Models[id]
		if err := models.CheckModel(string(m.Path)); err != nil {
			errs = append(errs, missing(id, err))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(m.Adapters)) {
			if err := models.CheckAdapter(string(m.Adapters[name]), string(m.Path)); err != nil {
				errs = append(errs, missing(id+":"+name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// furnish makes the policies and reads the lexicons.
func (h *house) furnish(context.Context) (err error) {
	if h.policies, err = policies(h.cfg); err != nil {
		return usage(fmt.Errorf("the filters are wrong:\n%w", err))
	}
	if h.library, err = newLibrary(h.cfg.Lexicons, h.log, inForce(h.cfg, h.policies)...); err != nil {
		return usage(fmt.Errorf("the lexicons are wrong:\n%w", err))
	}
	h.warn()
	return nil
}

// measure estimates what the models take. Before the first of them starts, all
// of them have to fit.
func (h *house) measure(ctx context.Context) (err error) {
	h.limit()
	if len(used(h.cfg)) == 0 {
		// All are answered for elsewhere, or by what is started here.
		if declared, _ := tenantsOf(h.cfg); !h.first || len(declared) == 0 {
			return nil
		}
		h.survey.machine = fit.Look(ctx)
		return h.survey.admit(h.cfg, nil, h.log)
	}
	if h.survey, err = look(ctx, h.cfg, h.home); err != nil {
		return err
	}
	if h.models, err = h.survey.measure(h.cfg); err != nil {
		return err
	}
	for _, m := range h.models {
		h.fits[m.ID] = m.Estimate
	}
	if !h.first {
		return nil // each is made room for when it starts
	}
	return h.survey.admit(h.cfg, h.models, h.log)
}

// limit has what the house says of memory go for all that is loaded from now on.
func (h *house) limit() {
	h.rooms.set(int64(h.cfg.Engine.MemoryLimit), h.cfg.Engine.Memory == "warn")
}

// meet gets to know the backends.
func (h *house) meet(context.Context) (err error) {
	h.around, err = meet(h.cfg, h.about, func(id string) chat.Model { return h.local(id) })
	if err != nil {
		return err
	}
	for _, text := range h.around.deadEnds() {
		h.log.Info("egress: " + text)
	}
	return nil
}

// raise raises the tower of each route, and opens the door.
func (h *house) raise(context.Context) error {
	for _, r := range h.cfg.Routes {
		route, err := h.tower(r)
		if err != nil {
			return fmt.Errorf("route %s: %w", r.Path, err)
		}
		h.routes = append(h.routes, route)
	}
	return nil
}

// used returns the ids of the models here that answer for a route, or that its
// filter asks, sorted.
func used(cfg *config.Config) []string {
	ids := make(map[string]bool)
	add := func(id string) {
		if base, _, _ := strings.Cut(id, ":"); base != "" {
			ids[base] = true
		}
	}
	for _, r := range cfg.Routes {
		targets := armTargets(cfg, r)
		for _, m := range r.Models {
			targets = append(targets, m.Targets()...)
		}
		for _, target := range targets {
			if _, _, _, elsewhere := cfg.Backend(target); !elsewhere {
				add(target)
			}
		}
		add(cfg.Filters[r.Filter].SecondOpinion.Model)
	}
	add(cfg.Sessions.SummaryModel)
	return slices.Sorted(maps.Keys(ids))
}

// missing says of which model err is, and what to do where its file is not
// there.
func missing(id string, err error) error {
	if err == nil {
		return nil
	}
	if pathError, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, fs.ErrNotExist) {
		base, adapter, isAdapter := strings.Cut(id, ":")
		key := "models." + base + ".path"
		if isAdapter {
			key = "models." + base + ".adapters." + adapter
		}
		return fmt.Errorf("model %s: there is no file %s: correct %s in the configuration, or put the file there", id, pathError.Path, key)
	}
	return fmt.Errorf("model %s: %w", id, err)
}

// open makes the HTTP side of the house, with actions beside its own.
func (h *house) open(actions ...openaicompat.Action) {
	opts := openaicompat.Options{
		Routes:       h.routes,
		Keys:         h.door,
		Limits:       limits{h.limiter, h.measured.Limits},
		Failures:     failures{h.ground},
		Actions:      slices.Concat(h.actions(), h.experimentActions(), h.sessionActions(), h.keyActions(), h.usageActions(), h.linkActions(), actions),
		Feedback:     taker{h.lab},
		Ready:        h.ready,
		States:       h.states,
		Log:          h.log,
		KeepAlive:    time.Duration(h.cfg.Server.KeepAlive),
		MaxBody:      int64(h.cfg.Server.MaxBody),
		AllowOrigins: h.cfg.Server.AllowOrigins,
		Hosts:        h.hosts(),
		Notes:        h.notes,
		Observer:     witness{h.measured, h},
		Pages:        map[string]http.Handler{"/metrics": h.measured.Handler()},
		Open:         h.cfg.Server.OpenMetrics,
	}
	if h.ground.memory != nil {
		opts.Sessions = sessions{h.ground.memory}
		opts.Turns = sessions{h.ground.memory}
	}
	if h.cfg.Server.AdminListen != "" {
		office := opts
		office.Routes, office.Feedback, office.Sessions, office.Limits = nil, nil, nil, nil
		if office.Hosts != nil {
			office.Hosts = append([]string{hostOf(h.cfg.Server.AdminListen)}, office.Hosts...)
		}
		h.office = openaicompat.New(office)
		opts.Actions, opts.Pages = nil, nil
	}
	h.served = openaicompat.New(opts)
}

// ready says what keeps the house from answering, or nil.
func (h *house) ready() error {
	errs := []error{h.gate.refused()}
	for _, id := range slices.Sorted(maps.Keys(h.workers)) {
		errs = append(errs, h.workers[id].Ready())
	}
	errs = append(errs, h.around.ready())
	return errors.Join(errs...)
}

// states says of each model whether it is in memory.
func (h *house) states() map[string]string {
	states := make(map[string]string)
	for id, w := range h.workers {
		states[id] = w.State()
	}
	for id, p := range h.around.started() {
		states[id] = p.State()
	}
	return states
}

// wait waits until every worker is ready or nothing is wanted of it yet, and returns what is wrong with those
// that have failed. An end of ctx is no failure of a worker.
func (h *house) wait(ctx context.Context) error {
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(h.workers)) {
		if err := h.workers[id].Wait(ctx); err != nil && ctx.Err() == nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, h.around.wait(ctx))...)
}

// route returns the tower of a path.
func (h *house) route(path string) (chat.Model, bool) {
	for _, r := range h.routes {
		if r.Path == path {
			return r.Model, true
		}
	}
	return nil, false
}

// paths returns the paths of all routes.
func (h *house) paths() []string {
	var paths []string
	for _, r := range h.routes {
		paths = append(paths, r.Path)
	}
	return paths
}

// watch keeps up to date what the house knows until ctx ends: it reads lexicons
// again that have changed, and asks backends whether they are there.
func (h *house) watch(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { h.around.watch(ctx) })
	defer wg.Wait()
	h.library.watch(ctx, func(err error) {
		h.measured.Filter.Reloaded(err == nil)
		if err == nil {
			h.measured.Filter.InForce(time.Now().Unix(), h.library.measured())
		}
	}, h.findings.flush)
}

// prevail has what is shared go by this house: the limits, the metrics, what a
// revoked key ends, and the plans of the experiments.
func (h *house) prevail() {
	h.limit()
	if h.cfg.Access.OnRevoke == "cut" {
		h.roll.Judge(h.door.Still)
	} else {
		h.roll.Judge(nil)
	}
	h.brake.Limit(h.cfg.Access.FailuresPerMinute)
	h.bound()
	h.showIdentity()
	workers := make(map[string]metrics.Worker)
	for id, w := range h.workers {
		w.SetReadyWait(time.Duration(h.cfg.Engine.LoadWait))
		workers[id] = w
	}
	for id, p := range h.around.started() {
		p.SetReadyWait(time.Duration(h.cfg.Engine.LoadWait))
		workers[id] = p
	}
	h.measured.Employ(workers)
	h.measured.Router.Watch(h.around.all())
	h.measured.Filter.InForce(time.Now().Unix(), h.library.measured())
	h.employScribe()
	if err := h.lab.Adopt(h.plans); err != nil {
		h.log.Error("experiment: not as the configuration has it", "err", err)
	}
}

// close gives back what the house shares with others: what nobody else has
// ends.
func (h *house) close() {
	for _, s := range h.splits {
		s.Close()
	}
	if h.around != nil {
		h.around.close()
	}
	var wg sync.WaitGroup
	for _, back := range h.backs {
		wg.Go(back)
	}
	wg.Wait()
}
