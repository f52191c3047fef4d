package metrics

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bendi/access"
	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/inference/watch"
	"bendi/openaicompat"
	"bendi/router"
)

// A fakeWorker answers Get with a function.
type fakeWorker struct {
	get      func(ctx context.Context) ([]byte, error)
	err      error // why it is not ready
	restarts int
	state    string // "": loaded
}

func (w fakeWorker) Ready() error  { return w.err }
func (w fakeWorker) State() string { return cmp.Or(w.state, "loaded") }
func (w fakeWorker) Restarts() int { return w.restarts }
func (w fakeWorker) Get(ctx context.Context, path string) ([]byte, error) {
	if path != "/metrics" {
		return nil, errors.New("there is nothing at " + path)
	}
	return w.get(ctx)
}

// living is a worker that has generated a token.
func living(t *testing.T, model string) fakeWorker {
	e := NewEngine()
	e.Model(model).Token(&watch.Progress{Generated: 2, Gap: 20 * time.Millisecond})
	e.Model(model + ":service")
	e.Read(model, source{})
	return fakeWorker{get: func(context.Context) ([]byte, error) { return []byte(read(t, e.Handler())), nil }}
}

// A worker that is dead, hangs or talks nonsense does not fail the scrape, nor
// hold it up for long, nor hide the others.
func TestScrapeWithDeadWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGateway("1.2.3", map[string]Worker{
			"alive": living(t, "alive"),
			"other": living(t, "other"),
			"dead": fakeWorker{err: errors.New("it is restarting"), restarts: 3,
				get: func(context.Context) ([]byte, error) { return nil, errors.New("connection refused") }},
			"sleeping": fakeWorker{state: "unloaded", get: func(context.Context) ([]byte, error) { panic("it was woken") }},
			"hanging":  fakeWorker{get: func(ctx context.Context) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }},
			"mad":      fakeWorker{get: func(context.Context) ([]byte, error) { return []byte("<html>"), nil }},
			"strange":  fakeWorker{get: func(context.Context) ([]byte, error) { return []byte("go_goroutines 1\n"), nil }},
			"torn":     fakeWorker{get: func(context.Context) ([]byte, error) { return []byte("bendi_generation_tok"), nil }},
			"empty":    fakeWorker{get: func(context.Context) ([]byte, error) { return nil, nil }},
			// The same name for something else: what is first, stays.
			"zany": fakeWorker{get: func(context.Context) ([]byte, error) {
				return []byte("# TYPE bendi_worker_ready counter\nbendi_worker_ready 1\n"), nil
			}},
		})
		begin := time.Now()
		text := read(t, g.Handler())
		if took := time.Since(begin); took > scrapeTimeout {
			t.Errorf("the scrape took %v, want %v at most", took, scrapeTimeout)
		}
		want(t, text,
			`bendi_build_info{version="1.2.3"} 1`,
			`bendi_worker_up{model="alive"} 1`,
			`bendi_worker_up{model="other"} 1`,
			`bendi_worker_up{model="dead"} 0`,
			`bendi_worker_up{model="hanging"} 0`,
			`bendi_worker_up{model="mad"} 0`,
			`bendi_worker_up{model="strange"} 0`,
			`bendi_worker_up{model="torn"} 0`,
			`bendi_worker_up{model="empty"} 0`,
			`bendi_worker_ready{model="alive"} 1`,
			`bendi_worker_ready{model="sleeping"} 1`,
			`bendi_model_state{model="sleeping",state="unloaded"} 1`,
			`bendi_model_state{model="sleeping",state="loaded"} 0`,
			`bendi_model_state{model="alive",state="loaded"} 1`,
			`bendi_worker_ready{model="dead"} 0`,
			`bendi_worker_restarts_total{model="dead"} 3`,
			`bendi_generation_tokens_total{model="alive"} 1`,
			`bendi_generation_tokens_total{model="other"} 1`,
			`bendi_inter_token_latency_seconds_bucket{model="alive",le="0.025"} 1`,
			`bendi_num_requests_running{model="other"} 0`,
		)
		if strings.Count(text, "\ngo_goroutines ") != 1 || !strings.Contains(text, "bendi_worker_process_resident_memory_bytes{model=") {
			t.Errorf("the gateway's own metrics are wrong:\n%s", text)
		}
	})
}

