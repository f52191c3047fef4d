package main

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"bendi/chat"
	"bendi/config"
	"bendi/experiment"
	"bendi/filter"
	"bendi/ledger"
	"bendi/openaicompat"
	"bendi/router"
)

// split puts the experiments of a route between it and what is above it, where
// it has any.
func (h *house) split(r config.Route, route *router.Route) (tower, error) {
	plans, err := h.around.plans(r, h.follow(r.Path))
	if err != nil || len(plans) == 0 {
		return route, err
	}
	dir, err := h.cfg.DataDir()
	if err != nil {
		return nil, err
	}
	judge := filter.Guard(route, filter.Options{Shelf: h.library.shelf, Policy: h.policies[policyName(r)], Cache: -1})
	split, err := h.lab.Split(filepath.Join(dir, "experiments"), route, plans, func(text string) bool {
		return len(judge.Moderate([]string{text})[0].Rules) > 0
	})
	if err != nil {
		return nil, err
	}
	h.splits, h.splitOf = append(h.splits, split), append(h.splitOf, r.Path)
	h.plans = append(h.plans, plans...)
	return split, nil
}

// record has the experiments told of each request as its client saw it.
func (h *house) record(r config.Route, t tower) tower {
	if !slices.ContainsFunc(h.plans, func(p experiment.Plan) bool { return p.Route == r.Path }) {
		return t
	}
	return recorded{t, ledger.Record(t, r.Path, h.lab.Observe)}
}

// A recorded tower is one of whose chat requests there is a record.
type recorded struct {
	tower
	chat chat.Model
}

func (m recorded) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return m.chat.Chat(ctx, req)
}

// plans returns the experiments on a route, with who answers for each arm.
func (n *neighbourhood) plans(r config.Route, observe func(router.Step)) ([]experiment.Plan, error) {
	var plans []experiment.Plan
	for _, name := range slices.Sorted(maps.Keys(n.cfg.Experiments)) {
		e := n.cfg.Experiments[name]
		if e.Route != r.Path {
			continue
		}
		p := experiment.Plan{
			Name: name, Route: r.Path, Model: r.Models[0].ID, Seed: e.Seed, Control: e.Control, Prices: make(map[string]experiment.Price),
			Decide: e.Decide, Manual: e.Start == "manual", KeepComments: e.KeepComments,
			Guards: experiment.Guards{Errors: float64(e.Guards.Errors), TTFT: time.Duration(e.Guards.TTFT), Filter: float64(e.Guards.Filter), After: e.Guards.After},
		}
		for _, by := range e.By {
			p.By = append(p.By, experiment.Unit(by))
		}
		for model, price := range e.Prices {
			p.Prices[model] = experiment.Price{Prompt: float64(price.Prompt), Completion: float64(price.Completion)}
		}
		for _, name := range slices.Sorted(maps.Keys(e.Arms)) {
			a, err := n.arm(r, name, e.Arms[name], observe)
			if err != nil {
				return nil, err
			}
			p.Arms = append(p.Arms, a)
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// arm returns an arm, with who answers for it.
func (n *neighbourhood) arm(r config.Route, name string, a config.Arm, observe func(router.Step)) (experiment.Arm, error) {
	arm := experiment.Arm{Name: name, Weight: a.Weight, Shadow: a.Shadow, System: a.System, Replace: a.Replace, Params: make(map[string]float64), MaxTokens: a.MaxTokens}
	for p, value := range a.Params {
		arm.Params[p] = float64(value)
	}
	m := r.Models[0]
	if a.Named() {
		m = n.cfg.ArmModel(r, a.Model)
	} else if !a.Shadow && n.plain(m) {
		return arm, nil // the route answers, inside
	}
	pool, err := n.poolOf(r, m, observe, func(target string) *router.Backend {
		if a.Shadow {
			return n.shadowed(target)
		}
		return n.backend(target)
	})
	if err != nil {
		return arm, err
	}
	if a.Named() || a.Shadow { // else the route answers, by a pool like this one
		arm.As, arm.Model = m.ID, pool
	}
	arm.May = func(req *chat.Request) bool {
		own := *req
		own.Model = m.ID
		refusal, ok := errors.AsType[*chat.Error](pool.Explain(&own).Err)
		return !ok || refusal.Code != router.CodeNoAllowedBackend
	}
	return arm, nil
}

// shadowed returns who answers for a target in the shadow: nobody is charged for
// that, and no failure there keeps requests away.
func (n *neighbourhood) shadowed(target string) *router.Backend {
	o := n.backend(target).BackendOptions
	o.Model, o.Probe = experiment.Nameless(o.Model), nil
	return router.NewBackend(o)
}

// Paths of what is done about experiments.
const (
	experimentsPath = "/admin/experiments"
	startPath       = "/admin/experiments/start"
	stopPath        = "/admin/experiments/stop"
	reportPath      = "/admin/experiments/report"
)

// An order says what is to be done about an experiment.
type order struct {
	Name   string `json:"name"`
	Winner string `json:"winner,omitempty"` // of stop
}

func (o *order) about() string { return o.Name }

// experimentActions list, start, stop and report experiments.
func (h *house) experimentActions() []openaicompat.Action {
	return []openaicompat.Action{
		{Method: http.MethodGet, Path: experimentsPath, Do: func(context.Context, []byte) (any, error) {
			return map[string]any{"experiments": h.lab.Experiments()}, nil
		}},
		{Method: http.MethodPost, Path: startPath, Do: about(func(_ context.Context, in *order) (any, error) { return h.lab.Start(in.Name) })},
		{Method: http.MethodPost, Path: stopPath, Do: about(func(_ context.Context, in *order) (any, error) { return h.lab.Stop(in.Name, in.Winner) })},
		{Method: http.MethodPost, Path: reportPath, Do: about(func(_ context.Context, in *order) (any, error) { return h.lab.Report(in.Name) })},
	}
}

// A taker gives feedback to the experiments.
type taker struct{ lab *experiment.Lab }

func (t taker) Take(key string, f *openaicompat.Feedback) error {
	return t.lab.Give(key, &experiment.Feedback{ID: f.ID, Score: f.Score, Tags: f.Tags, Comment: f.Comment, A: f.A, B: f.B, Winner: f.Winner})
}

// armTargets returns who answers for the arms of a route's experiments.
func armTargets(cfg *config.Config, r config.Route) []string {
	var all []string
	for _, e := range cfg.Experiments {
		for _, a := range e.Arms {
			if e.Route == r.Path && a.Named() {
				all = append(all, cfg.ArmModel(r, a.Model).Targets()...)
			}
		}
	}
	return all
}
