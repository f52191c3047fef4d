package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"bendi/chat"
	"bendi/config"
	"bendi/experiment"
	"bendi/filter"
	"bendi/inference/ollama"
	"bendi/inference/process"
	"bendi/inference/remote"
	"bendi/router"
)

// A neighbourhood has all that models of routes are answered by: the backends
// of the configuration and the models that run here, each once for all routes.
// So what is learnt about one on one route is known on the others.
type neighbourhood struct {
	cfg     *config.Config
	about   *relations
	local   func(id string) chat.Model // has the model of an id, adapter and all
	servers map[string]*server         // by the name of the backend
	known   map[string]*router.Backend // by target: model, or backend/model
	backs   []func()                   // give back what others have as well

	// What the experiment of a route does with a request now; nil: nobody knows,
	// and those that start by themselves are taken to run.
	decide func(route string, req *chat.Request) (experiment.Decision, bool)
}

// A server is a backend of the configuration.
type server struct {
	model chat.Model // keeps personal data from it where it has to
	probe func(context.Context) error
	close func()

	process *process.Process // that answers; nil: it is not started here
}

// meet gets to know all backends of a configuration. It connects to none.
func meet(cfg *config.Config, about *relations, local func(id string) chat.Model) (*neighbourhood, error) {
	n := &neighbourhood{cfg: cfg, about: about, local: local, servers: make(map[string]*server), known: make(map[string]*router.Backend)}
	for _, name := range slices.Sorted(maps.Keys(cfg.Backends)) {
		s, back, err := about.server(name, cfg.Backends[name], cfg.Relays)
		if err != nil {
			n.close()
			return nil, usage(err)
		}
		n.servers[name] = s
		n.backs = append(n.backs, back)
	}
	return n, nil
}

// serverOf returns the client of a backend, which is asked over via unless that
// is nil. What happens to its name is logged, unless log is nil.
func serverOf(name string, b config.Backend, via http.RoundTripper, log *slog.Logger) (server, error) {
	if b.Kind == "ollama" {
		return ollamaOf(name, b, log)
	}
	m, err := remoteOf(name, b, via, log)
	if err != nil {
		return server{}, err
	}
	s := server{model: m, close: m.Close}
	if b.Probe != config.Off {
		s.probe = func(ctx context.Context) error { return m.Probe(ctx, b.Probe) }
	}
	return s, nil
}

func remoteOf(name string, b config.Backend, via http.RoundTripper, log *slog.Logger) (*remote.Model, error) {
	o := remote.Options{
		Name: name, BaseURL: b.URL, Socket: string(b.Socket), Key: b.Key.Reveal(), Headers: make(map[string]string),
		MaxConns: b.MaxConns, MaxIdle: cmp.Or(b.MaxIdle, -1),
		ConnectTimeout: time.Duration(b.ConnectTimeout), IdleTimeout: time.Duration(b.ReadTimeout), Sent: leaves(name, b),
		Transport: via, Stale: stale(name, log),
	}
	for h, value := range b.Headers {
		o.Headers[h] = value.Reveal()
	}
	if b.Proxy != "" {
		u, err := url.Parse(b.Proxy)
		if err != nil {
			return nil, fmt.Errorf("backend %s: its proxy is no URL", name)
		}
		o.Proxy = u
	}
	if b.CAFile != "" {
		pool, err := certificatesIn(b.CAFile)
		if err != nil {
			return nil, fmt.Errorf("backend %s: %w", name, err)
		}
		o.RootCAs = pool
	}
	return remote.New(o)
}

func ollamaOf(name string, b config.Backend, log *slog.Logger) (server, error) {
	m, err := ollamaClient(name, b, log)
	if err != nil {
		return server{}, err
	}
	s := server{model: m, close: m.Close}
	if b.Probe != config.Off {
		s.probe = m.Probe
	}
	return s, nil
}

