package certs

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// ordered is an identity whose certificates a test hands out instead of a CA.
func ordered(t *testing.T, clientCA string) (*Keeper, *Identity) {
	t.Helper()
	s := Settings{ClientCAFile: clientCA, ACME: ACME{Domains: []string{"a.example", "b.example"}, Directory: "https://127.0.0.1:1/dir", Dir: filepath.Join(t.TempDir(), "acme")}}
	id, err := Load(s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	k := NewKeeper(slog.New(slog.DiscardHandler), nil)
	k.Use(id, "")
	return k, id
}

// held makes the certificate of a domain, with a part of its life left.
func held(t *testing.T, ca *authority, domain string, past, left time.Duration) *tls.Certificate {
	t.Helper()
	key := newKey(t)
	leaf := ca.leaf(t, key, func(c *x509.Certificate) {
		c.DNSNames = []string{domain}
		c.NotBefore, c.NotAfter = time.Now().Add(-past), time.Now().Add(left)
	})
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: crypto.Signer(key), Leaf: leaf}
}

// A handshake is shown the certificate of the name it asks for, of the first
// domain where none of ours is, and fails at once where there is none yet.
func TestOrderedCertificates(t *testing.T) {
	ca := root(t, "Test Root")
	k, _ := ordered(t, "")
	if got := k.Notes(); len(got) != 2 || !strings.Contains(got[0], "a.example is being ordered") {
		t.Errorf("notes %q before anything was tried", got)
	}
	k.issuer.note("a.example", held(t, ca, "a.example", time.Hour, 80*time.Hour), nil, time.Now())
	k.issuer.note("b.example", nil, errors.New("no viable challenge"), time.Now())
	for asked, want := range map[string]string{"a.example": "a.example", "A.example.": "a.example", "": "a.example", "other.example": "a.example", "b.example": ""} {
		cert, err := k.now.Load().all.GetCertificate(&tls.ClientHelloInfo{ServerName: asked})
		if want == "" && (err == nil || !strings.Contains(err.Error(), "no certificate for b.example yet")) {
			t.Errorf("%q: error %v", asked, err)
		}
		if want != "" && (err != nil || cert.Leaf.DNSNames[0] != want) {
			t.Errorf("%q is shown %v, %v; want that of %s", asked, cert, err, want)
		}
	}
	if got := k.Notes(); len(got) != 1 || !strings.Contains(got[0], "no TLS certificate for b.example") {
		t.Errorf("notes %q", got)
	}
	k.issuer.note("b.example", held(t, ca, "b.example", 90*time.Hour, 10*time.Hour), nil, time.Now())
	if got := k.Notes(); len(got) != 1 || !strings.Contains(got[0], "b.example is not renewed and expires in 9 hours") {
		t.Errorf("notes %q", got)
	}
	if end, _ := k.Ends(); time.Until(end) > 10*time.Hour {
		t.Errorf("the first ends at %v", end)
	}
}

// What fails is tried again later and later, and never more than once an hour.
func TestOrdersBackOff(t *testing.T) {
	k, _ := ordered(t, "")
	now := time.Now()
	for n, want := range []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, time.Hour} {
		k.issuer.note("a.example", nil, errors.New("no"), now)
		if got := k.issuer.orders["a.example"].due.Sub(now); got != want {
			t.Errorf("after %d failures it waits %v, want %v", n+1, got, want)
		}
	}
}

// A directory that is not there is told of, and holds nothing up.
func TestOrdersFail(t *testing.T) {
	k, _ := ordered(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	k.issuer.look(ctx, "a.example")
	if o := k.issuer.orders["a.example"]; o.err == nil || !strings.Contains(remedy(o.err), "let this server reach") {
		t.Errorf("error %v with the remedy %q", o.err, remedy(o.err))
	}
}

// Who shakes hands as the CA does is let in to nothing: it is shown no
// certificate but that of a challenge, and no request of it is answered, be
// there a certificate of the client or not.
func TestChallengeIsNoWayIn(t *testing.T) {
	ca := root(t, "Test Root")
	k, _ := ordered(t, writeCerts(t, filepath.Join(t.TempDir(), "ca.pem"), ca.cert))
	k.issuer.note("a.example", held(t, ca, "a.example", time.Hour, 80*time.Hour), nil, time.Now())
	answered := false
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { answered = true }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.TLS = nil
	server.Config.TLSConfig = k.Config()
	go server.Config.ServeTLS(server.Listener, "", "")
	defer server.Config.Close()
	dial := func(protos ...string) (*tls.Conn, error) {
		return tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", server.Listener.Addr().String(), &tls.Config{ServerName: "a.example", InsecureSkipVerify: true, NextProtos: protos})
	}
	if conn, err := dial(acme.ALPNProto); err == nil {
		conn.Close()
		t.Error("a challenge that there is not was answered")
	}
	k.issuer.get = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { // as while a challenge goes on
		return held(t, ca, "a.example", time.Hour, time.Hour), nil
	}
	for _, protos := range [][]string{{acme.ALPNProto}, {acme.ALPNProto, "http/1.1"}, {"http/1.1"}, nil} {
		conn, err := dial(protos...)
		if err != nil {
			continue
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		conn.Write([]byte("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"))
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("%q: a request is answered", protos)
		}
		conn.Close()
	}
	if answered {
		t.Error("a request has come in without a certificate")
	}
}
