package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"bendi/access"
	"bendi/router"
)

// A Backend is a server beside this one that answers for its models.
type Backend struct {
	Kind    Kind              `yaml:"kind"`
	URL     string            `yaml:"url"`    // its base URL, or for Ollama its root
	Socket  Path              `yaml:"socket"` // of a unix socket, in place of a host
	Zone    Zone              `yaml:"zone"`   // has no default: it is a decision
	Key     Secret            `yaml:"key"`    // sent as a bearer token
	KeyFile Path              `yaml:"key_file"`
	Headers map[string]Secret `yaml:"headers"` // sent as well
	Link    string            `yaml:"link"`    // that it is asked over, one of the relays; empty: it is asked directly

	Models  map[string]BackendModel `yaml:"models"`  // by the id that routes name, as backend/id
	Context int                     `yaml:"context"` // tokens, of the models that do not say; 0: not known

	KeepAlive Duration `yaml:"keep_alive"` // that Ollama keeps a model loaded after a request; 0: as it is set, below 0: for ever

	Mask map[string]Mask `yaml:"mask"` // what becomes of personal data, by kind, [Other] or [Media]; of one outside alone

	MaxConns       int      `yaml:"max_conns"`
	MaxIdle        int      `yaml:"max_idle"`
	ConnectTimeout Duration `yaml:"connect_timeout"`
	FirstToken     Duration `yaml:"first_token_timeout"` // 0: as long as there is for all backends together
	ReadTimeout    Duration `yaml:"read_timeout"`        // of silence within an answer
	Proxy          string   `yaml:"proxy"`               // the environment's is never used
	CAFile         Path     `yaml:"ca_file"`             // of certificates to trust, in place of the system's

	Weight  int     `yaml:"weight"`
	Prefill bool    `yaml:"prefill"` // it goes on with a last message of the assistant's
	Probe   string  `yaml:"probe"`   // a path below the URL that is asked now and then, or [Off]
	Breaker Breaker `yaml:"breaker"`

	Process Process `yaml:"process"` // that is started here; without a command: it runs already
}

// A BackendModel is a model of a backend. Written as a text, it is its name
// there.
type BackendModel struct {
	Name    string `yaml:"name"`    // there; empty: the same
	Context int    `yaml:"context"` // tokens; 0: not known
}

// A Breaker says when a backend that fails is left alone.
type Breaker struct {
	Failures int      `yaml:"failures"` // in a row
	Cooldown Duration `yaml:"cooldown"` // the first time; it doubles, up to a minute
}

// A RouteModel is a model of a route. Written as a text, it is a model here or
// backend/model. With Tiers it is a name for several: those of a tier are asked
// where none before it can be.
type RouteModel struct {
	ID       string     `yaml:"id"`
	Tiers    [][]string `yaml:"tiers"`
	Balance  Balance    `yaml:"balance"`  // between those of a tier
	Hedge    bool       `yaml:"hedge"`    // a second one is asked as well where the first is slow
	Continue bool       `yaml:"continue"` // another one goes on with an answer that broke off
}

// An Egress says what may be asked of backends outside. Written as a text, it
// is about everything alike.
type Egress struct {
	Route   Permission            `yaml:"route"`
	Classes map[string]Permission `yaml:"classes"` // that data of a class has at most: pii.phone, pii, a category of the lexicons, or Other
	Keys    map[string]Permission `yaml:"keys"`    // that an access key has at most, by its name; Other is everybody else
}

// Media stands for images, sound and files, among what is masked.
const Media = "media"

// A Kind is the protocol of a backend: openai or ollama.
type Kind string

// A Zone is inside or outside.
type Zone string

// A Mask is allow, mask, mask_irreversible or deny.
type Mask string

// A Permission is never, masked or allowed.
type Permission string

// A Balance is least_busy, weighted or affine.
type Balance string

// Values lists every Kind.
func (Kind) Values() []string { return []string{"openai", "ollama"} }

// Values lists every Zone.
func (Zone) Values() []string { return []string{"inside", "outside"} }