func ollamaClient(name string, b config.Backend, log *slog.Logger) (*ollama.Model, error) {
	c := ollama.Config{
		Name: name, URL: b.URL, Socket: string(b.Socket), Key: b.Key.Reveal(), MaxConns: b.MaxConns, MaxIdle: cmp.Or(b.MaxIdle, -1),
		ConnectTimeout: time.Duration(b.ConnectTimeout), IdleTimeout: time.Duration(b.ReadTimeout), Sent: leaves(name, b), Stale: stale(name, log),
	}
	if b.KeepAlive != 0 {
		c.KeepAlive = new(time.Duration(b.KeepAlive))
	}
	for _, id := range slices.Sorted(maps.Keys(b.Models)) {
		m := b.Models[id]
		if !slices.ContainsFunc(c.Models, func(o ollama.Offer) bool { return o.Model == m.Name }) {
			c.Models = append(c.Models, ollama.Offer{Model: m.Name, Context: m.Context})
		}
	}
	return ollama.New(c)
}

// stale logs that the name of a backend cannot be looked up, once a minute at
// most; each connection would say so.
func stale(name string, log *slog.Logger) func(time.Duration, error) {
	if log == nil {
		return nil
	}
	var said atomic.Pointer[time.Time]
	return func(age time.Duration, err error) {
		now, last := time.Now(), said.Load()
		if (last == nil || now.Sub(*last) >= time.Minute) && said.CompareAndSwap(last, &now) {
			log.Warn("the name of a backend cannot be looked up; connecting to where it was", "backend", name, "known for", age.Round(time.Second), "err", err)
		}
	}
}

// leastSecret is how long the secret of a deployment has to be for tokens.
const leastSecret = 16

// concealOf says what is kept from a backend outside. Images, sound and files
// are refused unless the configuration lets them through.
func concealOf(b config.Backend, secret []byte) filter.ConcealOptions {
	o := filter.ConcealOptions{Types: make(map[string]filter.Egress), NoMedia: b.Mask[config.Media] != "allow"}
	for kind, m := range b.Mask {
		if kind != config.Media {
			e, _ := filter.ParseEgress(string(m)) // else it is denied
			o.Types[kind] = e
		}
	}
	if len(secret) >= leastSecret {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte("tokens of masked data"))
		o.Secret = h.Sum(nil)
	}
	return o
}

// backend returns who answers for a target.
func (n *neighbourhood) backend(target string) *router.Backend {
	if b, ok := n.known[target]; ok {
		return b
	}
	o := router.BackendOptions{Name: target, As: target, Zone: router.Inside}
	if name, id, b, ok := n.cfg.Backend(target); ok {
		m := b.Models[id]
		o = router.BackendOptions{
			Name: target, Model: n.servers[name].model, As: m.Name,
			Zone: router.Outside, Masked: b.Masked(),
			Weight: b.Weight, Window: m.Context, Prefill: b.Prefill,
			FirstToken: time.Duration(b.FirstToken), Probe: n.servers[name].probe,
			Breaker: router.BreakerOptions{Failures: b.Breaker.Failures, Cooldown: time.Duration(b.Breaker.Cooldown)},
		}
		if !b.Outside() {
			o.Zone = router.Inside
		}
		if p := n.servers[name].process; p != nil {
			o.Model = offered{p, chat.ModelInfo{ID: m.Name, OwnedBy: name, Context: m.Context}}
		}
	} else {
		o.Model, o.Prefill = n.local(target), true
	}
	b, back := n.about.backend(o, n.cfg, n.servers)
	n.known[target] = b
	n.backs = append(n.backs, back)
	return b
}

// plain reports whether a model of a route is one that runs here, and nobody
// else answers for it.
func (n *neighbourhood) plain(m config.RouteModel) bool {
	_, _, _, ok := n.cfg.Backend(m.ID)
	return len(m.Tiers) == 0 && !ok
}

// leastFirstToken is how long a request waits for its first token, at least.
const leastFirstToken = 300 * time.Second

// pool returns what answers for a model of a route that others than a model
// here answer for.
func (n *neighbourhood) pool(r config.Route, m config.RouteModel, observe func(router.Step)) (*router.Pool, error) {
	return n.poolOf(r, m, observe, n.backend)
}

