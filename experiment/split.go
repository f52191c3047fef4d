package experiment

import (
	"context"
	"iter"
	"sync"

	"bendi/chat"
	"bendi/ledger"
)

// A Tower is what a route is answered by: a Model with all its gifts.
type Tower interface {
	chat.Model
	chat.Lister
	chat.Embedder
	chat.Reranker
	chat.Tokenizer
	Resolve(name string) (string, error)
}

// A Split is a route whose chat requests an experiment puts to its arms. All
// else is as without it.
type Split struct {
	Tower
	lab    *Lab
	trials []*trial

	mu      sync.Mutex
	ctx     context.Context // of the copies for shadow arms
	stop    context.CancelFunc
	copying sync.WaitGroup
}

// A trial is a plan with what is known of its experiment.
type trial struct {
	*Experiment
	Plan
	judge   func(text string) bool
	running chan struct{} // has an element for each copy that is being answered
}

// Split returns a route with the plans that are about it, whose files are in a
// folder. The judge reports whether the filter finds something in an answer that
// only a shadow arm gives, and nobody sees; nil: nobody looks.
func (l *Lab) Split(dir string, t Tower, plans []Plan, judge func(text string) bool) (*Split, error) {
	s := &Split{Tower: t, lab: l}
	for _, p := range plans {
		x, err := l.open(dir, p)
		if err != nil {
			return nil, err
		}
		s.trials = append(s.trials, &trial{Experiment: x, Plan: p, judge: judge, running: make(chan struct{}, mostCopies)})
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Wait waits until the copies for shadow arms have been answered.
func (s *Split) Wait() { s.copying.Wait() }

// Close ends the copies for shadow arms. It is called when no more requests
// come.
func (s *Split) Close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.copying.Wait()
}

// Why a request counts in no arm.
const (
	NotRunning    = "not_running"
	OtherModel    = "other_model"   // it asks for another model than the experiment is about
	BackgroundOf  = "background"    // it is a chat front end's own
	NoMessages    = "prompt"        // it is a text to be gone on with, and some arm sets a system message
	NoUnit        = "no_unit"       // nobody knows who asks
	NotAllowed    = "egress"        // some arm may not be told it
	ArmStopped    = "arm_stopped"   // its arm was stopped by a guard
	ShadowBusy    = "shadow_busy"   // a copy for a shadow arm, while too many were being answered
	ShadowNotTold = "shadow_egress" // likewise, which the arm may not be told
)

// A Decision says what an experiment does with a request.
type Decision struct {
	Experiment string
	Arm        string // that answers; empty: the route as it is
	Counts     bool
	Why        string // it does not count; or, where it does, who counts as one
}

// decide says what becomes of a request, and who counts as one, where it counts.
func (p *Plan) decide(req *chat.Request, v *view) (d Decision, unit string) {
	d = Decision{Experiment: p.Name}
	switch {
	case req.Model != p.Model:
		d.Why = OtherModel
		return d, ""
	case v.state == Waiting:
		d.Why = NotRunning
		return d, ""
	case Background(req):
		d.Why = BackgroundOf
		return d, ""
	case req.Prompt != nil && p.instructs():
		d.Why = NoMessages
		return d, ""
	case v.state == Stopped:
		d.Arm, d.Why = p.Control, NotRunning
		if a := p.arm(v.winner); a != nil && a.may(req) {
			d.Arm = v.winner
		}
		return d, ""
	}
	unit, by := p.unit(req)
	d.Arm = p.Control
	if unit == "" {
		d.Why = NoUnit
		return d, ""
	}
	for i := range p.Arms {
		if a := &p.Arms[i]; !a.Shadow && !a.may(req) {
			d.Why = NotAllowed
			return d, ""
		}
	}
	arm := Assign(p.Seed, unit, p.weights())
	if v.stopped[arm] != "" {
		d.Why = ArmStopped
		return d, ""
	}
	d.Arm, d.Counts, d.Why = arm, true, string(by)
	return d, unit
}

func (a *Arm) may(req *chat.Request) bool { return a.May == nil || a.May(req) }

// Explain says what the plan does with a request where it runs, and no arm has
// been stopped.
func (p *Plan) Explain(req *chat.Request) Decision {
	d, _ := p.decide(req, &view{state: Running})
	return d
}

// Explain says what an experiment does with a request now; ok is false where
// none is about the route.
func (s *Split) Explain(req *chat.Request) (d Decision, ok bool) {
	t := s.trial()
	if t == nil {
		return Decision{}, false
	}
	own, err := s.named(req)
	if err != nil {
		return Decision{}, false
	}
	d, _ = t.decide(own, t.now.Load())
	return d, true
}

// named returns a request by the name that its model has on the route.
func (s *Split) named(req *chat.Request) (*chat.Request, error) {
	model, err := s.Resolve(req.Model)
	if err != nil || model == req.Model {
		return req, err
	}
	own := *req
	own.Model = model
	return &own, nil
}

// trial returns the experiment that decides: the one that runs, or else one that
// was stopped, or else any.
func (s *Split) trial() *trial {
	var best *trial
	rank := map[State]int{Waiting: 1, Stopped: 2, Running: 3}
	for _, t := range s.trials {
		if best == nil || rank[t.now.Load().state] > rank[best.now.Load().state] {
			best = t
		}
	}
	return best
}

// Chat has the arm of a request answer it.
func (s *Split) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	t := s.trial()
	if t == nil {
		return s.Tower.Chat(ctx, req)
	}
	req, err := s.named(req)
	if err != nil {
		return chat.Fail(err)
	}
	now := t.now.Load()
	d, unit := t.decide(req, now)
	arm := t.arm(d.Arm)
	if arm == nil {
		if (d.Why == BackgroundOf || d.Why == NoMessages) && now.state == Running {
			t.exclude(d.Why)
		}
		return s.Tower.Chat(ctx, req)
	}
	label := ""
	if d.Counts {
		label = t.Name + "/" + arm.Name
		unit = s.lab.hash("unit", unit)
	} else if d.Why != NotRunning {
		t.exclude(d.Why)
	}
	model := arm.Model
	if model == nil {
		model = s.Tower
	}
	return func(yield func(chat.Event, error) bool) {
		if d.Counts {
			ledger.Assign(ctx, label, unit)
			s.mirror(t, req, unit)
		}
		for ev, err := range model.Chat(ctx, arm.rewrite(req)) {
			if err == nil && ev.Backend != "" {
				ev.Arm = label
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}
