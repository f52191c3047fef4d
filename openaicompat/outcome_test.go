package openaicompat_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bendi/access"
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

// pageReaders are keys by their names: some may read pages.
type pageReaders struct{}

func (pageReaders) Needed() bool { return true }

func (pageReaders) Check(_ context.Context, secret string) (access.Identity, error) {
	return access.Identity{Name: secret, Admin: secret == "boss", Metrics: secret == "scraper"}, nil
}

// A page is got like a probe, by whoever may where keys are needed, and by
// anybody where it is open.
func TestPages(t *testing.T) {
	for _, open := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := new(witness)
			client := serve(t, openaicompat.New(openaicompat.Options{
				Keys: pageReaders{}, Observer: w, Open: open,
				Pages: map[string]http.Handler{"/metrics": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })},
			}))
			refused := 0
			for key, want := range map[string]int{"": 401, "shop": 403, "boss": 200, "scraper": 200} {
				for _, path := range []string{"/metrics", "/metrics/"} {
					var headers []string
					if key != "" {
						headers = []string{"Authorization", "Bearer " + key}
					}
					if open {
						want = 200
					}
					if want != 200 {
						refused++
					}
					if status, text := fetch(t, client, "GET", path, "", 0, headers...); status != want || want == 200 && text != "page" {
						t.Errorf("%s with the key %q, open = %v: %d %q, want %d", path, key, open, status, text, want)
					}
				}
			}
			if status, _ := fetch(t, client, "GET", "/metrics/x", "", 0); status != http.StatusUnauthorized {
				t.Errorf("what is below an open page: %d", status)
			}
			synctest.Wait()
			if len(w.ended) != refused+1 {
				t.Errorf("%d requests are told, want the %d refused ones alone", len(w.ended), refused+1)
			}
		})
	}
}

// failing tells whoever fails to wait, from the third failure on, and notes
// that one.
type failing struct{ from []netip.Addr }

func (f *failing) Fail(from netip.Addr) (wait time.Duration, note bool) {
	f.from = append(f.from, from)
	if n := len(f.from); n > 2 {
		return 1500 * time.Millisecond, n == 3
	}
	return 0, true
}

// Whoever sends wrong keys is told to wait in the end, and whoever has a right one
// is answered all the same. What is not worth a note leaves no line.
func TestWrongKeys(t *testing.T) {
	f, w, log := new(failing), new(witness), new(bytes.Buffer)
	h := openaicompat.New(openaicompat.Options{Keys: keys{"right": "shop"}, Failures: f, Observer: w, Log: slog.New(slog.NewTextHandler(log, nil)),
		Routes: []openaicompat.Route{{Path: "/v1/chat", Model: chattest.Script("a\n")}}})
	var got []int
	for _, key := range []string{"wrong", "wrong", "", "wrong", "right", "wrong", "right"} {
		rec := post(t, h, "/v1/chat", `{"messages":[{"role":"user","content":"a"}]}`, key)
		got = append(got, rec.Code)
		if rec.Code == 429 && (rec.Header().Get("Retry-After") != "2" || rec.Header().Get("X-Should-Retry") != "false" || !strings.Contains(rec.Body.String(), "too_many_failures")) {
			t.Errorf("whoever has to wait is told %v %s", rec.Header(), rec.Body)
		}
	}
	if want := []int{401, 401, 401, 429, 200, 429, 200}; !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v", got, want)
	}
	if lines := strings.Count(log.String(), "status=429"); lines != 1 || len(w.ended) != len(got) {
		t.Errorf("%d lines of those who have to wait, want 1; %d requests are told, want %d", lines, len(w.ended), len(got))
	}
	if len(f.from) != 4 || f.from[0] != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("failures from %v", f.from)
	}
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
