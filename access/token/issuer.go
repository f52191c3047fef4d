package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bendi/access"
)

// An Issuer signs tokens. Exactly one of Secret, PublicKey, File and URL says
// how that is checked.
type Issuer struct {
	Name       string   // what logs and limits call it
	Issuer     string   // the claim iss of its tokens
	Audience   []string // of which the claim aud has to name one
	Algorithms []string // of [Algorithms]

	Secret    []byte // of HS256 and its like
	PublicKey []byte // in PEM
	File      string // of a JWK set
	URL       string // likewise
	Refresh   time.Duration
	Keep      time.Duration // how long the keys of a URL are used that cannot be fetched anew; 0: an hour
	Client    *http.Client  // that fetches them; nil: one that follows no redirect

	Leeway    time.Duration // that clocks may differ by
	Claims    Claims
	AdminRole string // who has it among the claim of Roles may do what the operator may; empty: nobody may

	Scopes   access.Scopes // most that its tokens open
	Limits   access.Limits // likewise
	Priority int           // likewise
	Inside   bool          // requests never leave the house
}

// Claims are the names of what is read in a token beside what every token has.
// Where a claim is part of another, its name has dots: realm_access.roles. What
// has no name is not read.
type Claims struct {
	User     string // a text; empty: sub
	Routes   string // a list of texts, or one with spaces
	Models   string // likewise
	Roles    string // likewise
	Priority string // a whole number
	Limits   string // an object with the names of [access.Limits]
}

// Algorithms are those that an Issuer may use.
var Algorithms = []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Bounds on keys: shorter ones can be guessed or computed.
const (
	MinSecret  = 32   // bytes
	MinRSABits = 2048 // of the modulus
)

// Check returns everything that is wrong with the Issuer, by the names that the
// configuration has for it.
func (i *Issuer) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if i.Issuer == "" {
		bad("issuer is missing: what the claim iss of its tokens has to be")
	}
	if len(i.Audience) == 0 || slices.Contains(i.Audience, "") {
		bad("audience is missing: what the claim aud of its tokens has to name, so that tokens for other services open nothing here")
	}
	if len(i.Algorithms) == 0 {
		bad("algorithms is missing: one or more of %s", strings.Join(Algorithms, ", "))
	}
	symmetric := 0
	for _, a := range i.Algorithms {
		if !slices.Contains(Algorithms, a) {
			bad("algorithms: there is no %q; there are: %s", a, strings.Join(Algorithms, ", "))
		}
		if strings.HasPrefix(a, "HS") {
			symmetric++
		}
	}
	sources := 0
	for _, given := range []bool{len(i.Secret) > 0, len(i.PublicKey) > 0, i.File != "", i.URL != ""} {
		if given {
			sources++
		}
	}
	switch {
	case sources != 1:
		bad("wants one of secret, secret_file, public_key_file, jwks_file and jwks_url, and has %d", sources)
	case symmetric > 0 && len(i.Secret) == 0:
		bad("algorithms: %s take a secret that both sides know, and never a public key", strings.Join(i.Algorithms, ", "))
	case len(i.Secret) > 0 && symmetric != len(i.Algorithms):
		bad("algorithms: with a secret they are HS256, HS384 and HS512 alone")
	case len(i.Secret) > 0 && len(i.Secret) < MinSecret:
		bad("the secret has %d bytes, it needs at least %d; make one with: openssl rand -hex 32", len(i.Secret), MinSecret)
	case len(i.PublicKey) > 0:
		if key, err := parsePublic(i.PublicKey); err != nil {
			bad("public_key_file: %w", err)
		} else {
			for _, a := range i.Algorithms {
				if err := fits(a, key); err != nil {
					bad("public_key_file: %w", err)
				}
			}
		}
	}
	if err := i.Limits.Check(); err != nil {
		bad("limits: %w", err)
	}
	return errors.Join(errs...)
}

func parsePublic(text []byte) (any, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("has no public key in PEM")
	}
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	return nil, fmt.Errorf("has a %s in place of a public key", block.Type)
}

// fits returns why a key is none for an algorithm.
func fits(algorithm string, key any) error {
	curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
	switch k := key.(type) {
	case *rsa.PublicKey:
		if !strings.HasPrefix(algorithm, "RS") && !strings.HasPrefix(algorithm, "PS") {
			break
		}
		if bits := k.N.BitLen(); bits < MinRSABits {
			return fmt.Errorf("the RSA key has %d bits, it needs at least %d", bits, MinRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		if curves[algorithm] == k.Curve {
			return nil
		}
	case ed25519.PublicKey:
		if algorithm == "EdDSA" {
			return nil
		}
	}
	return fmt.Errorf("%s does not take a key of the type %T", algorithm, key)
}
