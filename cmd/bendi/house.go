package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"bendi/access"
	"bendi/chat"
	"bendi/config"
	"bendi/filter"
	"bendi/inference/llamacpp"
	"bendi/metrics"
	"bendi/models"
	"bendi/models/fit"
	"bendi/openaicompat"
	"bendi/router"
)

// A house is everything that runs for a configuration: a worker for each
// model, and a tower of Models for each route. Only this file names concrete
// types.
type house struct {
	workers map[string]*llamacpp.Worker // by model id
	routes  []openaicompat.Route
	gate    *gate
	keys    *access.Keys
	survey  survey
	fits    map[string]fit.Estimate // by model id
	rooms   *residence
	around  *neighbourhood

	measured *metrics.Gateway
	library  *library
	policies map[string]*filter.Policy // by name
	findings *findings
	secret   []byte // of the hashes in findings
}

// build starts the workers that the routes need and wires the routes. It
// fails where a model file is missing or damaged or the models need more
// memory than there is, before any worker starts.
func build(ctx context.Context, cfg *config.Config, home models.Home, log *slog.Logger) (_ *house, err error) {
	if err := inspect(cfg); err != nil {
		return nil, err
	}
	rules, err := policies(cfg)
	if err != nil {
		return nil, usage(fmt.Errorf("the filters are wrong:\n%w", err))
	}
	lib, err := newLibrary(cfg.Lexicons, log, inForce(cfg, rules)...)
	if err != nil {
		return nil, usage(fmt.Errorf("the lexicons are wrong:\n%w", err))
	}
	worker := string(cfg.Engine.Worker)
	if worker == "" {
		if worker, err = home.Worker(); err != nil {
			return nil, err
		}
	}
	seen, err := look(ctx, cfg, home)
	if err != nil {
		return nil, err
	}
	list, err := seen.measure(cfg)
	if err != nil {
		return nil, err
	}
	if err := seen.admit(cfg, list, log); err != nil {
		return nil, err
	}
	h := &house{
		workers: make(map[string]*llamacpp.Worker), gate: newGate(), keys: new(access.Keys),
		survey: seen, fits: make(map[string]fit.Estimate),
	}
	for _, m := range list {
		h.fits[m.ID] = m.Estimate
	}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	for _, k := range cfg.Access.Keys {
		if err := h.keys.Add(k.Name, k.Key.Reveal()); err != nil {
			return nil, usage(err)
		}
	}
	h.rooms = newResidence(fit.Look, int64(cfg.Engine.MemoryLimit), cfg.Engine.Memory == "warn", log)
	for _, m := range list {
		h.rooms.tenants[m.ID] = &tenant{Model: m, onDemand: cfg.Models[m.ID].Load == config.LoadDemand}
	}
	for _, id := range used(cfg) {
		m := cfg.Models[id]
		adapters := make(map[string]string)
		for name, path := range m.Adapters {
			adapters[name] = string(path)
		}
		kwargs := make(map[string]string)
		for name, value := range m.TemplateKwargs {
			kwargs[name] = string(value)
		}
		w, err := llamacpp.Start(llamacpp.Config{
			Name: id, Worker: worker, Library: seen.library,
			Model: string(m.Path), Adapters: adapters,
			Context: m.Context, Slots: m.Slots, Threads: m.Threads, Options: m.Options, TemplateKwargs: kwargs,
			Demand: m.Load == config.LoadDemand, UnloadAfter: time.Duration(m.UnloadAfter),
			Admit:     func(ctx context.Context) (func(), error) { return h.rooms.admit(ctx, id) },
			ReadyWait: time.Duration(cfg.Engine.LoadWait),
			Log:       log,
		})
		if err != nil {
			return nil, err
		}
		h.workers[id], h.rooms.tenants[id].worker = w, w
	}
	workers := make(map[string]metrics.Worker)
	for id, w := range h.workers {
		workers[id] = w
	}
	h.measured = metrics.NewGateway(version(), workers)
	h.library, h.policies, h.secret = lib, rules, filterSecret()
	h.findings = newFindings(log, h.measured.Filter)
	h.measured.Filter.InForce(time.Now().Unix(), lib.measured())
	h.warn(cfg, log)
	h.around, err = meet(cfg, h.secret, h.local, func(backend string) func(filter.Finding) { return h.findings.observe("backend " + backend) })
	if err != nil {
		return nil, err
	}
	for _, text := range h.around.deadEnds() {
		log.Info("egress: " + text)
	}
	for _, r := range cfg.Routes {
		offers, err := h.choices(r, log)
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", r.Path, err)
		}
		route, err := router.New(offers, "", r.Aliases)
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", r.Path, err)
		}
		screened, judge, err := h.screen(r, route, log)
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", r.Path, err)
		}
		h.routes = append(h.routes, openaicompat.Route{Path: r.Path, Model: h.gate.guard(screened), Moderator: moderator{judge}, Priority: r.Priority})
	}
	h.measured.Router.Watch(h.around.all())
	return h, nil
}

