package filter

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"bendi/chat"
)

// Options are what a Guard works with.
type Options struct {
	Shelf   *Shelf
	Policy  *Policy         // valid, see [Policy.Validate]; not to be changed any more
	Secret  []byte          // for the hashes in findings; empty: there are none
	Observe func(Finding)   // told of each finding, from several goroutines at once; may be nil
	Held    func(bytes int) // told after each piece of an answer how much of its text waits to be decided on, but for what a full buffer keeps; may be nil
	Second  chat.Model      // gives second opinions; nil: none are asked for
	Log     *slog.Logger    // for what goes wrong with second opinions; nil: nothing is logged
	Cache   int             // how many texts of requests are remembered, so that a conversation is not looked through again each turn; 0: 8192, below 0: none
}

// Guarded is a model behind the filter. It is whatever the model is: one that
// embeds, ranks, tokenizes, lists or resolves names does that still, with what
// it is asked filtered.
type Guarded struct {
	Options
	model chat.Model
	cache *cache // nil: nothing is remembered

	era      atomic.Pointer[era]
	opinions sync.WaitGroup // those that no answer waits for
	asking   chan struct{}  // has one for each of them
}

// An era is the time of some rules.
type era struct {
	plan   *plan
	number uint64
}

// Guard returns m behind the filter.
func Guard(m chat.Model, o Options) *Guarded {
	g := &Guarded{model: m, Options: o, asking: make(chan struct{}, mostOpinions)}
	switch {
	case o.Cache == 0:
		g.cache = newCache(8192)
	case o.Cache > 0:
		g.cache = newCache(o.Cache)
	}
	return g
}

// now returns the era of the rules in force.
func (g *Guarded) now() *era {
	rules := g.Shelf.Current()
	for {
		was := g.era.Load()
		if was != nil && was.plan.rules == rules {
			return was
		}
		next := &era{plan: newPlan(rules, g.Policy)}
		if was != nil {
			next.number = was.number + 1
		}
		if g.era.CompareAndSwap(was, next) {
			return next
		}
	}
}

// inspect is that of the plan, remembered.
func (g *Guarded) inspect(e *era, f *field, history bool) *report {
	n := 0
	for _, t := range f.texts {
		n += len(t)
	}
	if g.cache == nil || n < leastCached {
		return e.plan.inspect(f, history)
	}
	k := g.cache.key(e.number, f, history)
	r := g.cache.get(k)
	if r == nil {
		r = e.plan.inspect(f, history)
		g.cache.add(k, r)
	}
	return r
}

// Chat answers req as the model does, with both filtered.
//
// A choice that is blocked ends at once, with [chat.ContentFilter], and the
// others go on. When none is left, the model is stopped. It cannot tell the
// usage then: that which ends the answer is Partial.
func (g *Guarded) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		if ctx.Err() != nil {
			yield(chat.Event{}, context.Cause(ctx))
			return
		}
		s := g.screening(req.ID, req.Principal, req.Model)
		readable, err := g.readable(ctx, req)
		if err != nil {
			yield(chat.Event{}, err)
			return
		}
		own := s.request(readable)
		if s.blocked == nil {
			own = s.secondRequest(ctx, own)
		}
		if s.blocked != nil {
			s.refuse(req, yield)
			return
		}
		a := &answer{
			guard: g, plan: s.plan, policy: s.plan.policy, about: s.about, req: own, ctx: ctx, yield: yield,
			json: own.Format != nil && (own.Format.Type == "json_object" || own.Format.Type == "json_schema"),
			left: max(req.N, 1), request: s.tally,
		}
		a.full = a.policy.Buffer == FullBuffer || a.asks(FullOpinion)
		for ev, err := range g.model.Chat(ctx, own) {
			if err == nil {
				err = a.take(ev)
			}
			if err != nil {
				yield(chat.Event{}, err)
				return
			}
			if a.gone || a.idle() {
				break
			}
		}
		switch {
		case a.gone:
		case a.left > 0:
			yield(chat.Event{}, chat.Errorf(chat.BadBackend, "The backend ended its answer without an end of %d of the %d choices.", a.left, max(req.N, 1)))
		case a.idle():
			a.usage.Partial = true
			a.emit(chat.Event{Usage: &a.usage})
		}
	}
}

// idle reports whether the model still works on choices that have all been
// ended.
func (a *answer) idle() bool {
	return a.left == 0 && slices.ContainsFunc(a.choices, func(c *choice) bool { return !c.over })
}

// refuse says that a request is blocked.
func (s *screening) refuse(req *chat.Request, yield func(chat.Event, error) bool) {
	p := s.plan.policy
	if p.BlockAs != AsRefusal {
		yield(chat.Event{}, s.blockage())
		return
	}
	told := s.filtered()
	for i := range max(req.N, 1) {
		if !yield(chat.Event{Choice: i, Text: p.Refusal, Filtered: told}, nil) || !yield(chat.Event{Choice: i, Finish: chat.ContentFilter}, nil) {
			return
		}
		told = nil
	}
	yield(chat.Event{Usage: &chat.Usage{}}, nil)
}

// Models lists what the model lists.
func (g *Guarded) Models() []chat.ModelInfo {
	if l, ok := g.model.(chat.Lister); ok {
		return l.Models()
	}
	return nil
}

// A resolver knows the model that a name stands for.
type resolver interface {
	Resolve(name string) (string, error)
}

// Resolve returns the name of the model that answers to a name.
func (g *Guarded) Resolve(name string) (string, error) {
	if r, ok := g.model.(resolver); ok {
		return r.Resolve(name)
	}
	return name, nil
}