// Values lists every Mask.
func (Mask) Values() []string { return []string{"allow", "mask", "mask_irreversible", "deny"} }

// Values lists every Permission.
func (Permission) Values() []string { return []string{"never", "masked", "allowed"} }

// Values lists every Balance.
func (Balance) Values() []string { return []string{"least_busy", "weighted", "affine"} }

// Outside reports whether what is asked of b leaves the house.
func (b Backend) Outside() bool { return b.Zone != "inside" }

// Masked reports whether b is outside and personal data is kept from it.
func (b Backend) Masked() bool { return b.Outside() && b.Mask[Other] != "allow" }

// Targets returns who may answer for m, in the order of the tiers.
func (m RouteModel) Targets() []string {
	if len(m.Tiers) == 0 {
		return []string{m.ID}
	}
	return slices.Concat(m.Tiers...)
}

// MarshalYAML writes m as short as it may be written.
func (m RouteModel) MarshalYAML() (any, error) {
	if len(m.Tiers) == 0 {
		return m.ID, nil
	}
	type long RouteModel
	return long(m), nil
}

// complete fills in what m leaves to others.
func (m *RouteModel) complete() {
	if len(m.Tiers) > 0 && m.Balance == "" {
		m.Balance = "least_busy"
	}
}

// IDs returns the names of the models of r.
func (r Route) IDs() []string {
	ids := make([]string, len(r.Models))
	for i, m := range r.Models {
		ids[i] = m.ID
	}
	return ids
}

// Policy returns e as the router has it. What it says has been checked.
func (e Egress) Policy() router.Egress {
	p := func(p Permission) router.Permission {
		parsed, _ := router.ParsePermission(string(p)) // else Never
		return parsed
	}
	all := func(m map[string]Permission) map[string]router.Permission {
		out := make(map[string]router.Permission, len(m))
		for name, perm := range m {
			out[name] = p(perm)
		}
		return out
	}
	return router.Egress{Route: p(e.Route), Classes: all(e.Classes), Principals: all(e.Keys)}
}

// Backend returns the backend and the model that a target is; ok is false for
// a model that runs here.
func (c *Config) Backend(target string) (name, id string, b Backend, ok bool) {
	name, id, ok = strings.Cut(target, "/")
	if b, is := c.Backends[name]; ok && is {
		if _, is := b.Models[id]; is {
			return name, id, b, true
		}
	}
	return "", "", Backend{}, false
}

// Targets returns the ids that routes may name: those of [Config.Offered], and
// each model of a backend as backend/model.
func (c *Config) Targets() map[string]bool {
	ids := c.Offered()
	for name, b := range c.Backends {
		for id := range b.Models {
			ids[name+"/"+id] = true
		}
	}
	return ids
}

// backendDefaults is what a backend has that says nothing else.
func backendDefaults() Backend {
	return Backend{
		Kind: "openai", Headers: map[string]Secret{}, Mask: map[string]Mask{}, MaxConns: 100, MaxIdle: 20,
		ConnectTimeout: Duration(10e9), ReadTimeout: Duration(300e9), Weight: 1, Breaker: Breaker{Failures: 5, Cooldown: Duration(1e9)},
		Process: processDefaults(),
	}
}

// completeBackends fills in what the backends and the routes leave to others.
func (c *Config) completeBackends() {
	if c.Backends == nil {
		c.Backends = map[string]Backend{}
	}
	for name, b := range c.Backends {
		for id, m := range b.Models {
			if m.Name == "" {
				m.Name = id
			}
			if m.Context == 0 && b.Context >= minContext { // what is wrong is said once
				m.Context = b.Context
			}
			b.Models[id] = m
		}
		if b.Starts() && b.Zone == "" {
			b.Zone = "inside"
		}
		switch {
		case b.Probe != "":
		case b.Starts():
			b.Probe = Off // its health is known
		case b.Outside():
			b.Probe = Off // nothing leaves that nobody has asked for
		case b.Kind == "ollama":
			b.Probe = "api/version"
		default:
			b.Probe = "models"
		}
		c.Backends[name] = b
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Egress.Route == "" {
			r.Egress.Route = "never"
		}
		if r.Egress.Classes == nil {
			r.Egress.Classes = map[string]Permission{}
		}
		if r.Egress.Keys == nil {
			r.Egress.Keys = map[string]Permission{}
		}
		for j := range r.Models {
			r.Models[j].complete()
		}
	}
}

