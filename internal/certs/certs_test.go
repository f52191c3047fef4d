package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// An alter changes a certificate before it is signed.
type alter func(*x509.Certificate)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// root makes an authority that nobody has signed but itself.
func root(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(5, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = signBy(t, template, template, a.key.Public(), a.key)
	return a
}

// under makes an authority that a has signed.
func (a *authority) under(t testing.TB, name string, alters ...alter) *authority {
	t.Helper()
	b := &authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(3, 0, 0), KeyUsage: x509.KeyUsageCertSign,
		IssuingCertificateURL: []string{"http://ca.example/" + strings.ReplaceAll(a.cert.Subject.CommonName, " ", "") + ".der"},
	}
	for _, alter := range alters {
		alter(template)
	}
	b.cert = signBy(t, template, a.cert, b.key.Public(), a.key)
	return b
}

// leaf makes the certificate of a server for localhost and 127.0.0.1.
func (a *authority) leaf(t testing.TB, key crypto.Signer, alters ...alter) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 3, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IssuingCertificateURL: []string{"http://ca.example/" + strings.ReplaceAll(a.cert.Subject.CommonName, " ", "") + ".der"},
	}
	for _, alter := range alters {
		alter(template)
	}
	return signBy(t, template, a.cert, key.Public(), a.key)
}

func signBy(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// store writes certificates and a key into a folder and returns their files.
func store(t testing.TB, key crypto.Signer, certs ...*x509.Certificate) Settings {
	t.Helper()
	dir := t.TempDir()
	s := Settings{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	writeCerts(t, s.CertFile, certs...)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	return s
}

func writeCerts(t testing.TB, path string, certs ...*x509.Certificate) string {
	t.Helper()
	var text []byte
	for _, cert := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	put(t, path, text, 0o644)
	return path
}

func put(t testing.TB, path string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, text, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// What a client would refuse is refused here, with what is wrong and what to do.
func TestLoad(t *testing.T) {
	top := root(t, "Test Root")
	middle := top.under(t, "Test Intermediate")
	stale := top.under(t, "Stale Intermediate", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	stranger := root(t, "Stranger")
	key := newKey(t)
	leaf := middle.leaf(t, key)
	dir := t.TempDir()
	roots := writeCerts(t, filepath.Join(dir, "root.pem"), top.cert)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	full := func(key crypto.Signer, alters ...alter) Settings {
		return store(t, key, middle.leaf(t, key, alters...), middle.cert)
	}
	with := func(s Settings, changes ...func(*Settings)) Settings {
		for _, change := range changes {
			change(&s)
		}
		return s
	}
	tests := []struct {
		name  string
		s     Settings
		words []string // in the error; none: it is taken
		warns []string
	}{
		{"a whole chain", full(key), nil, nil},
		{"with its root", store(t, key, leaf, middle.cert, top.cert), nil, nil},
		{"out of order", store(t, key, middle.cert, leaf), nil, []string{"not in order"}},
		{"one that does not belong", store(t, key, leaf, stranger.cert, middle.cert), nil, []string{"Stranger", "belong to no chain"}},
		{"without the intermediate", store(t, key, leaf), []string{"chain", "Test Intermediate", "missing", "curl -s http://ca.example/TestIntermediate.der", "append"}, nil},
		{"of a root that is not known", with(store(t, key, leaf, middle.cert), func(s *Settings) { s.RootFile = "" }), []string{"Test Root", "missing", "root_file"}, nil},
		{"signed by itself", func() Settings {
			k := newKey(t)
			c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "alone"}, DNSNames: []string{"alone"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 3, 0)}
			return store(t, k, signBy(t, c, c, k.Public(), k))
		}(), nil, []string{"signed by itself"}},
		{"another key", func() Settings { s := full(key); s.KeyFile = full(newKey(t)).KeyFile; return s }(), []string{"key", "is not that of the certificate"}, nil},
		{"a key that others can read", func() Settings { s := full(key); os.Chmod(s.KeyFile, 0o644); return s }(), []string{"0644", "chmod 600"}, nil},
		{"a key that a group can read", func() Settings { s := full(key); os.Chmod(s.KeyFile, 0o640); return s }(), []string{"0640", "chmod 600"}, nil},
		{"no key", with(full(key), func(s *Settings) { s.KeyFile = filepath.Join(dir, "none") }), []string{"there is no file", "none"}, nil},
		{"a certificate for a key", func() Settings {
			s := full(key)
			s.KeyFile = writeCerts(t, filepath.Join(t.TempDir(), "k"), leaf)
			os.Chmod(s.KeyFile, 0o600)
			return s
		}(), []string{"holds no private key"}, nil},
		{"no certificate", with(full(key), func(s *Settings) { s.CertFile = s.KeyFile }), []string{"holds no certificate in PEM"}, nil},
		{"expired", full(key, func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 0, -3) }), []string{"expired", "3 days ago"}, nil},
		{"not yet", full(key, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(2 * time.Hour) }), []string{"only from", "clock"}, nil},
		{"an intermediate that has expired", store(t, key, stale.leaf(t, key), stale.cert), []string{"Stale Intermediate has expired"}, nil},
		{"soon", full(key, func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 0, 6).Add(time.Hour) }), nil, []string{"in 6 days"}},
		{"no names", full(key, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }), []string{"subject alternative name"}, nil},
		{"not for servers", full(key, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), []string{"serverAuth"}, nil},
		{"a short key", full(small), []string{"1024 bits"}, nil},
		{"clients of no CA", with(full(key), func(s *Settings) { s.ClientCAFile = s.KeyFile }), []string{"client CA", "holds no certificate"}, nil},
		{"clients of a file that is gone", with(full(key), func(s *Settings) { s.ClientCAFile = filepath.Join(dir, "gone") }), []string{"client CA", "there is no file"}, nil},
		{"clients of what is no CA", with(full(key), func(s *Settings) { s.ClientCAFile = writeCerts(t, filepath.Join(dir, "leaf.pem"), leaf) }), []string{"localhost", "is not a CA"}, nil},
		{"clients of a CA that has expired", with(full(key), func(s *Settings) { s.ClientCAFile = writeCerts(t, filepath.Join(dir, "stale.pem"), stale.cert) }), []string{"no CA that has not expired"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name != "of a root that is not known" {
				tt.s.RootFile = roots
			}
			id, err := Load(tt.s, time.Now())
			if (err == nil) != (len(tt.words) == 0) {
				t.Fatalf("error %v, want one about %q", err, tt.words)
			}
			if err == nil {
				err = errorOf(id.Warnings)
				tt.words = tt.warns
				if len(tt.warns) == 0 && len(id.Warnings) > 0 {
					t.Errorf("warns of %q", id.Warnings)
				}
			}
			for _, word := range tt.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q is not in %q", word, err)
				}
			}
		})
	}
}

