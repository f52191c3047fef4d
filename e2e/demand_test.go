package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// twoOnDemand is a configuration of two copies of the demo model, which are
// loaded on demand, with room for one at a time.
func twoOnDemand(t testing.TB, more string) string {
	model := `
    path: ` + demo(t, demoModel) + `
    context: 2048
    slots: 4
    load: demand`
	return `
engine:
  memory_limit: 110MiB` + more + `
models:
  one:` + model + `
  two:` + model + `
routes:
  - path: /v1/chat
    models: [one, two]
`
}

// states returns what /readyz says of the models.
func (s *server) states(t testing.TB) map[string]string {
	t.Helper()
	res, err := http.Get(s.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct{ Models map[string]string }
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("/readyz: status %d, %v%v", res.StatusCode, err, s)
	}
	return body.Models
}

// TestLoadOnDemand has two models take turns in memory that holds one.
func TestLoadOnDemand(t *testing.T) {
	s := start(t, twoOnDemand(t, "")).ready(t)
	if n := len(s.workers()); n != 0 || !strings.Contains(s.stdout.String(), "one: not loaded yet") {
		t.Fatalf("before the first request there are %d workers%v", n, s)
	}
	ask := func(model string) (*stream, error) {
		st := s.stream(t, "/v1/chat", question("你好", `"stream":true`, `"model":"`+model+`"`))
		return st, st.whole()
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := ask("one"); err != nil {
				t.Errorf("one: %v", err)
			}
		})
	}
	wg.Wait()
	if st := s.states(t); len(s.workers()) != 1 || st["one"] != "loaded" || st["two"] != "unloaded" {
		t.Errorf("after 4 requests for one there are %d workers, and the models are %v%v", len(s.workers()), st, s)
	}
	if _, err := ask("two"); err != nil {
		t.Errorf("two: %v%v", err, s)
	}
	if st := s.states(t); len(s.workers()) != 1 || st["one"] != "unloaded" || st["two"] != "loaded" {
		t.Errorf("after a request for two there are %d workers, and the models are %v%v", len(s.workers()), st, s)
	}

	// While it is busy it stays, and the other is told to come back.
	busy := s.stream(t, "/v1/chat", `{"model":"two",`+long(t, 1900)[1:])
	res, err := http.Post(s.url+"/v1/chat", "application/json", strings.NewReader(question("你好", `"model":"one"`)))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" ||
		!strings.Contains(string(body), "insufficient_memory") || !strings.Contains(string(body), "two can be unloaded, which is busy now") {
		t.Errorf("while two is busy, one got status %d, Retry-After %q: %s", res.StatusCode, res.Header.Get("Retry-After"), body)
	}
	busy.body.Close()

	// A worker that is killed is loaded again when somebody asks.
	syscall.Kill(s.worker(t), syscall.SIGKILL)
	eventually(t, 5*time.Second, "the state of a dead model", func() bool { return s.states(t)["two"] == "unloaded" })
	if _, err := ask("two"); err != nil {
		t.Errorf("two after its death: %v%v", err, s)
	}
	list, err := http.Get(s.url + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Body.Close()
	text, _ := io.ReadAll(list.Body)
	if !strings.Contains(string(text), `"state":"loaded"`) || !strings.Contains(string(text), `"state":"unloaded"`) {
		t.Errorf("GET /v1/models says %s", text)
	}
}

// TestUnloadAfter has a model unloaded while nobody asks.
func TestUnloadAfter(t *testing.T) {
	s := start(t, fmt.Sprintf(`
models:
  demo: {path: %s, context: 2048, slots: 2, unload_after: 1s}
routes:
  - {path: /v1/chat, models: [demo]}
`, demo(t, demoModel))).ready(t)
	for range 2 {
		if err := s.stream(t, "/v1/chat", question("你好", `"stream":true`)).whole(); err != nil {
			t.Errorf("%v%v", err, s)
		}
		if st := s.states(t)["demo"]; st != "loaded" {
			t.Errorf("right after an answer it is %s", st)
		}
		eventually(t, within(5*time.Second), "a worker that is gone", func() bool { return len(s.workers()) == 0 })
	}
}

// TestDemandUnderFire asks two models in turn where one fits, and kills
// workers whatever they are doing. Every request ends with an answer or with a
// 503 that says when to come back, and afterwards both models answer.
func TestDemandUnderFire(t *testing.T) {
	s := start(t, twoOnDemand(t, "")).ready(t)
	ctx, stop := context.WithCancel(t.Context())
	var killer, clients sync.WaitGroup
	killer.Go(func() {
		for n := 0; n < 4 && ctx.Err() == nil; n++ { // five deaths would be a failure
			time.Sleep(time.Duration(200+100*n) * time.Millisecond)
			for _, pid := range s.workers() {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	var answered, refused, died atomic.Int64
	for i := range 8 {
		clients.Go(func() {
			model := []string{"one", "two"}[i%2]
			for range 12 {
				res, err := http.Post(s.url+"/v1/chat", "application/json", strings.NewReader(question("你好", `"model":"`+model+`"`)))
				if err != nil {
					t.Error(err)
					return
				}
				text, err := io.ReadAll(res.Body)
				res.Body.Close()
				switch {
				case err != nil:
					t.Error(err)
				case res.StatusCode == http.StatusOK:
					answered.Add(1)
				case res.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(text), "insufficient_memory"):
					refused.Add(1)
				case res.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(text), "engine_failed"):
					died.Add(1)
				default:
					t.Errorf("status %d: %s", res.StatusCode, text)
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	clients.Wait()
	stop()
	killer.Wait()
	t.Logf("%d answered, %d refused, %d died", answered.Load(), refused.Load(), died.Load())
	if answered.Load() == 0 {
		t.Error("nobody was answered")
	}
	for _, model := range []string{"one", "two"} {
		eventually(t, 10*time.Second, "an answer of "+model, func() bool {
			res, err := http.Post(s.url+"/v1/chat", "application/json", strings.NewReader(question("你好", `"model":"`+model+`"`)))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				time.Sleep(100 * time.Millisecond)
			}
			return res.StatusCode == http.StatusOK
		})
	}
}
