package link

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func canceled() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx, cancel
}

// say answers with what was asked, and who asked.
func say(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Saw-Edge", r.Header.Get(HeaderEdge))
	w.Header().Set("X-Saw-Key", r.Header.Get("Authorization"))
	w.Header().Set("X-Saw-Length", fmt.Sprint(r.ContentLength))
	w.WriteHeader(http.StatusAccepted)
	w.Write(b)
}

// tokens answers with n words, one every pause.
func tokens(n int, pause time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		for i := range n {
			fmt.Fprintf(w, "%s-%d ", b, i)
			w.(http.Flusher).Flush()
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
				return
			}
		}
	}
}

func wantTokens(body string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s-%d ", body, i)
	}
	return b.String()
}

// What goes over the link is what would have gone without it.
func TestRequests(t *testing.T) {
	l := newLab(t, say).start()
	for _, most := range []int{1, 8} {
		e := l.edge(func(o *EdgeOptions) { o.Max = most })
		for _, n := range []int{0, 1, 1023, 1024, 300_000} {
			body := strings.Repeat("x", n)
			res, got, err := l.ask(e, "/v1/chat/completions", body)
			if err != nil {
				t.Fatalf("at most %d links, %d bytes: %v", most, n, err)
			}
			if res.StatusCode != http.StatusAccepted || got != body {
				t.Errorf("at most %d links: status %d, %d bytes, want %d and %d", most, res.StatusCode, len(got), http.StatusAccepted, n)
			}
			for name, want := range map[string]string{"X-Saw-Edge": "berlin", "X-Saw-Key": "Bearer of-the-relay", "X-Saw-Length": fmt.Sprint(n)} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
		}
	}
}

func TestGrants(t *testing.T) {
	l := newLab(t, say).start()
	other := httptest.NewServer(http.HandlerFunc(say))
	defer other.Close()
	e := l.edge(nil)
	up := l.upstream.URL
	tests := []struct {
		name, method, url string
		header            http.Header
		want              string // in the error; empty: it is granted
	}{
		{"the upstream", "POST", up + "/v1/chat/completions", nil, ""},
		{"with a query", "GET", up + "/v1/models?x=1", nil, ""},
		{"the base alone", "GET", up + "/v1", nil, ""},
		{"another server", "POST", other.URL + "/v1/chat", nil, "not granted"},
		{"another path", "GET", up + "/metrics", nil, "not granted"},
		{"a path that begins alike", "GET", up + "/v10", nil, "not granted"},
		{"a way up", "GET", up + "/v1/../metrics", nil, "not plain"},
		{"an encoded way up", "GET", up + "/v1/%2e%2e/metrics", nil, "not plain"},
		{"a backslash", "GET", up + `/v1/%5c`, nil, "not plain"},
		{"another method", "CONNECT", up + "/v1/chat", nil, "method"},
		{"a header of the usual ones", "GET", up + "/v1/x", http.Header{"X-Request-Id": {"1"}}, ""},
		{"a header of an identity", "GET", up + "/v1/x", http.Header{"X-User": {"root"}}, "X-User is not granted"},
		{"with an underscore", "GET", up + "/v1/x", http.Header{"X_user": {"root"}}, "not granted"},
		{"not in its usual form", "GET", up + "/v1/x", http.Header{"x-user": {"root"}}, "usual form"},
		{"the name of another edge", "GET", up + "/v1/x", http.Header{HeaderEdge: {"paris"}}, "not granted"},
		{"of a proxy", "GET", up + "/v1/x", http.Header{"X-Forwarded-For": {"127.0.0.1"}}, "not granted"},
		{"twice", "GET", up + "/v1/x", http.Header{"Authorization": {"a", "b"}}, "comes 2 times"},
		{"with a line break", "GET", up + "/v1/x", http.Header{"Accept": {"a\r\nX-User: root"}}, "control character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if tt.header == nil {
				tt.header = http.Header{}
			}
			res, err := e.RoundTrip((&http.Request{Method: tt.method, URL: u, Header: tt.header}).WithContext(t.Context()))
			switch {
			case err == nil && tt.want != "":
				t.Errorf("status %d, want an error", res.StatusCode)
			case err == nil:
				res.Body.Close()
			case tt.want == "" || !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
		})
	}
	t.Run("what a connection says about headers is not sent", func(t *testing.T) {
		u, _ := url.Parse(up + "/v1/x")
		res, err := e.RoundTrip((&http.Request{Method: "GET", URL: u, Header: http.Header{"Connection": {"X-Bendi-Edge, Authorization"}}}).WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.Header.Get("X-Saw-Edge") != "berlin" || res.Header.Get("X-Saw-Key") == "" {
			t.Errorf("the upstream saw %v", res.Header)
		}
	})
}

