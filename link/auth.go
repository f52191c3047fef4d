package link

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// LeastKey is how many bytes a shared key has at least.
const LeastKey = 32

// TokenAudience is who tokens of edges have to be for.
const TokenAudience = "bendi-link"

// What an edge and a relay say to one another before there is a link.
const (
	keyScheme      = "Bendi-Key " // and the name of the edge, a colon, and the proof
	headerSession  = "X-Bendi-Session"
	headerLink     = "X-Bendi-Link" // its number among those of the session
	headerProof    = "X-Bendi-Proof"
	headerLifetime = "X-Bendi-Lifetime" // seconds that the link may last
	linkPath       = "/link"
)

// An id names a session. The edge chooses one, and the relay another, which
// changes where it has begun anew.
type id [16]byte

func newID() (i id) {
	rand.Read(i[:]) // never fails
	return i
}

func (i id) String() string { return hex.EncodeToString(i[:]) }

func parseID(s string) (i id, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(i) {
		return i, false
	}
	return id(b), true
}

// prove returns what only who has the key can know, of this connection alone:
// both sides have taken part in the secret that TLS exports, so a proof that
// was heard is of no use on another connection, nor to who stands between.
func prove(state *tls.ConnectionState, key []byte, side, name string, ids ...id) (string, error) {
	secret, err := state.ExportKeyingMaterial("EXPORTER-bendi-link", nil, 32)
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "bendi link 1\n%s\n%x\n%q\n", side, secret, name)
	for _, i := range ids {
		h.Write(i[:])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// An Identity is how an edge shows who it is. It has one of the three.
type Identity struct {
	Name        string                 // with a key
	Key         []byte                 // that the relay has as well
	Token       func() (string, error) // a JWT; asked for each link
	Certificate *tls.Certificate
}

func (i Identity) check() error {
	n := 0
	for _, has := range []bool{i.Key != nil, i.Token != nil, i.Certificate != nil} {
		if has {
			n++
		}
	}
	switch {
	case n != 1:
		return fmt.Errorf("an edge shows who it is by a key, a token or a certificate, one of them; %d are given", n)
	case i.Key != nil && len(i.Key) < LeastKey:
		return fmt.Errorf("the key of the link has %d bytes, and at least %d are needed; make one with: openssl rand -hex 32", len(i.Key), LeastKey)
	case i.Key != nil && !isName(i.Name):
		return errors.New("an edge with a key needs a name, of letters, digits, dots, dashes and underscores")
	}
	return nil
}

// sign puts into a header who the edge is.
func (i Identity) sign(h http.Header, state *tls.ConnectionState, session id) error {
	h.Set(headerSession, session.String())
	switch {
	case i.Key != nil:
		proof, err := prove(state, i.Key, "edge", i.Name, session)
		if err != nil {
			return err
		}
		h.Set("Authorization", keyScheme+i.Name+":"+proof)
	case i.Token != nil:
		token, err := i.Token()
		if err != nil {
			return fmt.Errorf("reading the token: %w", err)
		}
		if token = strings.TrimSpace(token); token == "" || strings.ContainsAny(token, "\r\n \t") {
			return fmt.Errorf("the token has %d characters, and is none", len(token))
		}
		h.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// confirm checks that the relay has the key as well.
func (i Identity) confirm(h http.Header, state *tls.ConnectionState, session, instance id) error {
	if i.Key == nil {
		return nil
	}
	want, err := prove(state, i.Key, "relay", i.Name, session, instance)
	if err == nil && !hmac.Equal([]byte(want), []byte(h.Get(headerProof))) {
		err = errors.New("the relay does not show that it has the key: it is another one, or something stands between")
	}
	return err
}

func isName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// A visitor is an edge that has shown who it is.
type visitor struct {
	name  string
	until time.Time // that it counts; zero: no end
	proof func(session, instance id) (string, error)
}

// admit returns who asks for a link. What is wrong is for the log alone.
func (r *Relay) admit(req *http.Request) (v visitor, err error) {
	credentials := req.Header.Values("Authorization")
	switch {
	case len(credentials) > 1:
		return v, fmt.Errorf("it has %d headers Authorization", len(credentials))
	case len(credentials) == 1 && strings.HasPrefix(credentials[0], keyScheme):
		return r.admitKey(req, strings.TrimPrefix(credentials[0], keyScheme))
	case len(credentials) == 1:
		token, ok := strings.CutPrefix(credentials[0], "Bearer ")
		if !ok {
			return v, errors.New("its header Authorization is neither a key's nor a token's")
		}
		return r.admitToken(token)
	case len(req.TLS.VerifiedChains) == 0:
		return v, errors.New("it shows no key, token or certificate")
	}
	leaf := req.TLS.VerifiedChains[0][0]
	for _, name := range append(leaf.DNSNames, leaf.Subject.CommonName) {
		if e, ok := r.edges[name]; ok && e.Certificate {
			return visitor{name: name, until: leaf.NotAfter}, nil
		}
	}
	return v, errors.New("its certificate is of no edge that there is")
}

func (r *Relay) admitKey(req *http.Request, text string) (v visitor, err error) {
	name, proof, _ := strings.Cut(text, ":")
	session, ok := parseID(req.Header.Get(headerSession))
	e := r.edges[name]
	if !ok || e == nil || len(e.Key) < LeastKey {
		return v, errors.New("it names no edge that has a key")
	}
	want, err := prove(req.TLS, e.Key, "edge", name, session)
	if err != nil {
		return v, err
	}
	if !hmac.Equal([]byte(want), []byte(proof)) {
		return v, fmt.Errorf("it has not the key of the edge %s", name)
	}
	return visitor{name: name, proof: func(session, instance id) (string, error) {
		return prove(req.TLS, e.Key, "relay", name, session, instance)
	}}, nil
}

func (r *Relay) admitToken(text string) (v visitor, err error) {
	if len(r.tokenKeys) == 0 {
		return v, errors.New("it shows a token, and there is no key to check it with")
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}),
		jwt.WithAudience(TokenAudience), jwt.WithExpirationRequired(), jwt.WithLeeway(5 * time.Second),
	}
	if r.o.TokenIssuer != "" {
		options = append(options, jwt.WithIssuer(r.o.TokenIssuer))
	}
	claims := jwt.RegisteredClaims{}
	_, err = jwt.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) {
		return jwt.VerificationKeySet{Keys: r.tokenKeys}, nil
	}, options...)
	if err != nil {
		return v, fmt.Errorf("its token: %w", err)
	}
	e := r.edges[claims.Subject]
	if e == nil || !e.Token {
		return v, errors.New("its token is of no edge that there is")
	}
	return visitor{name: claims.Subject, until: claims.ExpiresAt.Time}, nil
}

// tokenKeysOf returns keys as the parser of tokens has them.
func tokenKeysOf(keys []crypto.PublicKey) []jwt.VerificationKey {
	var out []jwt.VerificationKey
	for _, k := range keys {
		out = append(out, k)
	}
	return out
}
