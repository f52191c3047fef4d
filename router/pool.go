package router

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"bendi/chat"
)

// PoolOptions say how several backends answer for one another. The zeros of
// the limits are defaults.
type PoolOptions struct {
	chat.ModelInfo // what requests call the model, and what is told of it where no backend lists it

	// Tiers has the backends: those of a tier are asked where none of the tiers
	// before it can be. Within a tier they are replicas of one model, and Balance
	// says which.
	Tiers   [][]*Backend
	Balance Balance
	Egress  Egress

	Tries      int           // of a request, hedges included; 3
	FirstToken time.Duration // longest to wait for one, over all tries; 300 s
	Total      time.Duration // of a whole answer; 0: not bounded
	MaxWait    time.Duration // longest to wait for a backend that said when to come again; 5 s
	Budget     *Budget       // of retries; nil: the Pool's own

	// Hedge asks a second backend as well, of any tier, where the first has not
	// begun within the time in which 95 of 100 of its answers have. The one that
	// is later is cancelled; the other end has been told the request all the same.
	Hedge bool

	// Continue lets another backend that can (see Prefill) go on with an answer
	// that broke off in the midst, if that is of text alone and there is one
	// choice. Such an answer says so: its events have the name of the backend
	// that goes on, and its usage is Partial.
	Continue bool

	Observe func(Step) // told of each decision, from several goroutines at once; may be nil
}

const (
	maxBackends   = 64
	hedgeQuantile = 0.95
	firstBackOff  = 25 * time.Millisecond // the most, before the second try; it doubles
	maxBackOff    = time.Second
	wholeFactor   = 2 // times FirstToken is how long a whole answer may take that comes in one
)

// A Pool is a [chat.Model] of which each request is answered by one of several
// backends. It embeds, ranks and tokenizes by those that can.
type Pool struct {
	PoolOptions
	backends []*Backend
	tierOf   []int // by backend
	outside  bool  // some backend is
	prefill  bool  // some backend can go on with an answer, and may
	homes    homes // of conversations, where the balance is Affine
}

// NewPool returns a Pool, or everything that is wrong with what it is to be
// made of.
func NewPool(o PoolOptions) (*Pool, error) {
	o.Tries = cmp.Or(o.Tries, 3)
	o.FirstToken = cmp.Or(o.FirstToken, 300*time.Second)
	o.MaxWait = cmp.Or(o.MaxWait, 5*time.Second)
	if o.Budget == nil {
		o.Budget = new(Budget)
	}
	p := &Pool{PoolOptions: o}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("model %s: "+format, append([]any{o.ID}, args...)...))
	}
	for i, tier := range o.Tiers {
		if len(tier) == 0 {
			bad("tier %d has no backend", i+1)
		}
		for _, b := range tier {
			switch {
			case b.Name == "" || b.Model == nil:
				bad("backend %d has no name or nothing that answers", len(p.backends)+1)
			case slices.ContainsFunc(p.backends, func(a *Backend) bool { return a.Name == b.Name }):
				bad("backend %q is there twice", b.Name)
			}
			p.backends = append(p.backends, b)
			p.tierOf = append(p.tierOf, i)
			p.outside = p.outside || b.Zone == Outside
			p.prefill = p.prefill || o.Continue && b.Prefill
		}
	}
	if len(p.backends) == 0 || len(p.backends) > maxBackends {
		bad("there are %d backends; it needs 1 to %d", len(p.backends), maxBackends)
	}
	if o.Tries < 0 || o.FirstToken < 0 || o.Total < 0 || o.MaxWait < 0 {
		bad("a limit is negative")
	}
	errs = append(errs, p.Egress.Check("model "+o.ID, p.backends...))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

// Backends returns the backends, in the order of the tiers.
func (p *Pool) Backends() []*Backend { return slices.Clone(p.backends) }

// Chat has one of the backends answer req, and another where that fails before
// it has said anything.
func (p *Pool) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		if ctx.Err() != nil {
			yield(chat.Event{}, context.Cause(ctx))
			return
		}
		a := &answer{req: req, yield: yield}
		a.call.init(ctx, p, askerOf(req))
		if req.Whole {
			a.deadline = a.begun.Add(wholeFactor * p.FirstToken) // it begins with its end
		}
		if p.Balance == Affine && len(p.backends) > 1 {
			a.key = affinity(req)
		}
		if p.prefill && req.N <= 1 && req.Format == nil && req.Prompt == nil {
			a.said = new(said)
		}
		defer a.close()
		if err := a.run(a.ask, a.resume); err != nil && !a.left {
			yield(chat.Event{}, err)
		}
	}
}

// Models lists what the backends list that go by the names of requests, and
// the model of the Pool itself where another can answer for it.
func (p *Pool) Models() []chat.ModelInfo {
	var models []chat.ModelInfo
	add := func(m chat.ModelInfo) {
		if m.ID != "" && !slices.ContainsFunc(models, func(a chat.ModelInfo) bool { return a.ID == m.ID }) {
			models = append(models, m)
		}
	}
	own := false
	for _, b := range p.backends {
		if l, ok := b.Model.(chat.Lister); ok && b.As == "" {
			for _, m := range l.Models() {
				add(m)
			}
		} else {
			own = true
		}
	}
	if own {
		info := p.ModelInfo
		info.State = p.state()
		add(info)
	}
	return models
}

// state is that of the backend nearest to an answer, of those that tell.
func (p *Pool) state() string {
	nearest := ""
	order := []string{"", "failed", "unloaded", "loading", "loaded"}
	for _, b := range p.backends {
		l, ok := b.Model.(chat.Lister)
		if !ok {
			continue
		}
		for _, m := range l.Models() {
			if m.ID == b.name(p.ID) && slices.Index(order, m.State) > slices.Index(order, nearest) {
				nearest = m.State
			}
		}
	}
	return nearest
}

// An asker is what of a request, whatever it asks for, decides about where it
// may go.
type asker struct {
	id, model string
	principal string
	anonymous bool // requests of the kind do not say who asks
	classes   []string
	inside    bool
	tokens    bool // some of it is tokens, which mean a text to one model alone
}

func askerOf(req *chat.Request) asker {
	return asker{
		id: req.ID, model: req.Model, principal: req.Principal, classes: req.Classes, inside: req.Inside,
		tokens: req.Prompt != nil && req.Prompt.Tokens != nil,
	}
}
