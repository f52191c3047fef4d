package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// Times of a key set that is fetched.
const (
	fetchTime    = 5 * time.Second  // most that a fetch takes
	unknownEvery = 30 * time.Second // least between two fetches, whatever tokens come
	failedEvery  = 5 * time.Second  // likewise behind one that has failed
	fileEvery    = time.Second      // how often a file is looked at
	maxKeySet    = 256 << 10        // bytes
	maxKeys      = 64
)

// A keySet is the keys of an issuer, fetched when they are needed and again when
// they are old, or a token names one that is not among them.
//
//	none --fetched--> fresh --every--> stale --fetched--> fresh
//	stale --cannot be fetched--> stale, and used, until keep is over --> none
//
// It starts no goroutine. Of those that find it stale, one fetches, and the
// others use what there is.
type keySet struct {
	fetch func(context.Context) ([]byte, error)
	every time.Duration // how long a set is fresh
	gap   time.Duration // least between two fetches
	keep  time.Duration // how long a set is used

	mu       sync.Mutex
	fetching chan struct{} // closed when the fetch under way has ended; nil: none is
	set      keyfunc.Keyfunc
	kids     map[string]bool
	got      time.Time
	next     time.Time // before which nothing is fetched
	err      error     // of the last fetch
}

// errNoKeys is that the keys of an issuer cannot be had now.
var errNoKeys = errors.New("the keys of the issuer cannot be fetched")

// key is a jwt.Keyfunc.
func (k *keySet) key(ctx context.Context, t *jwt.Token) (any, error) {
	kid, _ := t.Header["kid"].(string)
	set, err := k.current(ctx, kid)
	if err != nil {
		return nil, err
	}
	return set.KeyfuncCtx(ctx)(t)
}

// current returns the keys, fetched anew where they are stale or have no kid.
func (k *keySet) current(ctx context.Context, kid string) (keyfunc.Keyfunc, error) {
	k.mu.Lock()
	now := time.Now()
	usable := k.set != nil && now.Sub(k.got) < k.keep
	stale := !usable || now.Sub(k.got) >= k.every || kid != "" && !k.kids[kid]
	if stale && k.fetching == nil && !now.Before(k.next) {
		done := make(chan struct{})
		k.fetching = done
		k.mu.Unlock()
		k.refresh(context.WithoutCancel(ctx))
		k.mu.Lock()
		k.fetching = nil
		close(done)
	} else if fetching := k.fetching; fetching != nil && (!usable || kid != "" && !k.kids[kid]) {
		k.mu.Unlock()
		select {
		case <-fetching:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		k.mu.Lock()
	}
	defer k.mu.Unlock()
	if k.set == nil || time.Since(k.got) >= k.keep {
		return nil, errors.Join(errNoKeys, k.err)
	}
	return k.set, nil
}

// refresh fetches the keys.
func (k *keySet) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	text, err := k.fetch(ctx)
	var set keyfunc.Keyfunc
	var kids map[string]bool
	if err == nil {
		set, kids, err = parseSet(text)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if k.err = err; err != nil {
		k.next = now.Add(min(k.gap, failedEvery))
		return
	}
	k.set, k.kids, k.got, k.next = set, kids, now, now.Add(k.gap)
}

// parseSet reads a JWK set. Keys that are not for signatures or of kinds that are
// not known are left out, and so are secrets, which no set is to have.
func parseSet(text []byte) (keyfunc.Keyfunc, map[string]bool, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, nil, fmt.Errorf("what came back is no JWK set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("the JWK set has %d keys, at most %d are taken", len(set.Keys), maxKeys)
	}
	kids := make(map[string]bool)
	var good []json.RawMessage
	for _, raw := range set.Keys {
		var head struct{ Kid, Kty, Use string }
		if json.Unmarshal(raw, &head) != nil || head.Kty == "oct" || head.Use != "" && head.Use != "sig" {
			continue
		}
		if _, err := keyfunc.NewJWKJSON(raw); err != nil {
			continue
		}
		good = append(good, raw)
		kids[head.Kid] = true
	}
	if len(good) == 0 {
		return nil, nil, fmt.Errorf("the JWK set has %d keys, and none for signatures that is known here", len(set.Keys))
	}
	text, err := json.Marshal(map[string]any{"keys": good})
	if err != nil {
		return nil, nil, err
	}
	parsed, err := keyfunc.NewJWKSetJSON(text)
	return parsed, kids, err
}

// overHTTP returns what fetches a URL.
func overHTTP(client *http.Client, url string) func(context.Context) ([]byte, error) {
	if client == nil {
		client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("it redirects, which is not followed: name the place itself")
		}}
	}
	return func(ctx context.Context) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s answered with status %d", url, resp.StatusCode)
		}
		return readAtMost(resp.Body, url)
	}
}

// fromFile returns what reads a file.
func fromFile(path string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readAtMost(f, path)
	}
}

func readAtMost(r io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxKeySet+1))
	if err == nil && len(text) > maxKeySet {
		err = fmt.Errorf("%s has more than %d bytes", name, maxKeySet)
	}
	return text, err
}
