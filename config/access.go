package config

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"bendi/access"
)

// Access says who may ask.
type Access struct {
	Keys     []Key        `yaml:"keys"`
	JWT      []JWT        `yaml:"jwt"`
	OnRevoke RevokePolicy `yaml:"on_revoke"` // what happens to the running answers of a key or token that is revoked

	FailuresPerMinute int `yaml:"failures_per_minute"` // wrong keys from one address before it is told to wait; 0: it never is
}

// A Key is an API key. After Load, Key holds the secret wherever it was
// written down.
type Key struct {
	Name    string `yaml:"name"`
	Key     Secret `yaml:"key"`
	KeyFile Path   `yaml:"key_file"`

	Priority int      `yaml:"priority"` // of its requests; above 0 goes before others
	Admin    bool     `yaml:"admin"`    // may have done what the operator may
	Metrics  bool     `yaml:"metrics"`  // may read the metrics
	User     string   `yaml:"user"`     // whose requests are counted together; empty: nobody is named
	Inside   bool     `yaml:"inside"`   // its requests never leave the house
	Routes   []string `yaml:"routes"`   // that it may use; none: all
	Models   []string `yaml:"models"`   // likewise
	Limits   Limits   `yaml:"limits"`   // what is 0 is as of limits.each_key
}

// Identity returns who the key is of.
func (k Key) Identity() access.Identity {
	who := access.Identity{Name: k.Name, User: k.User, Admin: k.Admin, Metrics: k.Metrics, Priority: k.Priority, Inside: k.Inside, Scopes: scopes(k.Routes, k.Models), Limits: k.Limits.Access()}
	return who.Narrowed()
}

// scopes makes the Scopes of two lists, of which an empty one is everything.
func scopes(routes, models []string) (s access.Scopes) {
	if len(routes) > 0 {
		s.Routes = routes
	}
	if len(models) > 0 {
		s.Models = models
	}
	return s
}

// A JWT says whose signed tokens are taken for keys, and what they may open.
type JWT struct {
	Name       string         `yaml:"name"`
	Issuer     string         `yaml:"issuer"`
	Audience   []string       `yaml:"audience"`
	Algorithms []JWTAlgorithm `yaml:"algorithms"`

	Secret        Secret `yaml:"secret"`
	SecretFile    Path   `yaml:"secret_file"`
	PublicKeyFile Path   `yaml:"public_key_file"`
	JWKSURL       string `yaml:"jwks_url"`
	JWKSFile      Path   `yaml:"jwks_file"`

	Refresh Duration `yaml:"refresh"` // how old the keys of jwks_url may become before they are fetched anew; empty: 5m
	Keep    Duration `yaml:"keep"`    // how long they are used where they cannot be; empty: 1h
	Leeway  Duration `yaml:"leeway"`  // that clocks may differ by; empty: 60s

	Claims    JWTClaims `yaml:"claims"`
	AdminRole string    `yaml:"admin_role"` // that makes an operator of a user; empty: nothing does

	Routes   []string `yaml:"routes"` // most that a token opens; none: all
	Models   []string `yaml:"models"` // likewise
	Limits   Limits   `yaml:"limits"`
	Priority int      `yaml:"priority"`
	Inside   bool     `yaml:"inside"`
}

// Scopes are the most that a token opens.
func (j JWT) Scopes() access.Scopes { return scopes(j.Routes, j.Models) }

// JWTClaims name what is read in a token. A claim within another is written with
// dots.
type JWTClaims struct {
	User     string `yaml:"user"` // empty: sub
	Routes   string `yaml:"routes"`
	Models   string `yaml:"models"`
	Roles    string `yaml:"roles"`
	Priority string `yaml:"priority"`
	Limits   string `yaml:"limits"`
}

// Limits are how much may be asked; 0 is no limit.
type Limits struct {
	RequestsPerMinute int `yaml:"requests_per_minute"`
	TokensPerMinute   int `yaml:"tokens_per_minute"`
	RequestsPerDay    int `yaml:"requests_per_day"`
	TokensPerDay      int `yaml:"tokens_per_day"`
	Concurrent        int `yaml:"concurrent"` // requests at once
}

// Access returns the limits as package access has them.
func (l Limits) Access() access.Limits {
	return access.Limits{
		RequestsPerMinute: int64(l.RequestsPerMinute), TokensPerMinute: int64(l.TokensPerMinute),
		RequestsPerDay: int64(l.RequestsPerDay), TokensPerDay: int64(l.TokensPerDay), Concurrent: int64(l.Concurrent),
	}
}

