package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	bad "bendi/internal/badserver"
)

// A lab is one `bendi serve` with a bad backend for each fault, and a sound one
// that stands behind them.
type lab struct {
	*server
	dir   string
	sound *bad.Server
	by    map[string]*bad.Server // by the name of the backend
	ca    *authority

	mu    sync.Mutex
	table []string
}

// newLab starts it. Extra are backends that single tests ask, by name.
func newLab(t *testing.T, faults []fault, extra []fault) *lab {
	l := &lab{dir: t.TempDir(), by: map[string]*bad.Server{}}
	l.ca = newAuthority(t, l.dir)
	l.sound = l.serve(t, always(bad.Answer(secondText)...))
	var backends, models strings.Builder
	for _, f := range slices.Concat(faults, extra) {
		name, url := f.id(), ""
		if f.url != nil {
			url = f.url(l)
		} else {
			l.by[name] = l.serve(t, f.play)
			url = "http://" + l.by[name].Addr() + "/v1"
		}
		where := "url: " + url
		if path, ok := strings.CutPrefix(url, "unix:"); ok {
			where = "socket: " + path
		}
		fmt.Fprintf(&backends, "  %s:\n    %s\n    zone: inside\n    key: %s\n    probe: off\n    models: {alone: {}, alone-stream: {}, pair: {}, pair-stream: {}}\n", name, where, "${CHAOS_KEY}")
		if !f.keeps {
			fmt.Fprintf(&backends, "    max_idle: 0\n")
		}
		if f.config != "" {
			fmt.Fprintf(&backends, "    %s\n", strings.ReplaceAll(f.config, "CA", l.ca.file))
		}
		fmt.Fprintf(&models, "      - %s/alone\n      - %[1]s/alone-stream\n      - {id: %[1]s/pair, tiers: [[%[1]s/pair], [sound/%[1]s]]}\n      - {id: %[1]s/pair-stream, tiers: [[%[1]s/pair-stream], [sound/%[1]s-stream]]}\n", name)
	}
	fmt.Fprintf(&backends, "  sound:\n    url: http://%s/v1\n    zone: inside\n    probe: off\n    max_idle: 0\n    models:\n", l.sound.Addr())
	for _, f := range slices.Concat(faults, extra) {
		fmt.Fprintf(&backends, "      %s: {}\n      %[1]s-stream: {}\n", f.id())
	}
	t.Setenv("CHAOS_KEY", keyCanary)
	l.server = start(t, "log: {level: debug}\nbackends:\n"+backends.String()+"routes:\n  - path: /v1/chat\n    models:\n      - bendi-demo\n"+models.String()).ready(t)
	return l
}

// id is the name of the fault's backend.
func (f *fault) id() string {
	number, _, _ := strings.Cut(f.name, " ")
	return "f" + number
}

func (l *lab) serve(t *testing.T, play func(n int) bad.Script) *bad.Server {
	s, err := bad.Listen(func(c *bad.Call) bad.Script { return play(c.Number) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// must is err, which ends the test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (l *lab) closedPort() string {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	listener.Close()
	return "http://" + listener.Addr().String() + "/v1"
}

// blackHole is a port whose queue of connections is full: the system answers no
// further one.
func (l *lab) blackHole() string {
	fd := must(syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0))
	must(0, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(0, syscall.Listen(fd, 0))
	address := fmt.Sprintf("127.0.0.1:%d", must(syscall.Getsockname(fd)).(*syscall.SockaddrInet4).Port)
	for range 4 {
		go net.DialTimeout("tcp", address, 2*time.Minute) // they live as long as the test's process
	}
	time.Sleep(100 * time.Millisecond)
	return "http://" + address + "/v1"
}

// deadSocket is the file of a socket whose process has died.
func (l *lab) deadSocket() string {
	path := filepath.Join(l.dir, "dead.sock")
	listener := must(net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}))
	listener.SetUnlinkOnClose(false)
	listener.Close()
	return "unix:" + path
}

func (l *lab) strangersTLS() string { return l.tls(&tls.Config{}, "127.0.0.1", time.Hour) }
func (l *lab) soundTLS() string     { return l.tls(&tls.Config{}, "127.0.0.1", time.Hour) }
func (l *lab) expiredTLS() string   { return l.tls(&tls.Config{}, "127.0.0.1", -time.Hour) }
func (l *lab) otherTLS() string     { return l.tls(&tls.Config{}, "127.0.0.2", time.Hour) }
func (l *lab) oldTLS() string {
	return l.tls(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, "127.0.0.1", time.Hour)
}

// tls serves answers with a certificate of the lab's authority.
func (l *lab) tls(config *tls.Config, host string, valid time.Duration) string {
	config.Certificates = []tls.Certificate{l.ca.issue(host, valid)}
	s := must(bad.ListenTLS(config, func(*bad.Call) bad.Script { return bad.Answer(pieces...) }))
	return "https://" + s.Addr() + "/v1"
}

func (l *lab) noTLS() string {
	s := must(bad.Listen(func(*bad.Call) bad.Script { return bad.Answer(pieces...) }))
	return "https://" + s.Addr() + "/v1"
}

// slowTLS takes connections and never says a word.
func (l *lab) slowTLS() string {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	return "https://" + listener.Addr().String() + "/v1"
}

// An authority issues certificates.
type authority struct {
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir string) *authority {
	a := &authority{file: filepath.Join(dir, "ca.pem"), key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, form, form, a.key.Public(), a.key))
	a.cert = must(x509.ParseCertificate(der))
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) issue(host string, valid time.Duration) tls.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	form := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(valid),
	}
	return tls.Certificate{Certificate: [][]byte{must(x509.CreateCertificate(rand.Reader, form, a.cert, key.Public(), a.key))}, PrivateKey: key}
}
