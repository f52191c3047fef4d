package e2e_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// byPebble has a server order its certificate from Pebble, Let's Encrypt's CA
// for tests, which looks at the server's port as Let's Encrypt does, while
// clients have to show a certificate.
func byPebble(t *testing.T, _ *siege) {
	const local = "127.0.0.1:"
	pebble, names := security(t, "pebble"), security(t, "pebble-challtestsrv")
	dir := t.TempDir()
	if out, err := bendiIn(t, dir, "tls", "init", "--dir", "tls", "--host", "localhost", "--client", "phone").CombinedOutput(); err != nil {
		t.Fatalf("bendi tls init: %v\n%s", err, out)
	}
	port := freePort(t)
	listen, directory, manage, dns, control := local+freePort(t), local+port, local+freePort(t), local+freePort(t), local+freePort(t)
	tlsPort, err := strconv.Atoi(strings.TrimPrefix(listen, local))
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": directory, "managementListenAddress": manage, "tlsPort": tlsPort, "httpPort": 1,
		"certificate": filepath.Join(dir, "tls", "server.pem"), "privateKey": filepath.Join(dir, "tls", "server-key.pem"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	background(t, exec.Command(names, "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dnsserver", dns, "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-management", control))
	background(t, exec.Command(pebble, "-config", writeFile(t, "pebble.json", string(settings)), "-dnsserver", dns))
	for _, addr := range []string{directory, dns} {
		eventually(t, 20*time.Second, "an answer of "+addr, func() bool {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
	config := fmt.Sprintf(`server: {tls: {client_ca_file: %[1]s/tls/ca.pem, acme: {domains: [bendi.example.com], accept_terms: true, directory: "https://localhost:%[2]s/dir", ca_file: %[1]s/tls/ca.pem}}}
`, dir, port)
	s := started(t, bendiIn(t, dir, "serve", "--listen", listen, "--config", writeFile(t, "bendi.yaml", config)))
	eventually(t, 40*time.Second, "a certificate by Pebble", func() bool {
		return strings.Contains(s.stderr.String(), `msg="tls: the certificate is in force" name=bendi.example.com`)
	})
	conn, err := tls.Dial("tcp", listen, &tls.Config{ServerName: "bendi.example.com", InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err == nil {
		conn.Close()
		t.Errorf("a client without a certificate is let in%v", s)
	}
	conn, err = tls.Dial("tcp", listen, &tls.Config{ServerName: "bendi.example.com", InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"}})
	if err == nil {
		conn.Close()
		t.Errorf("a challenge is answered that there is not%v", s)
	}
}

// security returns a program that `make security` installs.
func security(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(home(t), "bin", ".security", name)
	if _, err := os.Stat(path); err != nil {
		t.Skip(name + " is not installed; `make security` does that")
	}
	return path
}

// background runs a program until the test ends.
func background(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}
