package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"bendi/chat"
	"bendi/inference/llamacpp"
	"bendi/models/fit"
)

// A residence decides which models on demand are in memory. One is loaded at
// a time: what it takes is known before the next is measured.
type residence struct {
	look func(context.Context) fit.Machine
	log  *slog.Logger
	turn chan struct{} // holds one while a model is being loaded

	mu       sync.Mutex // guards what follows
	limit    int64      // most that all may take together, by their estimates; 0: none
	warnOnly bool       // what does not fit is loaded all the same
	tenants  []*tenant
}

// A tenant is a model that is in memory or may come to be.
type tenant struct {
	fit.Model
	worker   resident
	onDemand bool // it may be unloaded for others
}

// A resident is a worker as a residence sees it.
type resident interface {
	State() string
	Idle() (since time.Time, ok bool)
	Unload(ctx context.Context) bool
}

func newResidence(look func(context.Context) fit.Machine, log *slog.Logger) *residence {
	return &residence{look: look, log: log, turn: make(chan struct{}, 1)}
}

// set sets the limits for what is loaded from now on.
func (r *residence) set(limit int64, warnOnly bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit, r.warnOnly = limit, warnOnly
}

// moveIn adds a model, whether it is loaded or not.
func (r *residence) moveIn(t *tenant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tenants = append(slices.Clip(r.tenants), t)
	slices.SortStableFunc(r.tenants, func(a, b *tenant) int { return strings.Compare(a.ID, b.ID) })
}

// moveOut removes a model whose worker has ended.
func (r *residence) moveOut(t *tenant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tenants = slices.DeleteFunc(slices.Clone(r.tenants), func(other *tenant) bool { return other == t })
}

// now returns the tenants, who are not to be changed, and the limits.
func (r *residence) now() (tenants []*tenant, limit int64, warnOnly bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tenants, r.limit, r.warnOnly
}

// retryBusy is when to ask again for a model that waits for others to be idle.
const retryBusy = 10 * time.Second

// admit makes room for a model. Where it does not fit, models on demand that
// nobody needs are unloaded, the one that has been idle for longest first, but
// none where that would not be enough. Until done is called, no other is
// admitted.
func (r *residence) admit(ctx context.Context, t *tenant) (done func(), err error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	leave := func() { <-r.turn }
	defer func() {
		if err != nil {
			leave()
		}
	}()
	guest := []fit.Model{t.Model}
	for {
		machine := r.free(ctx, t)
		short := fit.Check(guest, machine)
		if short == nil {
			return leave, nil
		}
		idle, busy := r.others(t)
		_, _, warnOnly := r.now()
		switch {
		case fit.Check(guest, without(machine, idle)) == nil:
		case warnOnly && len(idle) == 0:
			r.log.Warn("the model may not fit", "model", t.ID, "err", short)
			return leave, nil
		case warnOnly: // as much as there is
		default:
			return nil, r.refusal(guest, short, machine, append(idle, busy...), busy)
		}
		if first := idle[0]; first.worker.Unload(ctx) {
			r.log.Info("model unloaded for another", "model", first.ID, "for", t.ID)
			r.settle(ctx, t, machine)
		} else if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

// couldFit returns why a model would not fit even if all others on demand made
// room for it, or nil.
func (r *residence) couldFit(ctx context.Context, t *tenant) error {
	idle, busy := r.others(t)
	short := fit.Check([]fit.Model{t.Model}, without(r.free(ctx, t), append(idle, busy...)))
	if _, _, warnOnly := r.now(); short == nil || warnOnly {
		return nil
	}
	return fmt.Errorf("model %s could not be loaded when somebody asks for it: %w", t.ID, short)
}

// settle gives the system a moment to hand on what an ended process had of a
// GPU, before another has to go for it.
func (r *residence) settle(ctx context.Context, t *tenant, before fit.Machine) {
	if t.GPU.Total() == 0 {
		return
	}
	for range 10 {
		now := r.free(ctx, t)
		if fit.Check([]fit.Model{t.Model}, now) == nil || now.FreeGPU() > before.FreeGPU() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// free returns what is left for a model. The kernel counts the weights of
// loaded models as free, since it could read them from the file again; here
// they are not.
func (r *residence) free(ctx context.Context, guest *tenant) fit.Machine {
	m := r.look(ctx)
	tenants, limit, _ := r.now()
	left := limit
	for _, t := range tenants {
		if t == guest {
			continue
		}
		switch t.worker.State() {
		case llamacpp.Unloaded, llamacpp.Failed:
			continue
		case llamacpp.Loading: // has taken none of it yet, for all we know
			take(&m.Free, t.Host.Total())
		default:
			take(&m.Free, t.Host.Weights)
		}
		left -= t.Host.Total()
	}
	if limit > 0 && (m.Free == 0 || left < m.Free) {
		m.Free, m.Limit = max(left, 1), fit.LimitSet
	}
	return m
}

// take lowers free, where it is known.
func take(free *int64, n int64) {
	if *free > 0 {
		*free = max(*free-n, 1)
	}
}

// without returns the machine as it will be without some models.
func without(m fit.Machine, gone []*tenant) fit.Machine {
	m.GPUs = slices.Clone(m.GPUs)
	for _, t := range gone {
		if m.Free > 0 {
			m.Free += t.Host.Total()
		}
		if len(m.GPUs) > 0 {
			m.GPUs[0].Free += t.GPU.Total()
		}
	}
	return m
}

// others returns the models on demand that are loaded, but for one: those that
// nobody needs, idle for longest first, and those that somebody does.
func (r *residence) others(guest *tenant) (idle, busy []*tenant) {
	since := make(map[*tenant]time.Time)
	tenants, _, _ := r.now()
	for _, t := range tenants {
		if t == guest || !t.onDemand {
			continue
		}
		if at, ok := t.worker.Idle(); ok {
			since[t] = at
			idle = append(idle, t)
		} else if t.worker.State() == llamacpp.Loaded {
			busy = append(busy, t)
		}
	}
	slices.SortStableFunc(idle, func(a, b *tenant) int { return since[a].Compare(since[b]) })
	return idle, busy
}

// refusal says why there is no room for a model, and when there may be.
func (r *residence) refusal(guest []fit.Model, short error, m fit.Machine, all, busy []*tenant) error {
	e := &chat.Error{Kind: chat.Unavailable, Code: "insufficient_memory"}
	e.Msg = fmt.Sprintf("model %s cannot be loaded now: %v", guest[0].ID, short)
	if len(busy) > 0 && fit.Check(guest, without(m, all)) == nil {
		var names []string
		for _, t := range busy {
			names = append(names, t.ID)
		}
		e.RetryAfter = retryBusy
		e.Msg += fmt.Sprintf("\nit will fit when %s can be unloaded, which is busy now: try again in %v", strings.Join(names, " or "), retryBusy)
	}
	return e
}
