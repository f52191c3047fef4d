package certs

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A server is seen as clients see it.
func TestExamine(t *testing.T) {
	top := root(t, "Test Root")
	middle := top.under(t, "Test Intermediate")
	key := newKey(t)
	good, bare := []*x509.Certificate{middle.leaf(t, key), middle.cert}, []*x509.Certificate{middle.leaf(t, key)}
	expired := []*x509.Certificate{middle.leaf(t, key, func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 0, -2) }), middle.cert}
	tests := []struct {
		name   string
		chain  []*x509.Certificate
		config *tls.Config
		asFor  string
		want   []string // status, check and words of findings
	}{
		{"nothing wrong", good, &tls.Config{}, "localhost", []string{"ok chain complete", "ok names localhost", "ok dates", "ok versions TLS 1.3, TLS 1.2", "ok alpn h2", "ok ocsp no responder", "ok clock", "ok hsts"}},
		{"no intermediate", bare, &tls.Config{}, "localhost", []string{"fail chain Test Intermediate", "fail chain ca.example"}},
		{"another name", good, &tls.Config{}, "bendi.example", []string{"fail names bendi.example", "fail names 127.0.0.1"}},
		{"expired", expired, &tls.Config{}, "localhost", []string{"fail dates 2 days ago"}},
		{"old versions", good, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, "localhost", []string{"fail versions TLS 1.1, TLS 1.0", "warn ciphers CBC"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.EnableHTTP2 = true
			server.TLS = tt.config.Clone()
			cert := tls.Certificate{PrivateKey: key}
			for _, c := range tt.chain {
				cert.Certificate = append(cert.Certificate, c.Raw)
			}
			server.TLS.Certificates = []tls.Certificate{cert}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			found := Examine(t.Context(), Target{Address: server.Listener.Addr().String(), Name: tt.asFor, Roots: []*x509.Certificate{top.cert}, Say: English, Now: time.Now})
			for _, want := range tt.want {
				if !has(found, want) {
					t.Errorf("%q is not in %v", want, found)
				}
			}
			if failed := strings.Contains(strings.Join(tt.want, "\n"), "fail "); found.Failed() != failed {
				t.Errorf("failed = %v: %v", found.Failed(), found)
			}
		})
	}
}

// has reports whether there is a finding as want says: status, check, words.
func has(found Findings, want string) bool {
	parts := strings.SplitN(want+"  ", " ", 3)
	for _, f := range found {
		if f.Status == parts[0] && f.Check == parts[1] && strings.Contains(f.Detail+" "+f.Fix, strings.TrimSpace(parts[2])) {
			return true
		}
	}
	return false
}

// What is no server with TLS is told from one that is not there.
func TestExamineWhatIsNoTLS(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	for addr, want := range map[string]string{plain.Listener.Addr().String(): "fail connect without TLS", nobody: "fail connect refused"} {
		if found := Examine(t.Context(), Target{Address: addr, Say: English, Now: time.Now}); !has(found, want) {
			t.Errorf("%q is not in %v", want, found)
		}
	}
}