func TestIdentities(t *testing.T) {
	l := newLab(t, say)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, foreign, _ := ed25519.GenerateKey(rand.Reader)
	l.options.Edges["paris"] = EdgeGrant{Token: true, Upstreams: []string{"llm"}}
	l.options.TokenKeys = []crypto.PublicKey{public}
	l.start()
	certificate := func(name string) *tls.Certificate { c := l.authority.issue(t, name); return &c }
	foreigner := newAuthority(t).issue(t, "berlin")
	token := func(key ed25519.PrivateKey, subject, audience string, left time.Duration) func() (string, error) {
		return func() (string, error) {
			return jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.RegisteredClaims{
				Subject: subject, Audience: jwt.ClaimStrings{audience}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(left)),
			}).SignedString(key)
		}
	}
	none := func() (string, error) {
		return jwt.NewWithClaims(jwt.SigningMethodNone, jwt.RegisteredClaims{
			Subject: "paris", Audience: jwt.ClaimStrings{TokenAudience}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
		}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	}
	shared := func() (string, error) { // signed with the public key as if it were a shared one
		return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
			Subject: "paris", Audience: jwt.ClaimStrings{TokenAudience}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
		}).SignedString([]byte(public))
	}
	tests := []struct {
		name string
		i    Identity
		ok   bool
	}{
		{"the key", Identity{Name: "berlin", Key: testKey}, true},
		{"another key", Identity{Name: "berlin", Key: []byte(strings.Repeat("l", LeastKey))}, false},
		{"another name", Identity{Name: "rome", Key: testKey}, false},
		{"an edge that has no key", Identity{Name: "paris", Key: testKey}, false},
		{"a certificate", Identity{Certificate: certificate("berlin")}, true},
		{"a certificate of nobody here", Identity{Certificate: certificate("rome")}, false},
		{"a certificate of an edge that comes with tokens", Identity{Certificate: certificate("paris")}, false},
		{"a certificate of another authority", Identity{Certificate: &foreigner}, false},
		{"a token", Identity{Token: token(private, "paris", TokenAudience, time.Hour)}, true},
		{"a token of another key", Identity{Token: token(foreign, "paris", TokenAudience, time.Hour)}, false},
		{"a token for something else", Identity{Token: token(private, "paris", "chat", time.Hour)}, false},
		{"a token that has expired", Identity{Token: token(private, "paris", TokenAudience, -time.Minute)}, false},
		{"a token of an edge that has a key", Identity{Token: token(private, "berlin", TokenAudience, time.Hour)}, false},
		{"a token that nobody has signed", Identity{Token: none}, false},
		{"a token signed with the public key", Identity{Token: shared}, false},
		{"a token with a line break", Identity{Token: func() (string, error) { return "a\r\nb", nil }}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := l.edge(func(o *EdgeOptions) { o.Identity, o.Max = tt.i, 1 })
			_, _, err := l.ask(e, "/v1/chat", "x")
			if (err == nil) != tt.ok {
				t.Errorf("error %v, want it let in: %t", err, tt.ok)
			}
			if err != nil && strings.Contains(err.Error(), string(testKey)) {
				t.Error("the error has the key in it")
			}
		})
	}
}

// Nobody gets in where a setting is missing.
func TestSettingsThatAreRefused(t *testing.T) {
	for name, grant := range map[string]*EdgeGrant{
		"no edge": nil, "nothing to show": {}, "an empty key": {Key: []byte{}}, "a short key": {Key: testKey[1:]},
		"a token without a key": {Token: true}, "an upstream that is not there": {Key: testKey, Upstreams: []string{"x"}},
	} {
		o := RelayOptions{}
		if grant != nil {
			o.Edges = map[string]EdgeGrant{"berlin": *grant}
		}
		if _, err := NewRelay(o); err == nil {
			t.Errorf("relay, %s: no error", name)
		}
	}
	for name, i := range map[string]Identity{
		"nothing to show": {}, "an empty key": {Name: "berlin", Key: []byte{}}, "a short key": {Name: "berlin", Key: testKey[1:]},
		"no name": {Key: testKey}, "a name that is none": {Name: "ber:lin", Key: testKey},
		"two at once": {Name: "berlin", Key: testKey, Certificate: &tls.Certificate{}},
	} {
		if _, err := NewEdge(EdgeOptions{Relays: []string{"wss://relay.example"}, Identity: i}); err == nil {
			t.Errorf("edge, %s: no error", name)
		}
	}
	for _, address := range []string{"", "ws://relay.example", "https://relay.example", "wss://user:word@relay.example", "wss://relay.example/?token=x"} {
		if _, err := NewEdge(EdgeOptions{Relays: []string{address}, Identity: Identity{Name: "a", Key: testKey}}); err == nil {
			t.Errorf("edge, relay %q: no error", address)
		}
	}
}