// What clients send is counted by route, backend, model and status, and none
// of their words is in any metric.
func TestGatewayCountsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGateway("1.2.3", nil)
		route, err := router.New([]router.Offer{{
			ModelInfo: chat.ModelInfo{ID: "tiny"}, Backend: "llamacpp",
			Model: chattest.Script("!sleep 300ms\n你\n!sleep 1500ms\n好\n"),
		}}, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		h := openaicompat.New(openaicompat.Options{
			Routes: []openaicompat.Route{{Path: "/v1/chat", Model: route}}, Keys: anyone{},
			Observer: g, Pages: map[string]http.Handler{"/metrics": g.Handler()},
		})
		ask := func(key, path, body string, patience time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			req := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
			req.Header.Set("Authorization", "Bearer "+key)
			req.Header.Set("X-Request-Id", "canary-id")
			h.ServeHTTP(httptest.NewRecorder(), req)
		}
		const hello = `{"user":"canary-user","messages":[{"role":"user","content":"canary-word"}]}`
		ask("canary-key", "/v1/chat", hello, time.Minute)
		ask("canary-key", "/v1/chat", `{"stream":true,`+hello[1:], time.Minute)
		ask("canary-key", "/v1/chat", `{"stream":true,`+hello[1:], time.Second) // leaves
		ask("canary-key", "/v1/chat", `{"model":"canary-model",`+hello[1:], time.Minute)
		ask("canary-key", "/canary-path", hello, time.Minute)
		ask("", "/v1/chat", hello, time.Minute)
		go ask("canary-key", "/v1/chat", hello, time.Minute)
		synctest.Wait()

		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		req.Header.Set("X-Api-Key", "canary-key")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		text, err := io.ReadAll(rec.Result().Body)
		if err != nil || rec.Code != http.StatusOK {
			t.Fatal(rec.Code, err)
		}
		want(t, string(text),
			`bendi_http_requests_total{backend="llamacpp",model="tiny",route="/v1/chat",status="200"} 2`,
			`bendi_http_requests_total{backend="llamacpp",model="tiny",route="/v1/chat",status="499"} 1`,
			`bendi_http_requests_total{backend="",model="",route="/v1/chat",status="404"} 1`,
			`bendi_http_requests_total{backend="",model="",route="",status="401"} 1`,
			`bendi_http_requests_total{backend="",model="",route="",status="404"} 1`,
			`bendi_http_client_gone_total{backend="llamacpp",model="tiny",route="/v1/chat"} 1`,
			`bendi_http_requests_in_flight{route="/v1/chat"} 1`,
			`bendi_http_request_duration_seconds_sum{backend="llamacpp",model="tiny",operation="chat",route="/v1/chat"} 3.6`,
			`bendi_http_request_duration_seconds_count{backend="llamacpp",model="tiny",operation="chat",route="/v1/chat"} 2`,
			`bendi_http_time_to_first_token_seconds_sum{backend="llamacpp",model="tiny",route="/v1/chat"} 0.3`,
			`bendi_http_time_to_first_token_seconds_count{backend="llamacpp",model="tiny",route="/v1/chat"} 1`,
		)
		if strings.Contains(string(text), "canary") {
			t.Errorf("a client's words are in the metrics:\n%s", text)
		}
	})
}

// anyone lets everybody in who has a key.
type anyone struct{}

func (anyone) Needed() bool { return true }

func (anyone) Check(context.Context, string) (access.Identity, error) {
	return access.Identity{Name: "canary-name", Metrics: true}, nil
}

// Reloads are counted by what came of them, and the last one tells whether what
// the files say is in force.
func TestConfigMetrics(t *testing.T) {
	g := NewGateway("1.2.3", nil)
	at := time.Unix(1_700_000_000, 0)
	g.Config.InForce(at)
	want(t, read(t, g.Handler()), "bendi_config_last_reload_successful 1", "bendi_config_loaded_timestamp_seconds 1.7e+09",
		`bendi_config_reloads_total{result="ok"} 0`, `bendi_config_reloads_total{result="failed"} 0`)
	g.Config.Reloaded(at.Add(time.Hour), false)
	want(t, read(t, g.Handler()), "bendi_config_last_reload_successful 0", "bendi_config_loaded_timestamp_seconds 1.7e+09", `bendi_config_reloads_total{result="failed"} 1`)
	g.Config.Reloaded(at.Add(1000*time.Second), true)
	want(t, read(t, g.Handler()), "bendi_config_last_reload_successful 1", "bendi_config_loaded_timestamp_seconds 1.700001e+09", `bendi_config_reloads_total{result="ok"} 1`)

	// Other workers take the place of those that were.
	g.Employ(map[string]Worker{"new": fakeWorker{state: "unloaded"}})
	want(t, read(t, g.Handler()), `bendi_model_state{model="new",state="unloaded"} 1`)
}