type errorOf []string

func (e errorOf) Error() string { return strings.Join(e, "\n") }

// However a file is broken, it is said what is wrong with it and nothing of it
// is served.
func FuzzInspect(f *testing.F) {
	top := root(f, "Test Root")
	key := newKey(f)
	s := store(f, key, top.leaf(f, key), top.cert)
	good, err := os.ReadFile(s.CertFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := s
		s.CertFile = filepath.Join(t.TempDir(), "cert.pem")
		put(t, s.CertFile, text, 0o644)
		id, found := Inspect(s, time.Now(), English)
		if (id == nil) != found.Failed() {
			t.Errorf("identity %v with findings %v", id, found)
		}
	})
}

// What is made is taken, by this package and by others; it is private; and a CA
// goes on signing.
func TestMake(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	order := Order{Dir: dir, Hosts: []string{"bendi.example", "10.1.2.3", "::1"}, Clients: []string{"phone"}, Now: time.Now()}
	made, err := Make(order)
	if err != nil {
		t.Fatal(err)
	}
	s := Settings{CertFile: made.Server, KeyFile: made.ServerKey, RootFile: made.CA, ClientCAFile: made.CA}
	first, err := Load(s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Warnings) > 0 {
		t.Errorf("warns of %q", first.Warnings)
	}
	for _, host := range order.Hosts {
		if err := first.Leaf().VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	for _, file := range []string{made.CAKey, made.ServerKey, KeyBeside(made.Clients["phone"])} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	order.Clients = []string{"laptop"}
	again, err := Make(order)
	if err != nil || again.NewCA {
		t.Fatalf("%v, a new CA: %v", err, again.NewCA)
	}
	second, err := Load(s, time.Now())
	if err != nil || second.Equal(first) {
		t.Errorf("renewed: %v, the same: %v", err, second.Equal(first))
	}
	for what, order := range map[string]Order{
		"is there already": {Dir: dir, Clients: []string{"phone"}, Now: time.Now()},
		"letters, digits":  {Dir: dir, Clients: []string{"../x"}, Now: time.Now()},
		"without a port":   {Dir: dir, Hosts: []string{"bendi.example:443"}, Now: time.Now()},
	} {
		if _, err := Make(order); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v: %v, want one about %q", order, err, what)
		}
	}
}

// A CA that is constrained signs for its hosts alone.
func TestConstrain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	if _, err := Make(Order{Dir: dir, Hosts: []string{"bendi.example", "10.1.2.3"}, Clients: []string{"phone"}, Constrain: true, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(Order{Dir: dir, Hosts: []string{"a.bendi.example"}, Now: time.Now()}); err != nil {
		t.Error(err)
	}
	for _, host := range []string{"bank.example", "10.1.2.4"} {
		if _, err := Make(Order{Dir: dir, Hosts: []string{host}, Now: time.Now()}); err == nil || !strings.Contains(err.Error(), "may not sign") {
			t.Errorf("%s: %v, want that the CA may not", host, err)
		}
	}
}
