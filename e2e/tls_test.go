package e2e_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A vault is a folder with what `bendi tls init` makes.
type vault struct{ dir string }

func newVault(t *testing.T) vault {
	t.Helper()
	v := vault{filepath.Join(t.TempDir(), "tls")}
	v.make(t, "--client", "phone")
	return v
}

// make makes a certificate for the server, and what else is asked for.
func (v vault) make(t *testing.T, more ...string) {
	t.Helper()
	run(t, "", append([]string{"tls", "init", "--dir", v.dir, "--host", "127.0.0.1,localhost"}, more...)...).want(t, 0)
}

func (v vault) file(name string) string { return filepath.Join(v.dir, name) }

// settings are those of a server that shows the certificate.
func (v vault) settings(more string) string {
	return fmt.Sprintf("server: {tls: {cert_file: %s, key_file: %s, root_file: %s%s}}\n", v.file("server.pem"), v.file("server-key.pem"), v.file("ca.pem"), more)
}

// trust returns what a client connects by that knows the CA.
func (v vault) trust(t *testing.T) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(v.file("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("ca.pem holds no certificate")
	}
	return &tls.Config{RootCAs: pool}
}

// client returns a client that knows the CA, with a certificate of its own where
// one is named.
func (v vault) client(t *testing.T, name string) *http.Client {
	t.Helper()
	c := v.trust(t)
	if name != "" {
		cert, err := tls.LoadX509KeyPair(v.file("client-"+name+".pem"), v.file("client-"+name+"-key.pem"))
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// serial returns the number of the certificate that a server shows now.
func (v vault) serial(t *testing.T, s *server) string {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), v.trust(t))
	if err != nil {
		t.Fatalf("%v%v", err, s)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// notes returns what /readyz has to say.
func notes(t *testing.T, client *http.Client, url string) []string {
	t.Helper()
	resp, err := client.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct {
		Notes []string `json:"notes"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return body.Notes
}

// TestTLS serves with a certificate and exchanges it for another one while an
// answer is under way, which goes on; a pair that must not be served is not, and
// the server says so and goes on with what it had.
func TestTLS(t *testing.T) {
	v := newVault(t)
	s := start(t, v.settings(""))
	s.listening(t)
	client := v.client(t, "")
	resp, err := client.Post(s.url+"/v1/chat", "application/json", strings.NewReader(question("你好", `"stream":true`, `"max_tokens":200`)))
	if err != nil {
		t.Fatalf("%v%v", err, s)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Errorf("spoke %s, want HTTP/2", resp.Proto)
	}
	stream := bufio.NewReader(resp.Body)
	if _, err := stream.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	before := v.serial(t, s)
	v.make(t)
	eventually(t, within(20*time.Second), "the new certificate", func() bool { return v.serial(t, s) != before })
	rest, err := io.ReadAll(stream)
	if err != nil || !strings.Contains(string(rest), "[DONE]") {
		t.Errorf("the answer under way ended with %v: %q", err, rest)
	}

	now := v.serial(t, s)
	if err := os.Chmod(v.file("server-key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(v.file("server-key.pem"), later, later); err != nil {
		t.Fatal(err)
	}
	eventually(t, within(20*time.Second), "the refusal", func() bool { return strings.Contains(s.stderr.String(), "chmod 600") })
	if got := v.serial(t, s); got != now {
		t.Error("the certificate has changed all the same")
	}
	if n := notes(t, client, s.url); len(n) != 1 || !strings.Contains(n[0], "not taken") {
		t.Errorf("/readyz notes %q", n)
	}
}

// TestBadCertificates does not start with what clients would refuse.
func TestBadCertificates(t *testing.T) {
	v := newVault(t)
	serve := func() result {
		return run(t, "", "serve", "--listen", "127.0.0.1:0", "--tls-cert", v.file("server.pem"), "--tls-key", v.file("server-key.pem"))
	}
	serve().want(t, 2, "chain", "Bendi private CA", "missing", "server.tls.root_file")
	if err := os.Chmod(v.file("server-key.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	serve().want(t, 2, "0640", "chmod 600")
	run(t, "", "serve", "--listen", "127.0.0.1:0", "--tls-cert", v.file("server.pem")).want(t, 2, "server.tls.key_file", "missing")
	run(t, "", "serve", "--listen", "127.0.0.1:0", "--tls-cert", v.file("server.pem"), "--tls-key", v.file("ca-key.pem")).want(t, 2, "is not that of the certificate")
}

// TestClientCertificates lets in only who has one, and stays so when the file of
// the CA is broken.
func TestClientCertificates(t *testing.T) {
	v := newVault(t)
	ca := writeFile(t, "clients.pem", read(t, v.file("ca.pem")))
	s := start(t, v.settings(", client_ca_file: "+ca))
	s.listening(t)
	get := func(name string) error {
		resp, err := v.client(t, name).Get(s.url + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := get("phone"); err != nil {
		t.Errorf("with a certificate: %v%v", err, s)
	}
	if err := get(""); err == nil {
		t.Error("without a certificate: let in")
	}
	if err := os.WriteFile(ca, []byte("-----BEGIN CERTIFICATE-----\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, within(20*time.Second), "the refusal", func() bool { return strings.Contains(s.stderr.String(), "holds no certificate") })
	if err := get(""); err == nil {
		t.Error("without a certificate, when the CA's file is broken: let in")
	}
	if err := get("phone"); err != nil {
		t.Errorf("with a certificate, when the CA's file is broken: %v", err)
	}
	addr := strings.TrimPrefix(s.url, "https://")
	run(t, "", "tls", "check", addr, "--root", v.file("ca.pem")).want(t, 0, "a certificate of the client is asked for")
	run(t, "", "tls", "check", addr, "--root", v.file("ca.pem"), "--cert", v.file("client-phone.pem"), "--key", v.file("client-phone-key.pem")).want(t, 0, "nothing is wrong")
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTLSCheck says what is wrong with a server, and that its output can be
// read by machines.
func TestTLSCheck(t *testing.T) {
	v := newVault(t)
	s := start(t, v.settings(""))
	s.listening(t)
	addr := strings.TrimPrefix(s.url, "https://")
	run(t, "", "tls", "check", addr, "--root", v.file("ca.pem")).want(t, 0, "ok    chain", "TLS 1.3, TLS 1.2, nothing older", "h2", "nothing is wrong")
	run(t, "", "tls", "check", addr).want(t, 3, "fail  chain", "is missing")
	run(t, "", "tls", "check", addr, "--root", v.file("ca.pem"), "--name", "other.example").want(t, 3, "fail  names", "other.example")
	run(t, "", "tls", "check", "nothing:to:see").want(t, 2, "HOST:PORT")
	r := run(t, "", "tls", "check", addr, "-o", "json")
	var found []struct{ Check, Status, Detail string }
	if err := json.Unmarshal([]byte(r.stdout), &found); err != nil || len(found) < 5 {
		t.Errorf("as JSON: %v%v", err, r)
	}
	run(t, "", "tls", "doctor").want(t, 0, "off")
}

// TestAdminListen has what the operator asks at an address of its own, and
// nowhere else.
func TestAdminListen(t *testing.T) {
	v := newVault(t)
	s := start(t, strings.Replace(v.settings(""), "server: {", "server: {admin_listen: '127.0.0.1:0', ", 1))
	s.listening(t)
	_, rest, _ := strings.Cut(s.stdout.String(), "operator ")
	back, _, _ := strings.Cut(rest, "\n")
	if !strings.HasPrefix(back, "http://127.0.0.1:") {
		t.Fatalf("no address of the operator is printed%v", s)
	}
	client := v.client(t, "")
	for _, tt := range []struct {
		method, path string
		front, back  int
	}{
		{"GET", "/healthz", 200, 200}, {"GET", "/metrics", 404, 200}, {"GET", "/admin/adapters", 404, 200},
		{"GET", "/v1/models", 200, 404}, {"POST", "/admin/reload", 404, 200}, {"POST", "/v1/chat", 400, 404},
	} {
		for url, want := range map[string]int{s.url: tt.front, back: tt.back} {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, url+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				t.Fatalf("%v%v", err, s)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s %s%s: %d, want %d", tt.method, url, tt.path, resp.StatusCode, want)
			}
		}
	}
}
