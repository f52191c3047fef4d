package link

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// An authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	a.cert = a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	}, key)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	parent := a.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (a *authority) issue(t testing.TB, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// A lab has an upstream and a relay, each a server.
type lab struct {
	t         testing.TB
	authority *authority
	upstream  *httptest.Server
	options   RelayOptions
	address   string

	relay  *Relay
	server *http.Server
	mu     sync.Mutex
	conns  []net.Conn // that the relay has accepted
	times  []time.Time
}

var testKey = bytes.Repeat([]byte("k"), LeastKey)

// newLab serves upstream behind a relay that knows the edge "berlin" by a key.
func newLab(t testing.TB, upstream http.HandlerFunc) *lab {
	l := &lab{t: t, authority: newAuthority(t), upstream: httptest.NewServer(upstream)}
	t.Cleanup(l.upstream.Close)
	base, err := url.Parse(l.upstream.URL + "/v1")
	if err != nil {
		t.Fatal(err)
	}
	l.options = RelayOptions{
		Upstreams: map[string]Upstream{"llm": {URL: base, Headers: map[string]string{"Authorization": "Bearer of-the-relay"}}},
		Edges:     map[string]EdgeGrant{"berlin": {Key: testKey, Certificate: true, Upstreams: []string{"llm"}}},
		Client:    NewClient(nil),
		Log:       slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	}
	return l
}

// start starts the relay, at the address that it had before.
func (l *lab) start() *lab {
	l.t.Helper()
	var err error
	if l.relay, err = NewRelay(l.options); err != nil {
		l.t.Fatal(err)
	}
	if l.address == "" {
		l.address = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", l.address)
	if err != nil {
		l.t.Fatal(err)
	}
	l.address = ln.Addr().String()
	l.server = NewServer(l.relay, &tls.Config{Certificates: []tls.Certificate{l.authority.issue(l.t, "relay")}, ClientCAs: l.authority.pool})
	l.server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server := l.server
	go server.ServeTLS(watched{ln, l}, "", "")
	l.t.Cleanup(l.kill)
	return l
}

// kill ends the relay without a word.
func (l *lab) kill() {
	l.server.Close()
	l.cut(1 << 30)
	done, cancel := canceled()
	defer cancel()
	l.relay.Shutdown(done)
}

type watched struct {
	net.Listener
	l *lab
}

func (w watched) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err == nil {
		w.l.mu.Lock()
		w.l.conns = append(w.l.conns, c)
		w.l.times = append(w.l.times, time.Now())
		w.l.mu.Unlock()
	}
	return c, err
}

// cut ends the oldest n connections.
func (l *lab) cut(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(n, len(l.conns))
	for _, c := range l.conns[:n] {
		c.Close()
	}
	l.conns = l.conns[n:]
}

func (l *lab) edgeOptions() EdgeOptions {
	return EdgeOptions{
		Relays: []string{"wss://" + l.address}, Identity: Identity{Name: "berlin", Key: testKey},
		TLS: &tls.Config{RootCAs: l.authority.pool}, Log: l.options.Log,
	}
}

func (l *lab) edge(change func(*EdgeOptions)) *Edge {
	l.t.Helper()
	o := l.edgeOptions()
	if change != nil {
		change(&o)
	}
	e, err := NewEdge(o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(e.Close)
	return e
}

// ask posts to the upstream over the edge.
func (l *lab) ask(e *Edge, path, body string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.upstream.URL+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := e.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, string(text), err
}

// waitFor fails the test unless ok comes true.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatalf("waited for a minute: %s", what)
		}
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	if testing.Verbose() {
		fmt.Print(string(b)) // after the end of a test, too
	}
	return len(b), nil
}