// poolOf is pool, with the backend of each target.
func (n *neighbourhood) poolOf(r config.Route, m config.RouteModel, observe func(router.Step), backend func(target string) *router.Backend) (*router.Pool, error) {
	tiers := m.Tiers
	if len(tiers) == 0 {
		tiers = [][]string{{m.ID}}
	}
	o := router.PoolOptions{
		ModelInfo: chat.ModelInfo{ID: m.ID, OwnedBy: "bendi", Context: n.window(m)},
		Egress:    r.Egress.Policy(), Budget: &n.about.budget, Hedge: m.Hedge, Continue: m.Continue, Observe: observe,
		// A model here may have to be loaded first.
		FirstToken: max(leastFirstToken, time.Duration(n.cfg.Engine.LoadWait)+time.Minute),
	}
	if m.Balance != "" {
		balance, err := router.ParseBalance(string(m.Balance))
		if err != nil {
			return nil, err
		}
		o.Balance = balance
	}
	for _, tier := range tiers {
		var backends []*router.Backend
		for _, target := range tier {
			backends = append(backends, backend(target))
		}
		o.Tiers = append(o.Tiers, backends)
	}
	return router.NewPool(o)
}

// window returns how many tokens each of the targets of m takes; 0 where that
// is not known of one.
func (n *neighbourhood) window(m config.RouteModel) int {
	least := 0
	for i, target := range m.Targets() {
		context := 0
		if _, id, b, ok := n.cfg.Backend(target); ok {
			context = b.Models[id].Context
		} else if l, ok := n.local(target).(chat.Lister); ok {
			for _, info := range l.Models() {
				if info.ID == target {
					context = info.Context
				}
			}
		}
		if least = min(least, context); i == 0 {
			least = context
		}
	}
	return least
}

// deadEnds says which rules of the policies leave requests without a backend.
func (n *neighbourhood) deadEnds() []string {
	var out []string
	for _, r := range n.cfg.Routes {
		egress, path := r.Egress.Policy(), "route "+r.Path
		var rules []string
		models := make(map[string][]string) // by rule
		for _, m := range r.Models {
			if n.plain(m) {
				continue
			}
			var all []*router.Backend
			for _, target := range m.Targets() {
				all = append(all, n.backend(target))
			}
			for _, text := range egress.DeadEnds(path, all...) {
				rule := strings.TrimPrefix(text, path)
				if models[rule] == nil {
					rules = append(rules, rule)
				}
				models[rule] = append(models[rule], m.ID)
			}
		}
		for _, rule := range rules {
			out = append(out, path+", "+strings.Join(models[rule], ", ")+rule)
		}
	}
	return out
}

// all returns the backends that routes have, by their names.
func (n *neighbourhood) all() []*router.Backend {
	var all []*router.Backend
	for _, name := range slices.Sorted(maps.Keys(n.known)) {
		all = append(all, n.known[name])
	}
	return all
}

// probeEvery is how often backends are asked whether they are there.
const probeEvery = 10 * time.Second

// watch asks the backends now and then whether they are there, until ctx ends.
func (n *neighbourhood) watch(ctx context.Context) {
	router.Watch(ctx, probeEvery, n.all()...)
}

// close gives back what others may have as well: a backend before the server
// that it is of.
func (n *neighbourhood) close() {
	for _, back := range slices.Backward(n.backs) {
		back()
	}
}

// tell logs what the router decides. What a backend says may repeat what a user
// wrote, so of an error only the kind and the code are told.
func tell(log *slog.Logger, route string, s router.Step) {
	level := slog.LevelDebug
	switch s.What {
	case router.Faulted, router.Resumed:
		level = slog.LevelWarn
	case router.Declined, router.GaveUp, router.Hedged, router.Waited:
		level = slog.LevelInfo
	}
	ctx := context.Background()
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("request", s.Request), slog.String("route", route), slog.String("model", s.Model), slog.Duration("at", s.At)}
	text := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	text("backend", s.Backend)
	text("reason", string(s.Reason))
	if len(s.Because) > 0 {
		attrs = append(attrs, slog.Any("because", s.Because))
	}
	if s.Try > 0 {
		attrs = append(attrs, slog.Int("try", s.Try), slog.Duration("took", s.Took))
	}
	if s.Wait > 0 {
		attrs = append(attrs, slog.Duration("wait", s.Wait))
	}
	if e, ok := errors.AsType[*chat.Error](s.Err); ok {
		text("kind", e.Kind.String())
		text("code", e.Code)
	}
	// These are of this machine's making.
	if e, ok := errors.AsType[*net.OpError](s.Err); ok {
		text("cause", e.Error())
	} else if e, ok := errors.AsType[*tls.CertificateVerificationError](s.Err); ok {
		text("cause", e.Error())
	}
	log.LogAttrs(ctx, level, "router: "+string(s.What), attrs...)
}
