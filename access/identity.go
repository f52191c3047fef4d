package access

import (
	"strings"
	"time"
)

// An Identity is who asks, as far as a secret has shown it.
type Identity struct {
	Name     string // of the key, or of a token's issuer and user; what logs and limits call it
	User     string // whose requests are counted together, whichever key they come with; empty: nobody is named
	Admin    bool   // may have done what the operator may
	Metrics  bool   // may read the metrics
	Priority int    // of its requests; above 0 goes before others
	Inside   bool   // its requests never leave the house
	Scopes   Scopes
	Limits   Limits
	Proof    Proof
}

// A Proof is what has shown who asks, as far as that can be taken back. The zero
// Proof is of a key of the configuration.
type Proof struct {
	Made   bool      // a key of the [Store]
	Issuer string    // of a token, by its name; empty: there was no token
	ID     string    // of the token, its jti; may be empty
	Issued time.Time // likewise, its iat; zero: it does not say
}

// Narrowed returns who, with no route where that may read the metrics and says of
// no route that it may use it: a key for a scraper is for that alone.
func (who Identity) Narrowed() Identity {
	if who.Metrics && !who.Admin && who.Scopes.Routes == nil {
		who.Scopes.Routes = []string{}
	}
	return who
}

// MaxPriority is the highest priority there is, and the lowest below 0.
const MaxPriority = 10

// Scopes are what an Identity may use: route paths and model ids, each of which
// may end in * for all that begins so. A nil list is everything, an empty one
// nothing.
type Scopes struct {
	Routes []string `json:"routes,omitzero"`
	Models []string `json:"models,omitzero"`
}

// Route reports whether the route at a path may be used.
func (s Scopes) Route(path string) bool { return allows(s.Routes, path) }

// Model reports whether the model of an id may be used.
func (s Scopes) Model(id string) bool { return allows(s.Models, id) }

// Within returns what both s and outer allow.
func (s Scopes) Within(outer Scopes) Scopes {
	return Scopes{common(s.Routes, outer.Routes), common(s.Models, outer.Models)}
}

func allows(patterns []string, name string) bool {
	if patterns == nil {
		return true
	}
	for _, p := range patterns {
		if covers(p, name) {
			return true
		}
	}
	return false
}

// covers reports whether all that the pattern narrow matches, wide does as well.
func covers(wide, narrow string) bool {
	stem, all := strings.CutSuffix(wide, "*")
	return wide == narrow || all && strings.HasPrefix(narrow, stem)
}

// common returns patterns of what is allowed by both lists. Of any two patterns
// one covers the other or they have nothing in common, since a * only ever ends
// one.
func common(a, b []string) []string {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	both := []string{}
	for _, p := range a {
		for _, q := range b {
			switch {
			case covers(q, p):
				both = append(both, p)
			case covers(p, q):
				both = append(both, q)
			}
		}
	}
	return both
}

// A Refusal is why a secret opens nothing. Its text is for whoever sent it, and
// holds nothing of the secret.
type Refusal struct {
	Code string // for programs, such as "invalid_api_key"
	Text string // what is wrong and what to do
	Now  bool   // it could not be looked at now; later it may open

	Err error // the cause, for the log alone; may be nil
}

func (r *Refusal) Error() string {
	if r.Err != nil {
		return r.Text + ": " + r.Err.Error()
	}
	return r.Text
}

func (r *Refusal) Unwrap() error { return r.Err }

// MaxSecretLength is the longest secret, in bytes, that is looked at.
const MaxSecretLength = 8 << 10

// Codes of secrets that open nothing.
const (
	invalidKey   = "invalid_api_key" // nobody knows it
	revokedKey   = "revoked_api_key"
	revokedToken = "revoked_token"
)

// RevokedToken is why a token opens nothing that was revoked.
func RevokedToken() *Refusal {
	return &Refusal{Code: revokedToken, Text: "The token was revoked. Get another where you got it."}
}

func unknown() *Refusal {
	return &Refusal{Code: invalidKey, Text: "The API key is not known here. Ask whoever runs this server for one."}
}