// Cut links cost no answer a byte.
func TestLinksAreCutInTheMidstOfAnswers(t *testing.T) {
	const streams, words = 100, 60
	l := newLab(t, tokens(words, 20*time.Millisecond)).start()
	e := l.edge(func(o *EdgeOptions) { o.Min = 16 })
	waitFor(t, "16 links", func() bool { return e.Status()[0].Links >= 16 })
	var wg sync.WaitGroup
	for i := range streams {
		wg.Go(func() {
			body := fmt.Sprint("stream", i)
			if _, got, err := l.ask(e, "/v1/chat", body); err != nil || got != wantTokens(body, words) {
				t.Errorf("%s: %d bytes, %v", body, len(got), err)
			}
		})
	}
	for range 4 {
		time.Sleep(250 * time.Millisecond)
		l.cut(5)
	}
	l.cut(1 << 30)
	wg.Wait()
	if st := l.relay.Status(); st[0].Resumed == 0 {
		t.Errorf("nothing was resumed: %+v", st)
	}
}

// A relay that begins anew has lost what it was asked for, and says so at once.
func TestRelayRestarts(t *testing.T) {
	l := newLab(t, tokens(1000, 10*time.Millisecond)).start()
	e := l.edge(nil)
	errs := make(chan error, 10)
	for range cap(errs) {
		go func() {
			_, _, err := l.ask(e, "/v1/chat", "x")
			errs <- err
		}()
	}
	waitFor(t, "the streams", func() bool { return e.Status()[0].Streams == cap(errs) })
	l.kill()
	l.start()
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, ErrRestarted) {
			t.Errorf("error %v, want %v", err, ErrRestarted)
		}
	}
	waitFor(t, "links", func() bool { return e.Status()[0].Links >= 8 })
	req, _ := http.NewRequestWithContext(t.Context(), "GET", l.upstream.URL+"/v1/x", nil)
	res, err := e.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}

// Without a relay a request fails at once, and the error says why.
func TestNoRelay(t *testing.T) {
	l := newLab(t, say).start()
	e := l.edge(nil)
	l.ask(e, "/v1/chat", "x")
	l.kill()
	waitFor(t, "a fault", func() bool { return e.Status()[0].Fault != "" && e.Status()[0].Links == 0 })
	waitFor(t, "a failed attempt", func() bool {
		_, _, err := l.ask(e, "/v1/chat", "x")
		return err != nil && strings.Contains(err.Error(), "connection refused")
	})
}

// Who leaves ends the request at the upstream.
func TestCancelReachesTheUpstream(t *testing.T) {
	ended := make(chan time.Time, 1)
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		ended <- time.Now()
	}).start()
	for _, most := range []int{1, 8} {
		e := l.edge(func(o *EdgeOptions) { o.Max = most })
		for _, how := range []string{"context", "close"} {
			ctx, cancel := context.WithCancel(t.Context())
			req, _ := http.NewRequestWithContext(ctx, "GET", l.upstream.URL+"/v1/x", nil)
			res, err := e.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			if how == "context" {
				cancel()
			} else {
				res.Body.Close()
			}
			if took := (<-ended).Sub(begin); took > time.Second {
				t.Errorf("at most %d links, %s: it took %v", most, how, took)
			}
			res.Body.Close()
			cancel()
		}
	}
}

// Links are replaced as they get old, and nobody notices.
func TestRotation(t *testing.T) {
	l := newLab(t, tokens(100, 20*time.Millisecond)).start()
	e := l.edge(func(o *EdgeOptions) { o.Rotate = 600 * time.Millisecond })
	if _, got, err := l.ask(e, "/v1/chat", "x"); err != nil || got != wantTokens("x", 100) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	l.mu.Lock()
	made := len(l.times)
	l.mu.Unlock()
	if made < 16 {
		t.Errorf("%d links were made, want them replaced", made)
	}
	if st := e.Status()[0]; st.Resumed > 0 {
		t.Errorf("%d words had to go once more: %+v", st.Resumed, st)
	}
}

// The links follow the load.
func TestNumberOfLinks(t *testing.T) {
	l := newLab(t, tokens(50, 20*time.Millisecond)).start()
	e := l.edge(func(o *EdgeOptions) { o.Min, o.Max = 2, 24 })
	waitFor(t, "2 links", func() bool { return e.Status()[0].Links == 2 })
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() { l.ask(e, "/v1/chat", "x") })
	}
	waitFor(t, "24 links", func() bool { return e.Status()[0].Links == 24 })
	wg.Wait()
	if n := e.Status()[0].Links; n > 24 {
		t.Errorf("%d links, at most 24", n)
	}
}