// Counting says how requests are counted, and how many each may ask.
type Counting struct {
	Store    LimitStore  `yaml:"store"`
	WhenDown CountPolicy `yaml:"when_down"` // what happens while redis cannot be reached
	DayZone  string      `yaml:"day_zone"`  // time zone whose days are counted
	EachKey  Limits      `yaml:"each_key"`  // of a key or token that has none of its own
	EachUser Limits      `yaml:"each_user"` // of all keys and tokens of a user together
}

type (
	RevokePolicy string // cut or finish
	JWTAlgorithm string // such as RS256
	LimitStore   string // local or redis
	CountPolicy  string // local or refuse
)

// Values lists every RevokePolicy.
func (RevokePolicy) Values() []string { return []string{"cut", "finish"} }

// Values lists every JWTAlgorithm.
func (JWTAlgorithm) Values() []string {
	return []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// Values lists every LimitStore.
func (LimitStore) Values() []string { return []string{"local", "redis"} }

// Values lists every CountPolicy.
func (CountPolicy) Values() []string { return []string{"local", "refuse"} }

func countingDefaults() Counting {
	return Counting{Store: "local", WhenDown: "local", DayZone: "UTC"}
}

// jwtSecrets reads the secrets of tokens that lie in files.
func (d *decoder) jwtSecrets(c *Config) {
	for i := range c.Access.JWT {
		j, key := &c.Access.JWT[i], fmt.Sprintf("access.jwt[%d].secret", i)
		_, both := d.places[key]
		if text, ok := d.secretIn(j.SecretFile, key, key+"_file", both); ok {
			j.Secret = NewSecret(strings.TrimRight(text, "\r\n"))
		}
	}
}

const (
	minJWTSecret = 32 // bytes
	maxScopes    = 256
	maxFailures  = 100_000
)

func (c *Config) checkAccess(bad bad) {
	one(bad, "access.on_revoke", c.Access.OnRevoke)
	if n := c.Access.FailuresPerMinute; n < 0 || n > maxFailures {
		bad("access.failures_per_minute", "want 0 (no limit) to %d, have %d", maxFailures, n)
	}
	c.checkKeys(bad)
	for i := range c.Access.JWT {
		c.Access.JWT[i].check(bad, fmt.Sprintf("access.jwt[%d]", i), c.Access.JWT[:i])
	}
	for i, r := range c.Routes {
		r.Limits.check(bad, fmt.Sprintf("routes[%d].limits", i))
	}
	l := c.Limits
	one(bad, "limits.store", l.Store)
	one(bad, "limits.when_down", l.WhenDown)
	if l.Store == "redis" && len(c.Stores.Redis.Addresses) == 0 {
		bad("limits.store", "is redis, and nothing says where that is; give stores.redis.addresses, such as [127.0.0.1:6379]")
	}
	if _, err := time.LoadLocation(l.DayZone); err != nil || l.DayZone == "" || l.DayZone == "Local" {
		bad("limits.day_zone", "want UTC or a time zone such as Asia/Shanghai, have %q", l.DayZone)
	}
	l.EachKey.check(bad, "limits.each_key")
	l.EachUser.check(bad, "limits.each_user")
}

func (l Limits) check(bad bad, key string) {
	for name, v := range settings(reflect.ValueOf(l)) {
		if n := v.Int(); n < 0 || n > access.MaxLimit {
			bad(key+"."+name, "want 0 (no limit) to %d, have %d", int64(access.MaxLimit), n)
		}
	}
}

// checkKeys checks the API keys.
func (c *Config) checkKeys(bad bad) {
	var keys access.Keys
	for i, k := range c.Access.Keys {
		key := fmt.Sprintf("access.keys[%d]", i)
		checkPriority(bad, key, k.Priority)
		k.Limits.check(bad, key+".limits")
		c.checkScopes(bad, key, k.Routes, k.Models)
		if len(k.User) > maxAlias || strings.ContainsFunc(k.User, isControl) {
			bad(key+".user", "a user has at most %d bytes and no control characters", maxAlias)
		}
		switch {
		case k.Name == "":
			bad(key+".name", "is missing: what logs and limits call the key")
		case !isName(k.Name, maxID, letters):
			bad(key+".name", "a name has letters, digits, dots, dashes and underscores, at most %d, and begins with a letter or digit", maxID)
		case k.Key.IsZero():
			bad(key+".key", "is missing: write \"${BENDI_API_KEY}\", the name of an environment variable, or give key_file")
		default:
			if err := keys.Add(access.Identity{Name: k.Name}, k.Key.Reveal()); err != nil && k.KeyFile != "" {
				bad(key+".key_file", "%v", err)
			} else if err != nil {
				bad(key+".key", "%v", err)
			}
		}
	}
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// checkScopes checks what a key may use: each entry has to be of something, or
// end in * for what there may come to be.
func (c *Config) checkScopes(bad bad, key string, routes, models []string) {
	paths := c.Paths()
	for i, route := range routes {
		if !strings.HasSuffix(route, "*") && !slices.Contains(paths, route) {
			bad(fmt.Sprintf("%s.routes[%d]", key, i), "no route %q%s", route, suggest(route, paths))
		}
	}
	for i, model := range models {
		if model == "" || len(model) > maxAlias || strings.ContainsFunc(model, isControl) {
			bad(fmt.Sprintf("%s.models[%d]", key, i), "want the id of a model, or its beginning and *")
		}
	}
	if n := max(len(routes), len(models)); n > maxScopes {
		bad(key, "has %d routes or models, at most %d are looked at", n, maxScopes)
	}
}

func (j *JWT) check(bad bad, key string, before []JWT) {
	checkPriority(bad, key, j.Priority)
	j.Limits.check(bad, key+".limits")
	switch {
	case !isName(j.Name, maxID, letters):
		bad(key+".name", "what logs call the issuer: letters, digits, dots, dashes and underscores, at most %d, beginning with a letter or digit", maxID)
	case slices.ContainsFunc(before, func(o JWT) bool { return o.Name == j.Name }):
		bad(key+".name", "two issuers are called %q", j.Name)
	}
	if j.Issuer == "" {
		bad(key+".issuer", "is missing: what the claim iss of its tokens is, such as https://login.example.com/realms/main")
	}
	if len(j.Audience) == 0 || slices.Contains(j.Audience, "") {
		bad(key+".audience", "is missing: what the claim aud of its tokens names, such as [bendi], so that tokens for other services open nothing here")
	}
	if len(j.Algorithms) == 0 {
		bad(key+".algorithms", "is missing: those that it signs with, such as [RS256]")
	}
	for i, a := range j.Algorithms {
		one(bad, fmt.Sprintf("%s.algorithms[%d]", key, i), a)
		if symmetric := strings.HasPrefix(string(a), "HS"); symmetric != (!j.Secret.IsZero() || j.SecretFile != "") {
			if symmetric {
				bad(fmt.Sprintf("%s.algorithms[%d]", key, i), "%s takes a secret that both sides know, in secret or secret_file, and never a public key", a)
			} else {
				bad(fmt.Sprintf("%s.algorithms[%d]", key, i), "%s takes a public key; with a secret there are HS256, HS384 and HS512", a)
			}
		}
	}
	sources := 0
	for _, given := range []bool{!j.Secret.IsZero() || j.SecretFile != "", j.PublicKeyFile != "", j.JWKSURL != "", j.JWKSFile != ""} {
		if given {
			sources++
		}
	}
	if sources != 1 {
		bad(key, "want one of secret, secret_file, public_key_file, jwks_url and jwks_file, have %d of them", sources)
	}
	if n := len(j.Secret.Reveal()); (!j.Secret.IsZero() || j.SecretFile != "") && n < minJWTSecret {
		at := key + ".secret"
		if j.SecretFile != "" {
			at = key + ".secret_file"
		}
		bad(at, "the secret has %d bytes, it needs at least %d; make one with: openssl rand -hex 32", n, minJWTSecret)
	}
	if j.JWKSURL != "" {
		u, err := url.Parse(j.JWKSURL)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
			bad(key+".jwks_url", "want a URL that begins with https://; http:// will do on this machine alone")
		}
	}
	for name, d := range map[string]Duration{"refresh": j.Refresh, "keep": j.Keep, "leeway": j.Leeway} {
		if t := time.Duration(d); t < 0 || t > 24*time.Hour || name == "leeway" && t > 10*time.Minute {
			bad(key+"."+name, "want up to 24h, and of leeway up to 10m, have %v", d)
		}
	}
}