const (
	maxTargets  = 64 // of a model of a route
	maxWeight   = 1000
	letters     = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	maxLongWait = time.Hour
)

func (c *Config) checkBackends(bad bad) {
	for _, name := range slices.Sorted(maps.Keys(c.Backends)) {
		b, key := c.Backends[name], join("backends", name)
		if !isName(name, maxID, letters) {
			bad(key, "the name of a backend has letters, digits, dots, dashes and underscores, at most %d, and begins with a letter or digit", maxID)
		}
		one(bad, key+".kind", b.Kind)
		if b.Zone == "" {
			bad(key+".zone", "is missing: inside where what is asked of it stays in the house, or outside")
		} else {
			one(bad, key+".zone", b.Zone)
		}
		if !b.checkProcess(bad, key) {
			b.checkPlace(bad, key)
		}
		for _, h := range slices.Sorted(maps.Keys(b.Headers)) {
			if !isName(h, maxID, letters) || slices.Contains(ownHeaders, strings.ToLower(h)) {
				bad(join(key+".headers", h), "want the name of a header, and none that the request has already (%s)", strings.Join(ownHeaders, ", "))
			}
			if strings.ContainsFunc(b.Headers[h].Reveal(), unicode.IsControl) {
				bad(join(key+".headers", h), "has a control character or a line break in it")
			}
		}
		if strings.ContainsFunc(b.Key.Reveal(), func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
			bad(key+".key", "has a space or a line break in it")
		}
		if len(b.Models) == 0 {
			bad(key+".models", "needs at least one model, such as {chat: the-name-there}")
		}
		for _, id := range slices.Sorted(maps.Keys(b.Models)) {
			m, key := b.Models[id], join(key+".models", id)
			if !isName(id, maxID, letters) {
				bad(key, "a model id has letters, digits, dots, dashes and underscores, at most %d, and begins with a letter or digit; say what it is called there with name", maxID)
			}
			if strings.ContainsFunc(m.Name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
				bad(key+".name", "has a space in it")
			}
			if m.Context != 0 && (m.Context < minContext || m.Context > maxContext) {
				bad(key+".context", "want 0 (not known) or %d to %d tokens, have %d", minContext, maxContext, m.Context)
			}
		}
		for _, kind := range slices.Sorted(maps.Keys(b.Mask)) {
			key := join(key+".mask", kind)
			one(bad, key, b.Mask[kind])
			switch {
			case !b.Outside():
				bad(key, "only what leaves the house is masked, and this backend is inside")
			case kind == Media && b.Mask[kind] != "allow" && b.Mask[kind] != "deny":
				bad(key, "nobody can look into images, sound and files: allow or deny")
			case kind != Media && kind != Other && !slices.Contains(PersonalData, kind):
				bad(key, "no kind of personal data %q%s", kind, suggest(kind, append(slices.Clone(PersonalData), Media)))
			}
		}
		number := func(name string, n, least, most int) {
			if n < least || n > most {
				bad(key+"."+name, "want %d to %d, have %d", least, most, n)
			}
		}
		if b.Context != 0 {
			number("context", b.Context, minContext, maxContext)
		}
		if b.KeepAlive != 0 && b.Kind != "ollama" {
			bad(key+".keep_alive", "is for Ollama alone")
		}
		number("max_conns", b.MaxConns, 1, 10000)
		number("max_idle", b.MaxIdle, 0, 10000)
		number("weight", b.Weight, 1, maxWeight)
		number("breaker.failures", b.Breaker.Failures, 1, 1000)
		span(bad, key+".breaker.cooldown", b.Breaker.Cooldown, 10*time.Millisecond)
		span(bad, key+".connect_timeout", b.ConnectTimeout, 10*time.Millisecond)
		span(bad, key+".read_timeout", b.ReadTimeout, 10*time.Millisecond)
		span(bad, key+".first_token_timeout", b.FirstToken, 0)
		if b.Probe != Off && (strings.ContainsAny(b.Probe, "?# ") || strings.Contains(b.Probe, "..") || strings.Contains(b.Probe, "//")) {
			bad(key+".probe", "want a path below the URL such as models, or off")
		} else if b.Kind == "ollama" && b.Probe != Off && b.Probe != "api/version" {
			bad(key+".probe", "of Ollama is api/version or off")
		}
	}
}

