package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// page gets a page, from the server or through a connection of its own.
func page(t testing.TB, client *http.Client, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", url, res.StatusCode, err, text)
	}
	return string(text)
}

// metric returns the value of a metric by its name and labels, or -1.
func (s *server) metric(t testing.TB, name string) float64 {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindStringSubmatch(page(t, http.DefaultClient, s.url+"/metrics"))
	if found == nil {
		return -1
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// slots returns the worker's view of its slots.
func (s *server) slots(t testing.TB) string {
	t.Helper()
	sockets, err := filepath.Glob(filepath.Join(s.cmd.Dir, "bendi-*", "engine.sock"))
	if err != nil || len(sockets) != 1 {
		t.Fatalf("want one socket, found %v, %v", sockets, err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", sockets[0])
	}
	return page(t, &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}, "http://localhost/slots")
}

// TestSeeingInside asks, looks while an answer runs, and kills the worker. The
// metrics follow, and hold no word of what was said.
func TestSeeingInside(t *testing.T) {
	s := start(t, "").ready(t)
	const canary = "kanarienvogel"
	s.ask(t, "/v1/chat", question(canary, `"max_tokens":5`))
	s.ask(t, "/v1/chat", question(canary, `"model":"`+canary+`"`))
	st := s.stream(t, "/v1/chat/pro", long(t, 1900))
	defer st.body.Close()

	eventually(t, within(5*time.Second), "the running answer in /slots", func() bool {
		text := s.slots(t)
		var view struct {
			Slots, Waiting int
			Sequences      []struct {
				Model, State string
				Generated    int `json:"generated_tokens"`
				Budget       int
			}
		}
		if err := json.Unmarshal([]byte(text), &view); err != nil || strings.Contains(text, canary) {
			t.Fatalf("%v: %s", err, text)
		}
		return view.Slots > 0 && view.Waiting == 0 && len(view.Sequences) == 1 &&
			view.Sequences[0].Model == "bendi-demo:service" && view.Sequences[0].Generated > 0 && view.Sequences[0].Budget >= 1000
	})
	for name, least := range map[string]float64{
		`bendi_worker_up{model="bendi-demo"}`:                                                                                1,
		`bendi_worker_ready{model="bendi-demo"}`:                                                                             1,
		`bendi_num_requests_running{model="bendi-demo"}`:                                                                     1,
		`bendi_num_requests_waiting{model="bendi-demo"}`:                                                                     0,
		`bendi_prompt_tokens_total{model="bendi-demo"}`:                                                                      5,
		`bendi_generation_tokens_total{model="bendi-demo:service"}`:                                                          1,
		`bendi_time_to_first_token_seconds_count{model="bendi-demo"}`:                                                        1,
		`bendi_e2e_request_latency_seconds_count{model="bendi-demo"}`:                                                        1,
		`bendi_http_requests_in_flight{route="/v1/chat/pro"}`:                                                                1,
		`bendi_http_requests_total{backend="llamacpp",model="bendi-demo",route="/v1/chat",status="200"}`:                     1,
		`bendi_http_requests_total{backend="",model="",route="/v1/chat",status="404"}`:                                       1,
		`bendi_http_request_duration_seconds_count{backend="llamacpp",model="bendi-demo",operation="chat",route="/v1/chat"}`: 1,
		`bendi_inter_token_latency_seconds_bucket{model="bendi-demo",le="80"}`:                                               1,
	} {
		if got := s.metric(t, name); got < least {
			t.Errorf("%s is %v, want %v at least", name, got, least)
		}
	}
	if text := page(t, http.DefaultClient, s.url+"/metrics"); strings.Contains(text, canary) {
		t.Errorf("the metrics hold what was said:\n%s", text)
	}

	if err := syscall.Kill(s.worker(t), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, within(5*time.Second), "a worker that is stopped to be down in the metrics", func() bool {
		return s.metric(t, `bendi_worker_up{model="bendi-demo"}`) == 0
	})
	if err := syscall.Kill(s.worker(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, within(10*time.Second), "the restart in the metrics", func() bool {
		return s.metric(t, `bendi_worker_restarts_total{model="bendi-demo"}`) == 1 && s.metric(t, `bendi_worker_up{model="bendi-demo"}`) == 1
	})
}