// Many edges come back to a relay little by little. With -soak there are more.
func TestManyEdgesComeBack(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several seconds")
	}
	edges, links := 12, 16
	if *soak > 0 {
		edges = 50
	}
	l := newLab(t, say)
	l.options.MaxLinks = edges * links // they share a name here
	l.start()
	var all []*Edge
	for range edges {
		e := l.edge(func(o *EdgeOptions) { o.Min = links })
		waitFor(t, "its links", func() bool { return e.Status()[0].Links >= links })
		all = append(all, e)
	}
	up := func() bool {
		for _, e := range all {
			if e.Status()[0].Links < links {
				return false
			}
		}
		return true
	}
	l.kill()
	time.Sleep(time.Second)
	l.mu.Lock()
	l.times = nil
	l.mu.Unlock()
	l.start()
	waitFor(t, "all links again", up)
	l.mu.Lock()
	defer l.mu.Unlock()
	times := l.times[:edges*links*9/10] // stragglers of a busy machine aside
	span := times[len(times)-1].Sub(times[0])
	window := 500 * time.Millisecond
	peak := 0
	for i, at := range times {
		n := 0
		for _, other := range times[i:] {
			if other.Sub(at) < window {
				n++
			}
		}
		peak = max(peak, n)
	}
	mean := float64(len(times)) / (float64(span) / float64(window))
	t.Logf("%d links came back within %v: %d in the fullest half second, %.1f in the mean", len(times), span.Round(time.Millisecond), peak, mean)
	if float64(peak) > 2*mean+6 {
		t.Errorf("%d links came back in half a second, %.1f in the mean", peak, mean)
	}
}

// With one link, requests do not share it.
func TestOneLinkCarriesOneRequest(t *testing.T) {
	var now, most atomic.Int32
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		time.Sleep(200 * time.Millisecond)
	}).start()
	e := l.edge(func(o *EdgeOptions) { o.Max = 1 })
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if _, _, err := l.ask(e, "/v1/chat", "x"); err != nil {
				t.Error(err)
			}
		})
	}
	waitFor(t, "five requests at once", func() bool { return now.Load() == 5 })
	if n := len(l.relay.Status()); n != 5 {
		t.Errorf("%d sessions, want one for each request", n)
	}
	wg.Wait()
}

// A relay that shuts down has its edges go to another one. What it was asked for
// it still answers, and nobody notices.
func TestRelayHandsOver(t *testing.T) {
	for _, most := range []int{1, 8} {
		t.Run(fmt.Sprintf("at most %d links", most), func(t *testing.T) {
			const words = 60
			old, other := newLab(t, tokens(words, 20*time.Millisecond)).start(), newLab(t, nil)
			other.authority, other.upstream, other.options = old.authority, old.upstream, old.options
			other.start()
			e := old.edge(func(o *EdgeOptions) { o.Max, o.Relays = most, append(o.Relays, "wss://"+other.address) })
			waitFor(t, "both relays", func() bool {
				st := e.Status()
				return most == 1 || st[0].Links > 0 && st[1].Links > 0
			})
			var asking sync.WaitGroup
			ask := func(i int) {
				body := fmt.Sprint("request", i)
				if _, got, err := old.ask(e, "/v1/chat", body); err != nil || got != wantTokens(body, words) {
					t.Errorf("%s: %d bytes, %v", body, len(got), err)
				}
			}
			for i := range 10 {
				asking.Go(func() { ask(i) })
			}
			waitFor(t, "requests", func() bool { return streams(old.relay) > 0 && streams(old.relay)+streams(other.relay) == 10 })
			down := make(chan struct{})
			go func() { old.relay.Shutdown(t.Context()); close(down) }()
			for i := range 100 {
				asking.Go(func() { ask(10 + i) })
				time.Sleep(10 * time.Millisecond)
			}
			<-down
			old.kill()
			asking.Wait()
		})
	}
}

// A relay that shuts down lets nobody wait who has no other.
func TestRelayShutsDown(t *testing.T) {
	l := newLab(t, tokens(1, 4*time.Second)).start()
	e := l.edge(nil)
	var asking sync.WaitGroup
	asking.Go(func() {
		if _, got, err := l.ask(e, "/v1/chat", "x"); err != nil || got != wantTokens("x", 1) {
			t.Errorf("the request under way: %d bytes, %v", len(got), err)
		}
	})
	waitFor(t, "the request", func() bool { return streams(l.relay) == 1 })
	down := make(chan struct{})
	go func() { l.relay.Shutdown(t.Context()); close(down) }()
	waitFor(t, "that new requests are refused", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", l.upstream.URL+"/v1/x", nil)
		res, err := e.RoundTrip(req)
		if err == nil {
			res.Body.Close()
		}
		refused, ok := errors.AsType[ResetError](err)
		return ok && refused.Code == Shut
	})
	asking.Wait()
	<-down
}

// streams is how many requests a relay has.
func streams(r *Relay) (n int) {
	for _, st := range r.Status() {
		n += st.Streams
	}
	return n
}