// span checks how long somebody waits.
func span(bad bad, key string, d Duration, least time.Duration) {
	if time.Duration(d) < least || time.Duration(d) > maxLongWait {
		bad(key, "want %v to 1h, have %v", Duration(least), d)
	}
}

// ownHeaders are those that nobody else may set.
var ownHeaders = []string{"accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host", "transfer-encoding", "x-request-id", "x-bendi-principal", "x-bendi-priority"}

// checkPlace checks where a backend is. No URL is shown: it may have a key in
// it.
func (b Backend) checkPlace(bad bad, key string) {
	u, right := baseURL(b.URL)
	switch {
	case b.URL == "" && b.Socket == "":
		bad(key+".url", "is missing: where it answers, such as https://llm.example/v1; or give socket")
	case b.URL != "" && !right:
		bad(key+".url", "%s", baseURLWanted)
	case b.URL != "" && u.Scheme == "http" && b.Outside() && b.Socket == "" && !isLoopback(u.Hostname()):
		bad(key+".url", "is outside of the house and http: all would be sent in the clear; want https")
	case b.URL != "" && b.Kind == "openai" && b.Socket == "" && strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/chat/completions"):
		bad(key+".url", "want the base URL, which /chat/completions is added to")
	}
	if b.Socket != "" && !filepath.IsAbs(string(b.Socket)) {
		bad(key+".socket", "want the absolute path of a unix socket")
	}
	if b.Proxy != "" {
		switch u, err := url.Parse(b.Proxy); {
		case err != nil || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) || u.Host == "" || u.User != nil:
			bad(key+".proxy", "want http, https or socks5 with a host and a port, such as http://proxy.lan:3128, without user and password")
		case b.Socket != "":
			bad(key+".proxy", "there is none on the way to a socket")
		case b.Kind == "ollama":
			bad(key+".proxy", "is not for Ollama")
		}
	}
	if b.CAFile != "" {
		if _, err := os.Stat(string(b.CAFile)); err != nil {
			bad(key+".ca_file", "%v", err)
		} else if b.Kind == "ollama" {
			bad(key+".ca_file", "is not for Ollama")
		}
	}
	if b.Kind == "ollama" && len(b.Headers) > 0 {
		bad(key+".headers", "are not for Ollama; it takes a key alone")
	}
}

const baseURLWanted = "want http or https with a host, such as https://llm.example/v1, without user, query and fragment"

