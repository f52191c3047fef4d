package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func load(t testing.TB, s Settings) *Identity {
	t.Helper()
	id, err := Load(s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// serveTLS answers handshakes by k, and greets whoever has made one.
func serveTLS(t testing.TB, k *Keeper) (addr string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", k.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				io.WriteString(conn, "hello")
				io.Copy(io.Discard, conn)
			}()
		}
	}()
	return l.Addr().String()
}

// greet makes a connection and reads the greeting, after which the client has
// its session ticket.
func greet(addr string, c *tls.Config) (*tls.Conn, error) {
	conn, err := (&tls.Dialer{Config: c, NetDialer: &net.Dialer{Timeout: 10 * time.Second}}).Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
		conn.Close()
		return nil, err
	}
	return conn.(*tls.Conn), nil
}

// A new certificate is shown from the next handshake on; a connection that is
// open goes on; and a session from before can be taken up.
func TestRenewal(t *testing.T) {
	top := root(t, "Test Root")
	key := newKey(t)
	old, next := top.leaf(t, key), top.leaf(t, key, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(99) })
	k := NewKeeper(quiet(), nil)
	k.Use(load(t, store(t, key, old, top.cert)), "")
	addr := serveTLS(t, k)
	pool := x509.NewCertPool()
	pool.AddCert(top.cert)
	client := &tls.Config{RootCAs: pool, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(4), MaxVersion: tls.VersionTLS12}
	first, err := greet(addr, client)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	k.Use(load(t, store(t, key, next, top.cert)), "")
	fresh, err := greet(addr, &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if state := fresh.ConnectionState(); !state.PeerCertificates[0].Equal(next) || state.NegotiatedProtocol != "h2" || state.Version != tls.VersionTLS13 {
		t.Errorf("serial %v, %s, %x", state.PeerCertificates[0].SerialNumber, state.NegotiatedProtocol, state.Version)
	}
	if _, err := first.Write([]byte("still here")); err != nil {
		t.Errorf("the connection from before: %v", err)
	}
	again, err := greet(addr, client)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !again.ConnectionState().DidResume {
		t.Error("the session from before was not taken up")
	}
}

// Whom a CA has let in is not let in by a session of then, once others sign.
func TestClientCAChanges(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			top, us, others := root(t, "Test Root"), root(t, "Us"), root(t, "Others")
			key, phone := newKey(t), newKey(t)
			s := store(t, key, top.leaf(t, key), top.cert)
			s.ClientCAFile = writeCerts(t, filepath.Join(t.TempDir(), "us.pem"), us.cert)
			k := NewKeeper(quiet(), nil)
			k.Use(load(t, s), "")
			addr := serveTLS(t, k)
			pool := x509.NewCertPool()
			pool.AddCert(top.cert)
			show := tls.Certificate{PrivateKey: phone, Certificate: [][]byte{us.leaf(t, phone, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }).Raw}}
			client := &tls.Config{RootCAs: pool, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(4), MaxVersion: version,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &show, nil }}
			for i := range 2 {
				conn, err := greet(addr, client)
				if err != nil {
					t.Fatal(err)
				}
				if resumed := conn.ConnectionState().DidResume; resumed != (i == 1) {
					t.Errorf("connection %d: resumed = %v", i, resumed)
				}
				conn.Close()
			}
			if conn, err := greet(addr, &tls.Config{RootCAs: pool, ServerName: "localhost"}); err == nil {
				conn.Close()
				t.Error("a client without a certificate is let in")
			}
			s.ClientCAFile = writeCerts(t, filepath.Join(t.TempDir(), "others.pem"), others.cert)
			k.Use(load(t, s), "")
			if conn, err := greet(addr, client); err == nil {
				t.Errorf("a client of the CA from before is let in, resumed = %v", conn.ConnectionState().DidResume)
				conn.Close()
			}
		})
	}
}

// What is older than TLS 1.2, or does not seal what it sends, is not spoken.
func TestOldest(t *testing.T) {
	top, key := root(t, "Test Root"), newKey(t)
	k := NewKeeper(quiet(), nil)
	s := store(t, key, top.leaf(t, key), top.cert)
	k.Use(load(t, s), "")
	addr := serveTLS(t, k)
	speaks := func(c *tls.Config) bool {
		c.InsecureSkipVerify = true
		conn, err := greet(addr, c)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	if speaks(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) {
		t.Error("speaks TLS 1.1")
	}
	if speaks(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: notSealing()}) {
		t.Error("takes a cipher suite that does not seal")
	}
	if !speaks(&tls.Config{MaxVersion: tls.VersionTLS12}) {
		t.Error("does not speak TLS 1.2")
	}
	s.OldestTLS = tls.VersionTLS13
	k.Use(load(t, s), "")
	if speaks(&tls.Config{MaxVersion: tls.VersionTLS12}) {
		t.Error("speaks TLS 1.2 where 1.3 is the oldest")
	}
}

// A responder is what a CA answers with: a status, or a failure.
type responder struct {
	issuer *authority
	leaf   *x509.Certificate

	mu     sync.Mutex
	status int
	fail   error
	asked  int
}

