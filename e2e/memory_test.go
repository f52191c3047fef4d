package e2e_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bendi/internal/certs"
	"bendi/internal/redistest"
)

// The long form of these tests is `make memory`.
var (
	kills   = flag.Int("kills", 10, "how often the gateway is killed while turns are written")
	tenancy = flag.Duration("tenancy", 2*time.Second, "how long two tenants hammer the same sessions")
)

// A writer is a client that writes turns to sessions of its own, and knows what
// was acknowledged.
type writer struct {
	http    http.Client
	key     string
	session string
	said    int      // questions asked
	stored  []string // those whose answers were whole
}

func newWriter(key, session string) *writer {
	return &writer{key: key, session: session, http: http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}}
}

// ask has a turn answered, and returns what the answer says of its memory.
func (w *writer) ask(url, question string) (status int, header http.Header, err error) {
	body, _ := json.Marshal(map[string]any{"model": "up/echo", "messages": []any{map[string]string{"role": "user", "content": question}}})
	req, err := http.NewRequest(http.MethodPost, url+"/v1/chat", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+w.key)
	req.Header.Set("X-Session-ID", w.session)
	resp, err := w.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header, err
}

// write writes turns until the gateway is gone.
func (w *writer) write(url string) {
	for {
		question := fmt.Sprintf("%s-%d", w.session, w.said)
		w.said++
		status, _, err := w.ask(url, question)
		if err != nil {
			return
		}
		if status == http.StatusOK {
			w.stored = append(w.stored, question)
		}
	}
}

// remembered returns the questions of a session, in order.
func (s *server) remembered(t testing.TB, key, session string) []string {
	t.Helper()
	status, _, body := s.do(t, http.MethodGet, "/v1/sessions/"+session+"/export", key, "", "")
	if status == http.StatusNotFound {
		return nil
	}
	var export struct {
		Messages []struct{ Role, Content string }
	}
	if status != http.StatusOK || json.Unmarshal([]byte(body), &export) != nil {
		t.Fatalf("the export of %s: %d %s", session, status, body)
	}
	var questions []string
	for i, m := range export.Messages {
		switch {
		case m.Role == "user":
			questions = append(questions, m.Content)
		case i == 0 || m.Content != export.Messages[i-1].Content:
			t.Errorf("session %s: message %d is %q, and not the echo of the one before", session, i, m.Content)
		}
	}
	return questions
}

// check has every acknowledged question be there once and in order. What was
// not acknowledged may be there as well.
func (w *writer) check(t testing.TB, s *server) {
	t.Helper()
	have := s.remembered(t, w.key, w.session)
	at := 0
	for _, question := range w.stored {
		i := slices.Index(have[at:], question)
		if i < 0 {
			t.Errorf("session %s: the acknowledged turn %s is lost; it has %d turns, and the last are %v", w.session, question, len(have), have[max(0, len(have)-3):])
			return
		}
		at += i + 1
	}
	for i, question := range have {
		if slices.Contains(have[i+1:], question) {
			t.Errorf("session %s: the turn %s is there twice", w.session, question)
		}
	}
}

const (
	shopKey = "shop-secret-0123456789"
	bankKey = "bank-secret-0123456789"
)

// remembering is a configuration of two keys and an upstream that echoes.
func remembering(t testing.TB, u *upstream, more string) string {
	return fmt.Sprintf(`
data: %s
log: {level: error}
access:
  keys:
    - {name: shop, key_file: %s, admin: true}
    - {name: bank, key_file: %s}
backends:
  up: {url: %s/v1, zone: inside, probe: off, models: {echo: {context: 1000000}}}
routes:
  - {path: /v1/chat, models: [up/echo], filter: off}
%s`, t.TempDir(), writeFile(t, "shop", shopKey), writeFile(t, "bank", bankKey), u.URL, more)
}

// A gateway that is killed while clients write turns loses none that it has
// acknowledged, and its store is whole, however often that happens.
func TestKilledGatewayLosesNoTurn(t *testing.T) {
	config := remembering(t, newUpstream(t), "sessions: {max_size: 64MiB}\n")
	acknowledged := 0
	var writers []*writer
	for round := range *kills {
		s := start(t, config).ready(t)
		if round%20 == 0 { // a session that goes on for ever is another test
			writers = nil
			for w := range 4 {
				writers = append(writers, newWriter(shopKey, fmt.Sprintf("w%d-%d", round, w)))
			}
		}
		var wg sync.WaitGroup
		for _, w := range writers {
			wg.Go(func() { w.write(s.url) })
		}
		time.Sleep(time.Duration(50+rand.IntN(300)) * time.Millisecond)
		s.signal(t, syscall.SIGKILL)
		s.exit(t, 10*time.Second)
		wg.Wait()

		s = start(t, config).ready(t)
		for _, w := range writers {
			w.check(t, s)
		}
		verify := bendi(t, "sessions", "verify", "--server", s.url)
		verify.Env = append(verify.Env, "BENDI_API_KEY="+shopKey)
		if out, err := verify.CombinedOutput(); err != nil {
			t.Errorf("after kill %d: %v: %s", round+1, err, out)
		}
		s.signal(t, syscall.SIGKILL)
		s.exit(t, 10*time.Second)
		if t.Failed() {
			return
		}
		if round%20 == 19 || round == *kills-1 {
			for _, w := range writers {
				acknowledged += len(w.stored)
			}
		}
	}
	t.Logf("%d kills, %d turns were acknowledged and none is lost", *kills, acknowledged)
}