// baseURL reads the URL that what a server is asked for is below; ok is false
// where it is none.
func baseURL(text string) (u *url.URL, ok bool) {
	u, err := url.Parse(text)
	return u, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool { return access.IsLoopback(net.JoinHostPort(host, "0")) }

// checkTiers checks the targets of a model of a route, and reports whether one
// of them is not there.
func (c *Config) checkTiers(bad bad, key string, m RouteModel, targets map[string]bool) (missing bool) {
	ids := slices.Sorted(maps.Keys(targets))
	if !isName(m.ID, maxAlias, letters+"/:") || strings.HasSuffix(m.ID, ":") {
		bad(key+".id", "the name of a model has letters, digits and ._-/:, at most %d, and begins with a letter or digit", maxAlias)
	}
	seen := map[string]bool{}
	prefill := false
	for k, tier := range m.Tiers {
		if len(tier) == 0 {
			bad(fmt.Sprintf("%s.tiers[%d]", key, k), "is empty: want models here or backend/model, such as [%s]", firstID(c.Models))
		}
		for l, id := range tier {
			key := fmt.Sprintf("%s.tiers[%d][%d]", key, k, l)
			if !targets[id] {
				missing = true
				bad(key, "no model %q%s", id, suggest(id, ids))
			} else if seen[id] {
				bad(key, "names %q a second time", id)
			}
			seen[id] = true
			_, _, b, elsewhere := c.Backend(id)
			prefill = prefill || b.Prefill || !elsewhere
		}
	}
	one(bad, key+".balance", m.Balance)
	switch {
	case len(seen) > maxTargets:
		bad(key+".tiers", "there are %d models; at most %d can answer for one another", len(seen), maxTargets)
	case len(seen) < 2 && m.Hedge:
		bad(key+".hedge", "needs a second model to ask")
	case m.Continue && !prefill:
		bad(key+".continue", "needs a backend that goes on with half an answer, as a model here does: give one prefill: true, if it does")
	}
	return missing
}

// checkEgress checks what may leave by a route, and that every model of it may
// be asked at all.
func (c *Config) checkEgress(bad bad, key string, r Route) {
	e := key + ".egress"
	one(bad, e+".route", r.Egress.Route)
	f, filtered := c.Filters[r.Filter]
	for _, class := range slices.Sorted(maps.Keys(r.Egress.Classes)) {
		key := join(e+".classes", class)
		one(bad, key, r.Egress.Classes[class])
		kind, personal := strings.CutPrefix(class, "pii.")
		switch {
		case r.Filter == Off:
			bad(key, "the filter tells which classes of data a request has, and this route has none")
		case personal && !slices.Contains(PersonalData, kind):
			bad(key, "no kind of personal data %q%s", kind, suggest(kind, PersonalData))
		case !personal && class != Other && !isCategory(class):
			bad(key, "%s", categoryWanted)
		case filtered && !f.looksFor(class):
			bad(key, "the filter %s has none as what is done about it, so that nobody looks for it; make it log", r.Filter)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Egress.Keys)) {
		key := join(e+".keys", name)
		one(bad, key, r.Egress.Keys[name])
		user := slices.ContainsFunc(c.Access.JWT, func(j JWT) bool { return strings.HasPrefix(name, j.Name+":") })
		if name != Other && !user && !isName(name, maxID, letters) { // keys come and go while the server runs
			bad(key, "is no name of a key, nor of a user as issuer:user")
		}
	}
	for j, m := range r.Models {
		key := fmt.Sprintf("%s.models[%d]", key, j)
		if len(m.Tiers) == 0 {
			c.checkWay(bad, key, r, m.ID)
		}
		for k, tier := range m.Tiers {
			for l, target := range tier {
				c.checkWay(bad, fmt.Sprintf("%s.tiers[%d][%d]", key, k, l), r, target)
			}
		}
	}
}

// checkWay checks that a target may be asked at all by a route.
func (c *Config) checkWay(bad bad, key string, r Route, target string) {
	_, _, b, ok := c.Backend(target)
	if !ok || !b.Outside() {
		return
	}
	policy := r.Egress.Policy()
	if err := policy.Check("route "+r.Path, router.NewBackend(router.BackendOptions{Name: target, Masked: b.Masked()})); err != nil {
		bad(key, "%v, under egress", err)
	}
}

// looksFor reports whether f looks for all data of a class in requests.
func (f Filter) looksFor(class string) bool {
	personal := func(kind string) bool {
		r, ok := f.Privacy[kind]
		if !ok {
			r = f.Privacy[Other]
		}
		return r.Request != "none"
	}
	words := func(category string) bool {
		r, ok := f.Categories[category]
		if !ok {
			r = f.Categories[Other]
		}
		return !slices.Contains(r.Request, "none")
	}
	switch kind, is := strings.CutPrefix(class, "pii."); {
	case is:
		return personal(kind)
	case class == "pii":
		return !slices.ContainsFunc(PersonalData, func(kind string) bool { return !personal(kind) })
	case class != Other:
		return words(class)
	}
	for category := range f.Categories {
		if !words(category) {
			return false
		}
	}
	return f.looksFor("pii")
}
