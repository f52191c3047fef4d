package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Relays are the relays that links lead to from here, alike to one another.
type Relays struct {
	Addresses []string `yaml:"addresses"` // such as wss://relay.example:8443

	// How this end shows who it is: one of the three.
	Name        string `yaml:"name"`          // with a key
	KeyFile     Path   `yaml:"key_file"`      // of a key that the relay has as well
	TokenFile   Path   `yaml:"token_file"`    // of a JWT; read for each link
	CertFile    Path   `yaml:"cert_file"`     // of a certificate
	CertKeyFile Path   `yaml:"cert_key_file"` // of its private key

	CAFile Path `yaml:"ca_file"` // that the relays' certificates are from; empty: what the system trusts

	MinLinks   int      `yaml:"min_links"`
	MaxLinks   int      `yaml:"max_links"`  // 1: each request has a link of its own
	Rotate     Duration `yaml:"rotate"`     // about how old a link gets
	Congestion string   `yaml:"congestion"` // control of TCP, such as bbr; empty: the machine's
}

// A Relay is what `bendi relay` is told: who may come, and what may be asked.
type Relay struct {
	Listen       string `yaml:"listen"` // host:port
	CertFile     Path   `yaml:"cert_file"`
	CertKeyFile  Path   `yaml:"cert_key_file"`
	ClientCAFile Path   `yaml:"client_ca_file"` // that the certificates of edges are from

	TokenKeyFile Path   `yaml:"token_key_file"` // of the public keys that tokens are checked with
	TokenIssuer  string `yaml:"token_issuer"`   // that tokens have to be from; empty: any that has such a key

	MaxBody    Size     `yaml:"max_body"` // of a request
	Drain      Duration `yaml:"drain"`
	Congestion string   `yaml:"congestion"`

	MetricsListen string `yaml:"metrics_listen"` // host:port where it is told how the relay is; empty: nowhere

	Upstreams map[string]RelayUpstream `yaml:"upstreams"` // by name
	Edges     map[string]RelayEdge     `yaml:"edges"`     // by name
}

// A RelayUpstream is a server that the relay asks.
type RelayUpstream struct {
	URL         string            `yaml:"url"`          // what is below it may be asked for
	KeyFile     Path              `yaml:"key_file"`     // sent as a bearer token, in place of the edge's
	Headers     map[string]Secret `yaml:"headers"`      // sent as well
	PassHeaders []string          `yaml:"pass_headers"` // that edges may send besides the usual ones
	CAFile      Path              `yaml:"ca_file"`
}

// A RelayEdge is an edge that may come, by one of the three ways.
type RelayEdge struct {
	KeyFile     Path     `yaml:"key_file"`    // of a key that the edge has as well
	Certificate bool     `yaml:"certificate"` // that has its name
	Token       bool     `yaml:"token"`       // of which it is the subject
	Upstreams   []string `yaml:"upstreams"`   // that it may ask
}

func relaysDefaults() Relays {
	return Relays{Addresses: []string{}, MinLinks: 8, MaxLinks: 64, Rotate: Duration(90 * time.Minute)}
}

func relayDefaults() Relay {
	return Relay{
		Listen: "127.0.0.1:8443", MaxBody: 64 << 20, Drain: Duration(30 * time.Second),
		Upstreams: map[string]RelayUpstream{}, Edges: map[string]RelayEdge{},
	}
}

