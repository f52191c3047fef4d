package router

import (
	"context"
	"sync/atomic"
	"time"

	"bendi/chat"
)

// A Zone says on which side of the wall a backend is.
type Zone uint8

const (
	Outside Zone = iota // what is asked of it leaves the house
	Inside
)

func (z Zone) String() string {
	if z == Inside {
		return "inside"
	}
	return "outside"
}

// BackendOptions describe a [Backend].
type BackendOptions struct {
	Name  string // for operators, in logs and in the x-bendi-backend header
	Model chat.Model
	As    string // what it calls the model; empty: as the request does

	Zone   Zone
	Masked bool // it is outside, and Model keeps personal data from it

	Weight  int  // share of the requests among its replicas; 0: 1
	Window  int  // tokens; 0: as the Model lists it, or not known
	Prefill bool // it goes on with a last message of the assistant's, rather than answer it

	FirstToken time.Duration // longest to wait for one; 0: as long as the Pool does
	Idle       time.Duration // longest silence between two events of an answer; 0: not bounded here

	// Probe asks, at no cost, whether the backend is there; see [Watch]. Nil:
	// only requests tell.
	Probe func(context.Context) error

	Breaker BreakerOptions
}

// A Backend is one place that can answer, and what is known about it. Several
// pools may share one, and then share what they learn.
type Backend struct {
	BackendOptions
	breaker     breaker
	outstanding atomic.Int64
	first       latency // until the first token
	seed        uint64  // of the name
}

// NewBackend returns a Backend of which nothing is known yet.
func NewBackend(o BackendOptions) *Backend {
	o.Weight = max(o.Weight, 1)
	b := &Backend{BackendOptions: o, seed: hash(offset, o.Name)}
	b.breaker.BreakerOptions = o.Breaker.orDefaults()
	return b
}

// name returns what the backend calls the model of a request.
func (b *Backend) name(model string) string {
	if b.As != "" {
		return b.As
	}
	return model
}

// window returns how many tokens fit; 0 where that is not known.
func (b *Backend) window(model string) int {
	if b.Window > 0 {
		return b.Window
	}
	if l, ok := b.Model.(chat.Lister); ok {
		for _, m := range l.Models() {
			if m.ID == b.name(model) {
				return m.Context
			}
		}
	}
	return 0
}

// A Status is what is known about a backend at the moment.
type Status struct {
	Backend     string
	Zone        Zone
	State       string        // "closed", "open" or "probing", of its breaker
	Until       time.Time     // when it may be asked again; zero: now
	Share       float64       // of the requests meant for it, which it gets: below 1 after it has recovered
	Outstanding int           // requests that it is answering
	FirstToken  time.Duration // in 95 of 100 answers it has come by then; 0: there were too few
	Faults      map[chat.Kind]uint64
}

// Status returns what is known about the backend.
func (b *Backend) Status() Status {
	s := b.breaker.status(time.Now())
	s.Backend, s.Zone, s.Outstanding = b.Name, b.Zone, int(b.outstanding.Load())
	s.FirstToken, _ = b.first.quantile(hedgeQuantile)
	return s
}
