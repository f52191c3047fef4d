package main

import (
	"log/slog"
	"net/http"
	"reflect"

	"bendi/config"
	"bendi/filter"
	"bendi/inference/llamacpp"
	"bendi/link"
	"bendi/router"
)

// Relations are what lasts of one [neighbourhood] in the next: the connections
// to backends that are described alike, and what has been learnt about them.
type relations struct {
	log      *slog.Logger                                           // nil: nothing is logged
	secret   []byte                                                 // of tokens that stand for masked data
	observe  func(backend string) func(f filter.Finding)            // nil: nobody is told what is masked
	start    func(name string, b config.Backend) (*server, error)   // nil: nothing is started here
	link     func(name string, r config.Relays) (*link.Edge, error) // nil: nothing is connected
	edges    stock[way, *link.Edge]
	servers  stock[address, *server]
	backends stock[acquaintance, *router.Backend]
	budget   router.Budget
}

// An address describes a server.
type address struct {
	name    string
	backend config.Backend // without what the router alone goes by
	ca      stamp
	way     way // that it is asked over
}

// A way describes relays, and the files that they go by.
type way struct {
	name   string
	relays config.Relays
	files  []stamp
}

func wayOf(name string, relays map[string]config.Relays) way {
	r := relays[name]
	w := way{name: name, relays: r}
	for _, file := range relaysFiles(r) {
		w.files = append(w.files, stampOf(file))
	}
	return w
}

// relaysFiles returns the files that links go by as long as they last. That of a
// token is none of them: it is read for each link.
func relaysFiles(r config.Relays) []string {
	return named(r.KeyFile, r.CertFile, r.CertKeyFile, r.CAFile)
}

// An acquaintance describes what is known about a target.
type acquaintance struct {
	target  string
	server  *server          // nil: it runs here
	worker  *llamacpp.Worker // nil: it does not
	backend config.Backend
}

func newRelations(secret []byte, observe func(backend string) func(filter.Finding)) *relations {
	return &relations{
		secret: secret, observe: observe,
		edges: stock[way, *link.Edge]{alike: func(a, b way) bool { return reflect.DeepEqual(a, b) }, end: func(e *link.Edge) { e.Close() }},
		servers: stock[address, *server]{
			alike: func(a, b address) bool { return reflect.DeepEqual(a, b) },
			end: func(s *server) {
				if s.close != nil {
					s.close()
				}
			},
		},
		backends: stock[acquaintance, *router.Backend]{alike: func(a, b acquaintance) bool {
			return a.target == b.target && a.server == b.server && a.worker == b.worker && reflect.DeepEqual(a.backend, b.backend)
		}},
	}
}

// server returns the client of a backend, and how to give it back.
func (r *relations) server(name string, b config.Backend, relays map[string]config.Relays) (*server, func(), error) {
	a := address{name: name, backend: b}
	if b.Link != "" {
		a.way = wayOf(b.Link, relays)
	}
	if b.CAFile != "" {
		a.ca = stampOf(string(b.CAFile))
	}
	a.backend.Weight, a.backend.Prefill, a.backend.FirstToken, a.backend.Breaker = 0, false, 0, config.Breaker{}
	if b.Kind != "ollama" {
		a.backend.Models = nil
	}
	return r.servers.take(a, func() (*server, error) {
		switch {
		case b.Starts() && r.start != nil:
			return r.start(name, b)
		case b.Starts():
			return &server{model: standIn{}}, nil
		}
		via, back, err := r.via(a.way)
		if err != nil {
			return nil, err
		}
		s, err := serverOf(name, b, via, r.log)
		if s.close = closers(s.close, back); err != nil {
			back()
		}
		if err == nil && b.Outside() {
			o := concealOf(b, r.secret)
			if r.observe != nil {
				o.Observe = r.observe(name)
			}
			s.model = filter.Conceal(s.model, o)
		}
		return &s, err
	})
}

// via returns what makes requests over relays, and how to give it back; nil
// where there are none.
func (r *relations) via(w way) (http.RoundTripper, func(), error) {
	if w.name == "" || r.link == nil {
		return nil, func() {}, nil
	}
	e, back, err := r.edges.take(w, func() (*link.Edge, error) { return r.link(w.name, w.relays) })
	if err != nil {
		return nil, nil, err
	}
	return e, back, nil
}

// closers returns a function that calls first, unless it is nil, and then.
func closers(first, then func()) func() {
	return func() {
		if first != nil {
			first()
		}
		then()
	}
}

// backend returns what is known about a target that is described alike, and how
// to give it back.
func (r *relations) backend(o router.BackendOptions, cfg *config.Config, servers map[string]*server) (*router.Backend, func()) {
	a := acquaintance{target: o.Name}
	if name, id, b, ok := cfg.Backend(o.Name); ok {
		a.server, a.backend = servers[name], b
		a.backend.Models = map[string]config.BackendModel{id: b.Models[id]}
	} else {
		a.worker, _ = o.Model.(*llamacpp.Worker)
	}
	b, back, _ := r.backends.take(a, func() (*router.Backend, error) { return router.NewBackend(o), nil })
	return b, back
}