// local returns the worker of a model that runs here.
func (h *house) local(id string) chat.Model {
	base, _, _ := strings.Cut(id, ":")
	return h.workers[base]
}

// choices returns the models of a route with who answers for them.
func (h *house) choices(r config.Route, log *slog.Logger) ([]router.Offer, error) {
	var offers []router.Offer
	for _, m := range r.Models {
		if h.around.plain(m) {
			offers = append(offers, h.offers([]string{m.ID})...)
			continue
		}
		pool, err := h.around.pool(r, m, func(s router.Step) {
			h.measured.Router.Step(r.Path, s)
			tell(log, r.Path, s)
		})
		if err != nil {
			return nil, err
		}
		offers = append(offers, router.Offer{ModelInfo: pool.ModelInfo, Backend: m.ID, Model: pool})
	}
	return offers, nil
}

// offers returns models that run here with who serves them.
func (h *house) offers(ids []string) []router.Offer {
	var offers []router.Offer
	for _, id := range ids {
		base, _, _ := strings.Cut(id, ":")
		w := h.workers[base]
		if strings.HasSuffix(id, ":*") {
			offers = append(offers, router.Offer{ModelInfo: chat.ModelInfo{ID: id}, Backend: "llamacpp", Model: w})
		}
		for _, info := range w.Models() {
			if info.ID == id {
				offers = append(offers, router.Offer{ModelInfo: info, Backend: "llamacpp", Model: w})
			}
		}
	}
	return offers
}

// used returns the ids of the models here that answer for a route, or that its
// filter asks, sorted.
func used(cfg *config.Config) []string {
	ids := make(map[string]bool)
	for _, r := range cfg.Routes {
		for _, m := range r.Models {
			for _, target := range m.Targets() {
				if _, _, _, elsewhere := cfg.Backend(target); !elsewhere {
					base, _, _ := strings.Cut(target, ":")
					ids[base] = true
				}
			}
		}
		if second := cfg.Filters[r.Filter].SecondOpinion.Model; second != "" {
			base, _, _ := strings.Cut(second, ":")
			ids[base] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// inspect reads the headers of all model files, so that a truncated or
// damaged one is an error here and not the death of a worker.
func inspect(cfg *config.Config) error {
	var errs []error
	for _, id := range used(cfg) {
		m := cfg.Models[id]
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

// handler returns the HTTP side of the house.
func (h *house) handler(cfg *config.Config, log *slog.Logger) http.Handler {
	opts := openaicompat.Options{
		Routes:       h.routes,
		Priority:     priorities(cfg),
		Admin:        admins(cfg),
		Actions:      h.actions(cfg),
		Ready:        h.ready,
		States:       h.states,
		Log:          log,
		KeepAlive:    time.Duration(cfg.Server.KeepAlive),
		MaxBody:      int64(cfg.Server.MaxBody),
		AllowOrigins: cfg.Server.AllowOrigins,
		Observer:     h.measured,
		Pages:        map[string]http.Handler{"/metrics": h.measured.Handler()},
	}
	if h.keys.Len() > 0 {
		opts.Keys = h.keys
	}
	return openaicompat.New(opts)
}

// ready says what keeps the house from answering, or nil.
func (h *house) ready() error {
	errs := []error{h.gate.refused()}
	for _, id := range slices.Sorted(maps.Keys(h.workers)) {
		errs = append(errs, h.workers[id].Ready())
	}
	return errors.Join(errs...)
}

// priorities returns the priority of each key, by its name.
func priorities(cfg *config.Config) func(key string) int {
	byName := make(map[string]int)
	for _, k := range cfg.Access.Keys {
		byName[k.Name] = k.Priority
	}
	return func(key string) int { return byName[key] }
}

// states says of each model whether it is in memory.
func (h *house) states() map[string]string {
	states := make(map[string]string)
	for id, w := range h.workers {
		states[id] = w.State()
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
	return errors.Join(errs...)
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

// close ends all workers.
func (h *house) close() {
	var wg sync.WaitGroup
	for _, w := range h.workers {
		if w != nil {
			wg.Go(func() { w.Close() })
		}
	}
	wg.Wait()
	if h.around != nil {
		h.around.close()
	}
	if h.findings != nil {
		h.findings.close()
	}
}
