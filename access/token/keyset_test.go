package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bendi/access"
)

// A jwk is a key by its kid.
type jwk struct {
	kid string
	key *ecdsa.PrivateKey
}

func newJWK(t *testing.T, kid string) jwk {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jwk{kid, key}
}

// setOf writes public keys as a JWK set, with other kinds of entries between.
func setOf(keys ...jwk) string {
	all := []map[string]string{
		{"kty": "oct", "kid": "symmetric", "k": "AAAA"},
		{"kty": "OKP", "crv": "X448", "kid": "strange", "x": "AAAA"},
	}
	for _, k := range keys {
		point, _ := k.key.PublicKey.Bytes()
		all = append(all, map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": k.kid,
			"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:])})
	}
	text, _ := json.Marshal(map[string]any{"keys": all})
	return string(text)
}

func (k jwk) sign(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	text, err := Sign("ES256", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), k.kid, map[string]any{"iss": "i", "aud": "a", "sub": "ann", "exp": now + 24*3600})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A keyHost answers with a JWK set, or not, and counts how often it was asked.
type keyHost struct {
	set   atomic.Value // string; empty: it is down
	asked atomic.Int64
}

func (h *keyHost) RoundTrip(req *http.Request) (*http.Response, error) {
	h.asked.Add(1)
	rec := httptest.NewRecorder()
	set, _ := h.set.Load().(string)
	if set == "" {
		return nil, errors.New("connection refused")
	}
	fmt.Fprint(rec, set)
	return rec.Result(), nil
}

func (h *keyHost) verifier(t *testing.T) *Verifier {
	t.Helper()
	v, err := New([]Issuer{{Name: "n", Issuer: "i", Audience: []string{"a"}, Algorithms: []string{"ES256"}, URL: "https://keys.example/set",
		Refresh: 5 * time.Minute, Keep: time.Hour, Client: &http.Client{Transport: h}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestKeySetRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := newJWK(t, "old"), newJWK(t, "next")
		h := new(keyHost)
		h.set.Store(setOf(old))
		v := h.verifier(t)
		takes := func(k jwk) bool { _, err := v.Check(t.Context(), k.sign(t)); return err == nil }
		if !takes(old) || takes(next) || h.asked.Load() != 1 {
			t.Fatalf("at first: asked %d times", h.asked.Load())
		}
		h.set.Store(setOf(old, next))
		time.Sleep(unknownEvery)
		if !takes(next) || h.asked.Load() != 2 {
			t.Error("a new key is not fetched when a token names it")
		}
		h.set.Store(setOf(next))
		time.Sleep(5 * time.Minute)
		if takes(old) || !takes(next) {
			t.Error("a key that was removed is taken after the refresh")
		}
	})
}

// A storm of unknown kids asks the host once in an interval.
func TestKeySetStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := newJWK(t, "known")
		h := new(keyHost)
		h.set.Store(setOf(known))
		v := h.verifier(t)
		stranger := newJWK(t, "x")
		var tokens []string
		for i := range 50 {
			stranger.kid = fmt.Sprint("unknown", i)
			tokens = append(tokens, stranger.sign(t))
		}
		for range 4 {
			var group sync.WaitGroup
			for _, text := range tokens {
				group.Go(func() {
					if _, err := v.Check(t.Context(), text); err == nil {
						t.Error("a stranger's token is taken")
					}
				})
			}
			group.Wait()
			time.Sleep(unknownEvery / 2)
		}
		if n := h.asked.Load(); n > 2 {
			t.Errorf("the host was asked %d times in one and a half intervals, want 2 at most", n)
		}
	})
}

// While the host is down, the last keys are used for as long as they are kept,
// and then what was not looked at is not refused for good.
func TestKeySetDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newJWK(t, "k")
		h := new(keyHost)
		v := h.verifier(t)
		_, err := v.Check(t.Context(), k.sign(t))
		if r, ok := errors.AsType[*access.Refusal](err); !ok || !r.Now {
			t.Fatalf("without keys: %v, want that it cannot be checked now", err)
		}
		h.set.Store(setOf(k))
		time.Sleep(failedEvery)
		if _, err := v.Check(t.Context(), k.sign(t)); err != nil {
			t.Fatalf("when the host is there: %v", err)
		}
		h.set.Store("")
		for range 11 {
			time.Sleep(5 * time.Minute)
			if _, err := v.Check(t.Context(), k.sign(t)); err != nil {
				t.Fatalf("within the hour: %v", err)
			}
		}
		time.Sleep(5 * time.Minute)
		_, err = v.Check(t.Context(), k.sign(t))
		if r, ok := errors.AsType[*access.Refusal](err); !ok || !r.Now {
			t.Errorf("after an hour: %v", err)
		}
		h.set.Store(setOf(k))
		time.Sleep(failedEvery)
		if _, err := v.Check(t.Context(), k.sign(t)); err != nil {
			t.Errorf("when it is back: %v", err)
		}
	})
}

// A set is taken from a file as well, and read again when that changes.
func TestKeySetFile(t *testing.T) {
	a, b := newJWK(t, "a"), newJWK(t, "b")
	file := filepath.Join(t.TempDir(), "keys.json")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(setOf(a))
	synctest.Test(t, func(t *testing.T) {
		v, err := New([]Issuer{{Name: "n", Issuer: "i", Audience: []string{"a"}, Algorithms: []string{"ES256"}, File: file}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		takes := func(k jwk) bool { _, err := v.Check(t.Context(), k.sign(t)); return err == nil }
		if !takes(a) || takes(b) {
			t.Error("at first")
		}
		write(setOf(b))
		time.Sleep(2 * fileEvery)
		if takes(a) || !takes(b) {
			t.Error("when it has changed")
		}
		a.kid = "" // without one, each key is tried that fits
		b.kid = ""
		if takes(a) || !takes(b) {
			t.Error("without a kid")
		}
	})
}

func TestParseSetRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"no JSON":     {"<html>", "no JWK set"},
		"no keys":     {`{"keys":[]}`, "has 0 keys"},
		"secrets":     {`{"keys":[{"kty":"oct","k":"AAAA","kid":"x"}]}`, "none for signatures"},
		"encryption":  {`{"keys":[{"kty":"EC","use":"enc","crv":"P-256"}]}`, "none for signatures"},
		"a great lot": {`{"keys":[` + strings.Repeat("{},", 100) + `{}]}`, "has 101 keys"},
	} {
		if _, _, err := parseSet([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q in it", name, err, tt.want)
		}
	}
}