// say has it answer so from now on.
func (r *responder) say(status int, fail error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.fail = status, fail
}

// count returns how many times it was asked.
func (r *responder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// A page is a log that can be read while it is written.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func (r *responder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.fail != nil {
		return nil, r.fail
	}
	now := time.Now()
	raw, err := ocsp.CreateResponse(r.issuer.cert, r.issuer.cert, ocsp.Response{
		Status: r.status, SerialNumber: r.leaf.SerialNumber, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(8 * time.Hour), RevokedAt: now.Add(-time.Hour),
	}, r.issuer.key)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(raw))}, nil
}

// What a responder says is stapled while it is good, asked for again at half its
// life, kept while the responder fails until it ends, taken off when the
// certificate is revoked, and known at the next start.
func TestStaple(t *testing.T) {
	top, key := root(t, "Test Root"), newKey(t)
	leaf := top.leaf(t, key, func(c *x509.Certificate) {
		c.OCSPServer = []string{"http://ocsp.example"}
		c.NotAfter = time.Now().AddDate(40, 0, 0)
		c.NotBefore = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	}, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "stapled"} })
	long := &authority{key: top.key}
	template := *top.cert
	template.NotBefore, template.NotAfter = leaf.NotBefore, leaf.NotAfter
	long.cert = signBy(t, &template, &template, top.key.Public(), top.key)
	s := store(t, key, leaf, long.cert)
	s.OCSP = true
	synctest.Test(t, func(t *testing.T) {
		id := load(t, s)
		r := &responder{issuer: long, leaf: leaf, status: ocsp.Good}
		var log page
		k := NewKeeper(slog.New(slog.NewTextHandler(&log, nil)), &http.Client{Transport: r})
		cache := t.TempDir()
		k.Use(id, cache)
		stapled := func() bool { return len(k.now.Load().all.Certificates[0].OCSPStaple) > 0 }
		if stapled() {
			t.Error("stapled before anybody was asked")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { k.Watch(ctx); close(done) }()
		synctest.Wait()
		if !stapled() || r.count() != 1 {
			t.Errorf("stapled = %v after %d questions", stapled(), r.count())
		}
		if again := NewKeeper(quiet(), &http.Client{Transport: &responder{fail: errors.New("down")}}); true {
			again.Use(id, cache)
			if _, end := again.Ends(); end.IsZero() {
				t.Error("the next start does not know what was said")
			}
		}
		time.Sleep(4*time.Hour + time.Minute)
		synctest.Wait()
		if r.count() != 2 {
			t.Errorf("asked %d times in half a life, want 2", r.count())
		}
		r.say(0, errors.New("down"))
		time.Sleep(7 * time.Hour)
		synctest.Wait()
		if !stapled() {
			t.Error("not stapled while what was said holds")
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if stapled() {
			t.Error("stapled beyond its end")
		}
		if r.count() > 20 {
			t.Errorf("a responder that is down was asked %d times", r.count())
		}
		r.say(ocsp.Good, nil)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if !stapled() {
			t.Error("not stapled again")
		}
		r.say(ocsp.Revoked, nil)
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		if stapled() || len(k.Notes()) != 1 || !strings.Contains(k.Notes()[0], "revoked") || !strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("revoked: stapled = %v, notes %q", stapled(), k.Notes())
		}
		cancel()
		<-done
	})
}

// The log is told of the end once at each of the days, and of the keys for
// tickets none is used for long.
func TestWatchTellsOfTheEnd(t *testing.T) {
	top, key := root(t, "Test Root"), newKey(t)
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // as synctest's
	span := func(days int) alter {
		return func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = start.AddDate(0, 0, -1), start.AddDate(0, 0, days)
		}
	}
	long := &authority{key: top.key}
	template := *top.cert
	span(1000)(&template)
	long.cert = signBy(t, &template, &template, top.key.Public(), top.key)
	s := store(t, key, long.leaf(t, key, span(40)), long.cert)
	synctest.Test(t, func(t *testing.T) {
		var log page
		k := NewKeeper(slog.New(slog.NewTextHandler(&log, nil)), nil)
		k.Use(load(t, s), "")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { k.Watch(ctx); close(done) }()
		tickets := func() [][32]byte {
			k.mu.Lock()
			defer k.mu.Unlock()
			return slices.Clone(k.tickets)
		}
		first := tickets()[0]
		time.Sleep(39 * 24 * time.Hour)
		synctest.Wait()
		if n := strings.Count(log.String(), "expires soon"); n != 4 {
			t.Errorf("told %d times, want 4\n%s", n, log.String())
		}
		if slices.Contains(tickets(), first) {
			t.Error("a key for tickets is used for weeks")
		}
		time.Sleep(2 * 24 * time.Hour)
		synctest.Wait()
		if !strings.Contains(log.String(), "has expired") || len(k.Notes()) != 1 {
			t.Errorf("after the end: %q\n%s", k.Notes(), log.String())
		}
		cancel()
		<-done
	})
}
