package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bendi/internal/certs"
)

// relayFiles makes the certificate of a relay, and the key that it shares with
// its edge.
func relayFiles(t *testing.T) (house *certs.Made, shared string) {
	t.Helper()
	house, err := certs.Make(certs.Order{Dir: filepath.Join(t.TempDir(), "relay"), Hosts: []string{"127.0.0.1"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return house, writeFile(t, "berlin.key", strings.Repeat("0123456789abcdef", 4)+"\n")
}

// A backend over a link answers as any other does, the relay adds its key, and
// what is not granted is refused.
func TestLink(t *testing.T) {
	u := newUpstream(t)
	house, shared := relayFiles(t)
	address := "127.0.0.1:" + freePort(t)
	metrics := "127.0.0.1:" + freePort(t)
	relay := fmt.Sprintf(`
relay:
  listen: %s
  metrics_listen: %s
  cert_file: %s
  cert_key_file: %s
  upstreams:
    llm: {url: "%s/v1", key_file: %s}
  edges:
    berlin: {key_file: %s, upstreams: [llm]}
`, address, metrics, house.Server, house.ServerKey, u.URL, writeFile(t, "llm.key", upstreamKey+"\n"), shared)
	relayFile := writeFile(t, "relay.yaml", relay)
	startRelay := func() *server {
		s := started(t, bendi(t, "relay", "--config", relayFile))
		eventually(t, 30*time.Second, "the line that bendi relay prints", func() bool { return strings.Contains(s.stdout.String(), "wss://"+address) })
		return s
	}
	edge := fmt.Sprintf(`
models:
  demo: {path: %q, context: 2048, slots: 2, threads: 1, load: demand}
relays:
  overseas: {addresses: ["wss://%s"], name: berlin, key_file: %s, ca_file: %s}
backends:
  cloud: {url: "%s/v1", zone: inside, link: overseas, models: {echo: {}}}
  barred: {url: "%s/v2", zone: inside, link: overseas, probe: "off", models: {echo: {}}}
routes:
  - {path: /v1/chat, models: [cloud/echo, barred/echo, demo]}
`, demo(t, demoModel), address, shared, house.CA, u.URL, u.URL)
	file := writeFile(t, "bendi.yaml", edge)
	run(t, "", "doctor", "--config", file).want(t, 3, "relays overseas", "connection refused")

	run(t, "", "doctor", "--config", relayFile).want(t, 0, "berlin may come by key, and ask llm", "llm: ", "takes what the relay shows it")
	r := startRelay()
	run(t, "", "doctor", "--config", relayFile).want(t, 0, "a relay with this certificate answers at "+address)
	run(t, "", "doctor", "--config", file).want(t, 3, "relays overseas: "+address+" is there", "relays overseas: linked to "+address, "cloud: it is there, and has the models", "barred")
	s := start(t, edge).ready(t)
	status, answer := s.ask(t, "/v1/chat", `{`+model("cloud/echo")+`,"messages":[{"role":"user","content":"over the link"}]}`)
	if status != 200 || !strings.Contains(fmt.Sprint(answer), "over the link") {
		t.Errorf("status %d, %v%v", status, answer, s)
	}
	if heard := u.heard(); !strings.Contains(heard, "X-Bendi-Edge:[berlin]") || !strings.Contains(heard, upstreamKey) {
		t.Errorf("the upstream has heard %s", heard)
	}
	if status, answer := s.ask(t, "/v1/chat", `{`+model("barred/echo")+`,"messages":[{"role":"user","content":"x"}]}`); status != 502 && status != 503 {
		t.Errorf("what is not granted: status %d, %v", status, answer)
	}
	eventually(t, 20*time.Second, "all links", func() bool { return strings.Contains(s.get(t, "/admin/links"), `"links":8`) })
	run(t, "", "link", "status", "--server", s.url).want(t, 0, "overseas", address, "8/8")
	var told string
	eventually(t, 20*time.Second, "all links at the relay", func() bool {
		told = (&server{url: "http://" + metrics}).get(t, "/metrics")
		return strings.Contains(told, `bendi_relay_connections{edge="berlin"} 8`)
	})
	for _, line := range []string{`bendi_relay_requests_total{edge="berlin",outcome="ungranted"} `, `bendi_relay_links_refused_total{reason="identity"} 0`} {
		if !strings.Contains(told, line) {
			t.Errorf("the relay's metrics lack %s:\n%s", line, told)
		}
	}

	r.signal(t, syscall.SIGTERM)
	if code := r.exit(t, 10*time.Second); code != 0 {
		t.Errorf("the relay ended with code %d%v", code, r)
	}
	eventually(t, 10*time.Second, "the end of the links", func() bool { return strings.Contains(s.get(t, "/admin/links"), `"links":0`) })
	run(t, "", "link", "status", "--server", s.url).want(t, 3, "overseas", "0/8")
	startRelay()
	eventually(t, 20*time.Second, "the links to come back", func() bool { return strings.Contains(s.get(t, "/admin/links"), `"links":8`) })
}

// A relay that anybody could use does not start.
func TestRelayIsRefused(t *testing.T) {
	house, _ := relayFiles(t)
	pair := "cert_file: " + house.Server + ", cert_key_file: " + house.ServerKey
	empty := writeFile(t, "empty.key", "\n")
	for name, tt := range map[string]struct{ config, want string }{
		"without TLS":      {"relay: {edges: {a: {key_file: " + empty + "}}}", "32 are needed"},
		"without edges":    {"relay: {" + pair + "}", "has no edges"},
		"an empty key":     {"relay: {" + pair + ", edges: {a: {key_file: " + empty + "}}}", "32 are needed"},
		"nothing to show":  {"relay: {" + pair + ", edges: {a: {}}}", "nothing says how it shows who it is"},
		"no such upstream": {"relay: {edges: {a: {token: true, upstreams: [b]}}}", `no upstream "b"`},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, "", "relay", "--config", writeFile(t, filepath.Base(t.Name())+".yaml", tt.config+"\n")).want(t, 2, tt.want)
		})
	}
}