func (c *Config) checkRelays(bad bad) {
	for _, name := range slices.Sorted(maps.Keys(c.Relays)) {
		r, key := c.Relays[name], join("relays", name)
		if !isName(name, maxID, letters) {
			bad(key, "a name has letters, digits, dots, dashes and underscores, at most %d, and begins with a letter or digit", maxID)
		}
		if len(r.Addresses) == 0 {
			bad(key+".addresses", "is missing: where the relay is, such as [wss://relay.example:8443]")
		}
		for i, address := range r.Addresses {
			u, err := url.Parse(address)
			if err != nil || u.Scheme != "wss" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
				bad(fmt.Sprintf("%s.addresses[%d]", key, i), "want wss with a host and a port and nothing more, such as wss://relay.example:8443")
			}
		}
		ways := 0
		for _, file := range []Path{r.KeyFile, r.TokenFile, r.CertFile} {
			if file != "" {
				ways++
			}
		}
		switch {
		case ways != 1:
			bad(key, "want one of key_file, token_file and cert_file, which shows the relay who is there; have %d", ways)
		case r.KeyFile != "" && !isName(r.Name, maxID, letters):
			bad(key+".name", "is missing beside key_file: what the relay calls this edge")
		case r.KeyFile == "" && r.Name != "":
			bad(key+".name", "goes with key_file: a token and a certificate say the name themselves")
		case (r.CertFile == "") != (r.CertKeyFile == ""):
			bad(key+".cert_key_file", "cert_file and cert_key_file go together")
		}
		if r.MinLinks < 1 || r.MaxLinks > 256 || r.MinLinks > r.MaxLinks && r.MaxLinks != 1 {
			bad(key+".max_links", "want 1 to 256, and not fewer than min_links; have %d to %d", r.MinLinks, r.MaxLinks)
		}
		if d := time.Duration(r.Rotate); d < time.Minute || d > 7*24*time.Hour {
			bad(key+".rotate", "want 1m to 168h, have %v", r.Rotate)
		}
		files(bad, key, map[string]Path{"key_file": r.KeyFile, "token_file": r.TokenFile, "cert_file": r.CertFile, "cert_key_file": r.CertKeyFile, "ca_file": r.CAFile})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Backends)) {
		b, key := c.Backends[name], join("backends", name)+".link"
		if b.Link == "" {
			continue
		}
		if _, ok := c.Relays[b.Link]; !ok {
			bad(key, "there are no relays %q%s", b.Link, suggest(b.Link, slices.Sorted(maps.Keys(c.Relays))))
		}
		switch {
		case b.Kind == "ollama":
			bad(key, "is not for Ollama; it speaks the protocol openai as well, below /v1")
		case b.Starts() || b.Socket != "":
			bad(key, "goes with url: there is no link to what runs here")
		case b.Proxy != "" || b.CAFile != "":
			bad(key, "the relay asks the backend; proxy and ca_file are set there")
		}
	}
}

func (c *Config) checkRelay(bad bad) {
	r := &c.Relay
	if _, _, err := net.SplitHostPort(r.Listen); err != nil {
		bad("relay.listen", "want host:port such as 0.0.0.0:8443, have %q", r.Listen)
	}
	if _, _, err := net.SplitHostPort(r.MetricsListen); r.MetricsListen != "" && err != nil {
		bad("relay.metrics_listen", "want host:port such as 127.0.0.1:9464, have %q", r.MetricsListen)
	} else if r.MetricsListen == r.Listen {
		bad("relay.metrics_listen", "is %s, where edges connect; want another port", r.Listen)
	}
	if (r.CertFile == "") != (r.CertKeyFile == "") {
		bad("relay.cert_key_file", "cert_file and cert_key_file go together")
	}
	if r.MaxBody < 64<<10 || r.MaxBody > 1<<30 {
		bad("relay.max_body", "want 64KiB to 1GiB, have %v", r.MaxBody)
	}
	if d := time.Duration(r.Drain); d < 0 || d > time.Hour {
		bad("relay.drain", "want 0s to 1h, have %v", r.Drain)
	}
	files(bad, "relay", map[string]Path{"cert_file": r.CertFile, "cert_key_file": r.CertKeyFile, "client_ca_file": r.ClientCAFile, "token_key_file": r.TokenKeyFile})
	for _, name := range slices.Sorted(maps.Keys(r.Upstreams)) {
		up, key := r.Upstreams[name], join("relay.upstreams", name)
		if _, ok := baseURL(up.URL); !ok {
			bad(key+".url", "%s", baseURLWanted)
		}
		files(bad, key, map[string]Path{"key_file": up.KeyFile, "ca_file": up.CAFile})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Edges)) {
		e, key := r.Edges[name], join("relay.edges", name)
		if !isName(name, maxID, letters) {
			bad(key, "a name has letters, digits, dots, dashes and underscores, at most %d, and begins with a letter or digit", maxID)
		}
		switch {
		case e.KeyFile == "" && !e.Certificate && !e.Token:
			bad(key, "nothing says how it shows who it is: want key_file, certificate: true or token: true")
		case e.Certificate && r.ClientCAFile == "":
			bad(key+".certificate", "needs relay.client_ca_file: who signs the certificates of edges")
		case e.Token && r.TokenKeyFile == "":
			bad(key+".token", "needs relay.token_key_file: what tokens are checked with")
		}
		files(bad, key, map[string]Path{"key_file": e.KeyFile})
		for i, up := range e.Upstreams {
			if _, ok := r.Upstreams[up]; !ok {
				bad(fmt.Sprintf("%s.upstreams[%d]", key, i), "there is no upstream %q%s", up, suggest(up, slices.Sorted(maps.Keys(r.Upstreams))))
			}
		}
	}
}

// files checks that files are there, by their keys.
func files(bad bad, key string, all map[string]Path) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] == "" {
			continue
		}
		if _, err := os.Stat(string(all[name])); err != nil {
			bad(join(key, name), "%v", err)
		}
	}
}
