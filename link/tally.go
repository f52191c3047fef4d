package link

import (
	"maps"
	"sync"
)

// Refusals are why a relay refuses links: by how they come, since nobody has
// shown who it is, or since there are too many.
var Refusals = []string{"tls", "browser", "query", "identity", "session", "full", "closing", "strangers"}

// Counts are what a relay has done since it began.
type Counts struct {
	Refused map[string]uint64 // links, by one of the [Refusals]
	Edges   map[string]EdgeCounts
}

// EdgeCounts are of the requests of an edge.
type EdgeCounts struct {
	Requests      map[Outcome]uint64 // that have ended
	Asked, Answer int64              // bytes of the bodies of requests and of answers
}

// An Outcome is how a request ended at a relay.
type Outcome string

const (
	Answered  Outcome = "answered"  // whole, whatever its status
	Ungranted Outcome = "ungranted" // the edge may not ask that
	Failed    Outcome = "failed"    // the upstream could not be asked, or broke off
	Left      Outcome = "left"      // the edge wanted it no more, or was lost
)

// Outcomes are all that there are.
var Outcomes = []Outcome{Answered, Ungranted, Failed, Left}

// A tally keeps the counts of a relay.
type tally struct {
	mu      sync.Mutex
	refused map[string]uint64
	edges   map[string]*EdgeCounts
}

func (t *tally) refuse(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused == nil {
		t.refused = make(map[string]uint64)
	}
	t.refused[reason]++
}

// edge returns the counts of an edge. Its caller holds mu.
func (t *tally) edge(name string) *EdgeCounts {
	e := t.edges[name]
	if e == nil {
		if t.edges == nil {
			t.edges = make(map[string]*EdgeCounts)
		}
		e = &EdgeCounts{Requests: make(map[Outcome]uint64)}
		t.edges[name] = e
	}
	return e
}

func (t *tally) end(edge string, how Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.edge(edge).Requests[how]++
}

// carry counts bytes of bodies.
func (t *tally) carry(edge string, asked, answer int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.edge(edge)
	e.Asked, e.Answer = e.Asked+int64(asked), e.Answer+int64(answer)
}

// Counts returns what the relay has done so far, for every edge that may come.
func (r *Relay) Counts() Counts {
	r.tally.mu.Lock()
	defer r.tally.mu.Unlock()
	c := Counts{Refused: maps.Clone(r.tally.refused), Edges: make(map[string]EdgeCounts)}
	for name := range r.edges {
		e := *r.tally.edge(name)
		e.Requests = maps.Clone(e.Requests)
		c.Edges[name] = e
	}
	return c
}
