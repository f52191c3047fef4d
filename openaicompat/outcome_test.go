package openaicompat_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/ledger"
	"bendi/openaicompat"
)

// A witness keeps what it is told of.
type witness struct {
	mu      sync.Mutex
	inside  map[string]int // requests by route
	entered int
	ended   []outcome
	entries []*ledger.Entry
	full    error // why nothing is admitted
}

func (w *witness) Enter(route string) (leave func()) {
	w.add(route, 1)
	return func() { w.add(route, -1) }
}

func (w *witness) add(route string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inside == nil {
		w.inside = make(map[string]int)
	}
	w.inside[route] += n
	w.entered += max(n, 0)
}

func (w *witness) Admit() error { return w.full }

func (w *witness) Ended(e *ledger.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = append(w.ended, outcome{e.Route, e.Operation, e.Model, e.Backend, e.Status, e.Stream, e.First, e.Total})
	w.entries = append(w.entries, e)
}

// An outcome is what there is to be said of an entry without its names.
type outcome struct {
	Route, Operation, Model, Backend string
	Status                           int
	Stream                           bool
	FirstToken, Duration             time.Duration
}

// Each request that is no probe has one outcome, which holds nothing that its
// client made up.
func TestOutcomes(t *testing.T) {
	const second = time.Second
	tests := []struct {
		name, script, method, path, body string
		patience                         time.Duration // of the client; 0: enough
		want                             outcome
	}{
		{"a whole answer", "!sleep 2s\n你\n!sleep 1s\n好\n", "POST", "/v1/chat", hello, 0,
			outcome{Route: "/v1/chat", Operation: "chat", Model: "bendi-demo", Backend: "engine-1", Status: 200, FirstToken: 2 * second, Duration: 3 * second}},
		{"a stream", "!sleep 2s\n你\n!sleep 1s\n好\n", "POST", "/v1/chat/pro", helloStream, 0,
			outcome{Route: "/v1/chat/pro", Operation: "chat", Model: "bendi-demo:service", Backend: "engine-1", Status: 200, Stream: true, FirstToken: 2 * second, Duration: 3 * second}},
		{"an alias", "好\n", "POST", "/v1/chat", `{"model":"auto","messages":[{"role":"user","content":"你好"}]}`, 0,
			outcome{Route: "/v1/chat", Operation: "chat", Model: "bendi-demo", Backend: "engine-1", Status: 200}},
		{"a stream that fails", "!sleep 1s\n你\n!fail unavailable later\n", "POST", "/v1/chat", helloStream, 0,
			outcome{Route: "/v1/chat", Operation: "chat", Model: "bendi-demo", Backend: "engine-1", Status: 503, Stream: true, FirstToken: second, Duration: second}},
		{"a panic", "!panic\n", "POST", "/v1/chat", hello, 0,
			outcome{Route: "/v1/chat", Operation: "chat", Model: "bendi-demo", Status: 500}},
		{"a client that leaves", "你\n!wait\n", "POST", "/v1/chat", helloStream, 2 * second,
			outcome{Route: "/v1/chat", Operation: "chat", Model: "bendi-demo", Backend: "engine-1", Status: openaicompat.StatusGone, Stream: true, Duration: 2 * second}},
		{"a model that there is not", "好\n", "POST", "/v1/chat", `{"model":"canary","messages":[{"role":"user","content":"你好"}]}`, 0,
			outcome{Route: "/v1/chat", Operation: "chat", Status: 404}},
		{"no JSON", "好\n", "POST", "/v1/chat", "canary", 0, outcome{Route: "/v1/chat", Operation: "chat", Status: 400}},
		{"no such path", "好\n", "GET", "/canary", "", 0, outcome{Status: 404}},
		{"a list", "好\n", "GET", "/v1/models", "", 0, outcome{Status: 200}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := new(witness)
				script := engine{chattest.Script(tt.script)}
				client := serve(t, openaicompat.New(openaicompat.Options{Routes: script.routes(t), Observer: w}))
				fetch(t, client, "GET", "/healthz", "", 0)
				fetch(t, client, tt.method, tt.path, tt.body, tt.patience)
				time.Sleep(second)
				synctest.Wait()
				if len(w.ended) != 1 || w.ended[0] != tt.want {
					t.Errorf("got %+v, want %+v", w.ended, tt.want)
				}
				entered := 0
				if tt.want.Route != "" {
					entered = 1
				}
				if w.entered != entered || w.inside[tt.want.Route] != 0 {
					t.Errorf("%d requests entered a route, want %d; inside are %v", w.entered, entered, w.inside)
				}
			})
		})
	}
}

// A page is got like a probe, and needs a key where the routes do.
func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(witness)
		client := serve(t, openaicompat.New(openaicompat.Options{
			Keys: keys{"sk-right": "shop"}, Observer: w,
			Pages: map[string]http.Handler{"/metrics": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })},
		}))
		if status, _ := fetch(t, client, "GET", "/metrics", "", 0); status != http.StatusUnauthorized {
			t.Errorf("without a key the status is %d", status)
		}
		for _, path := range []string{"/metrics", "/metrics/"} {
			if status, text := fetch(t, client, "GET", path, "", 0, "Authorization", "Bearer sk-right"); status != 200 || text != "page" {
				t.Errorf("%s with a key: %d %q", path, status, text)
			}
		}
		synctest.Wait()
		if len(w.ended) != 1 || w.ended[0].Status != http.StatusUnauthorized {
			t.Errorf("got %+v, want the refused request alone", w.ended)
		}
	})
}

// fetch asks for a path and returns what came, for as long as patience lasts.
func fetch(t *testing.T, client *http.Client, method, path, body string, patience time.Duration, headers ...string) (status int, text string) {
	t.Helper()
	ctx := t.Context()
	if patience > 0 {
		var leave context.CancelFunc
		ctx, leave = context.WithTimeout(ctx, patience)
		defer leave()
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://bendi.test"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil && patience == 0 {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// While nothing can be kept, nothing is answered but probes.
func TestNotAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &witness{full: &chat.Error{Kind: chat.Unavailable, Code: "audit_unavailable", Msg: "full"}}
		script := engine{chattest.Script("好\n")}
		client := serve(t, openaicompat.New(openaicompat.Options{Routes: script.routes(t), Observer: w}))
		for _, tt := range []struct {
			method, path, body string
			status             int
		}{
			{"POST", "/v1/chat", hello, 503}, {"POST", "/v1/embeddings", "{}", 503}, {"GET", "/v1/models", "", 503}, {"GET", "/nothing", "", 503},
			{"GET", "/healthz", "", 200}, {"GET", "/readyz", "", 200},
		} {
			if got, _ := fetch(t, client, tt.method, tt.path, tt.body, 0); got != tt.status {
				t.Errorf("%s %s: %d, want %d", tt.method, tt.path, got, tt.status)
			}
		}
		synctest.Wait()
		if len(w.entries) != 4 {
			t.Errorf("%d entries, want 4", len(w.entries))
		}
		for _, e := range w.entries {
			if e.Admitted || e.Outcome != ledger.Failed {
				t.Errorf("%+v", e)
			}
		}
	})
}