// Two tenants that use the same ids at once never see a word of each other.
func TestTenantsNeverMeetOverHTTP(t *testing.T) {
	s := start(t, remembering(t, newUpstream(t), "")).ready(t)
	var asked, reads atomic.Int64
	until := time.Now().Add(*tenancy)
	var wg sync.WaitGroup
	for _, key := range []string{shopKey, bankKey} {
		mine, other := key[:4], map[string]string{shopKey: "bank", bankKey: "shop"}[key]
		for worker := range 3 {
			wg.Go(func() {
				w := newWriter(key, "") // one, since each has connections of its own
				for i := 0; time.Now().Before(until); i++ {
					id := fmt.Sprint("id", (i+worker)%5)
					w.session = id
					status, header, err := w.ask(s.url, fmt.Sprint(mine, "-", worker, "-", i))
					if err != nil || status != http.StatusOK && status != http.StatusConflict {
						t.Errorf("%d, %v, %v", status, header, err)
						return
					}
					asked.Add(1)
					for _, path := range []string{"/v1/sessions/" + id, "/v1/sessions/" + id + "/export"} {
						if _, _, body := s.do(t, http.MethodGet, path, key, "", ""); strings.Contains(body, other+"-") {
							t.Errorf("%s reads of %s at %s", mine, other, path)
							return
						}
						reads.Add(1)
					}
					if i%20 == 19 {
						s.do(t, http.MethodDelete, "/v1/sessions/"+id, key, "", "")
					}
				}
			})
		}
	}
	wg.Wait()
	t.Logf("%d turns and %d reads in %v, none of another's", asked.Load(), reads.Load(), *tenancy)
}

// Two gateways on one Redis answer the turns of a session one after the other:
// each turn that was acknowledged is there once, whichever took it, and one that
// could not be is a conflict.
func TestTwoGatewaysShareASession(t *testing.T) {
	address := redistest.Start(t).Address
	u := newUpstream(t)
	for _, busy := range []string{"wait", "refuse"} {
		more := fmt.Sprintf("sessions: {store: redis, when_busy: %s}\nstores: {redis: {addresses: [%q], prefix: %s}}\n", busy, address, busy)
		gateways := []*server{start(t, remembering(t, u, more)).ready(t), start(t, remembering(t, u, more)).ready(t)}
		var mu sync.Mutex
		var stored []string
		conflicts := 0
		var wg sync.WaitGroup
		for c := range 6 {
			wg.Go(func() {
				w := newWriter(shopKey, "shared")
				for i := range 10 {
					question := fmt.Sprintf("%d-%d", c, i)
					status, header, err := w.ask(gateways[c%2].url, question)
					mu.Lock()
					switch {
					case err == nil && status == http.StatusOK:
						stored = append(stored, question)
					case err == nil && status == http.StatusConflict:
						conflicts++
					default:
						t.Errorf("%s: %d, %v, %v", busy, status, header, err)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		have := gateways[0].remembered(t, shopKey, "shared")
		slices.Sort(have)
		slices.Sort(stored)
		if !slices.Equal(have, stored) {
			t.Errorf("%s: %d turns are stored and %d were acknowledged:\n%v\n%v", busy, len(have), len(stored), have, stored)
		}
		if busy == "wait" && conflicts > 0 {
			t.Errorf("%d of 60 turns that should wait are conflicts", conflicts)
		}
		t.Logf("%s: %d turns acknowledged and stored, %d conflicts", busy, len(stored), conflicts)
	}
}

// Sessions go to Redis by TLS, with a password from a file and a certificate of
// ours; without that, or by another CA, Redis is not reached.
func TestRedisByTLS(t *testing.T) {
	house, err := certs.Make(certs.Order{Dir: filepath.Join(t.TempDir(), "house"), Hosts: []string{"127.0.0.1"}, Clients: []string{"gateway"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := certs.Make(certs.Order{Dir: filepath.Join(t.TempDir(), "stranger"), Hosts: []string{"127.0.0.1"}, Clients: []string{"gateway"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	redistest.Start(t, "tls-port "+port, "tls-cert-file "+house.Server, "tls-key-file "+house.ServerKey, "tls-ca-cert-file "+house.CA, "requirepass open-sesame")
	ours := fmt.Sprintf("cert_file: %s, key_file: %s", house.Clients["gateway"], certs.KeyBeside(house.Clients["gateway"]))
	password := "password_file: " + writeFile(t, "password", "open-sesame\n")
	u := newUpstream(t)
	for _, tt := range []struct {
		name, settings, session string
	}{
		{"all is right", "ca_file: " + house.CA + ", " + ours + ", " + password, "kept=0"},
		{"no certificate of ours", "ca_file: " + house.CA + ", " + password, "stateless"},
		{"another CA", "ca_file: " + stranger.CA + ", " + ours + ", " + password, "stateless"},
		{"no password", "ca_file: " + house.CA + ", " + ours, "stateless"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, remembering(t, u, fmt.Sprintf("sessions: {store: redis, when_down: stateless}\nstores: {redis: {addresses: [%q], tls: true, timeout: 5s, %s}}\n", "127.0.0.1:"+port, tt.settings))).ready(t)
			status, header, err := newWriter(shopKey, "s").ask(s.url, "q")
			if err != nil || status != http.StatusOK || header.Get("X-Bendi-Session") != tt.session {
				t.Errorf("%d, x-bendi-session %q, want %q, %v%v", status, header.Get("X-Bendi-Session"), tt.session, err, s)
			}
		})
	}
}

// What is wrong with the store keeps the start from being made, or is said.
func TestDamagedStoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sessions.db"), bytes.Repeat([]byte("this is no database. "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "", "serve", "--listen", "127.0.0.1:0", "--config", writeFile(t, "bendi.yaml", "data: "+dir+"\n")).want(t, 1, "sessions.db is damaged: put a copy of it back")
}
