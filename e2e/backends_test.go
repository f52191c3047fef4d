package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// An upstream is a server of another house. What it answers is up to the model:
// echo says the last message again, in small pieces.
type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // bodies
}

const upstreamKey = "sk-of-the-gateway"

func newUpstream(t testing.TB) *upstream {
	u := new(upstream)
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path == "/v1/models" {
		if r.Header.Get("Authorization") != "Bearer "+upstreamKey {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"object":"list","data":[{"id":"echo"},{"id":"broken"},{"id":"barred"},{"id":"flaky"}]}`)
		return
	}
	u.mu.Lock()
	u.seen = append(u.seen, string(body)+fmt.Sprint(r.Header))
	u.mu.Unlock()
	var req struct {
		Model    string
		Messages []struct{ Content string }
	}
	if json.Unmarshal(body, &req) != nil || len(req.Messages) == 0 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch req.Model {
	case "barred":
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":{"message":"Incorrect API key `+upstreamKey+`","type":"invalid_request_error","code":"invalid_api_key"}}`)
		return
	case "flaky":
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, `{"error":{"message":"cannot answer %s"}}`, req.Messages[0].Content)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(delta, finish string) {
		text, _ := json.Marshal(delta)
		fmt.Fprintf(w, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%s},\"finish_reason\":%s}]}\n\n", text, finish)
		w.(http.Flusher).Flush()
	}
	for i, c := range []rune(req.Messages[len(req.Messages)-1].Content) {
		if req.Model == "broken" && i == 3 {
			panic(http.ErrAbortHandler)
		}
		send(string(c), "null")
	}
	send("", `"stop"`)
	io.WriteString(w, "data: {\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\ndata: [DONE]\n\n")
}

// heard returns what has come since the last call.
func (u *upstream) heard() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := strings.Join(u.seen, "\n")
	u.seen = nil
	return all
}

// neighbours is a configuration of the demo model and an upstream outside.
func neighbours(t testing.TB, u *upstream) string {
	return fmt.Sprintf(`
models:
  demo: {path: %q, context: 2048, slots: 2, threads: 1}
backends:
  cloud:
    url: %s/v1
    zone: outside
    key_file: %s
    models: {echo: {context: 8192}, broken: {}, barred: {}, flaky: {}}
    breaker: {failures: 2, cooldown: 1m}
routes:
  - path: /v1/chat
    models:
      - {id: chat, tiers: [[demo], [cloud/echo]]}
      - cloud/echo
      - cloud/broken
      - cloud/barred
      - cloud/flaky
    aliases: {gpt-4: chat}
    egress: {route: masked, classes: {pii.id_card: never}}
  - path: /v1/private
    models: [demo]
`, demo(t, demoModel), u.URL, writeFile(t, "key", upstreamKey+"\n"))
}

const (
	phone  = "13800138000"
	idCard = "110101199003070011"
)

// get returns what a path says.
func (s *server) get(t testing.TB, path string) string {
	t.Helper()
	_, _, text := s.do(t, http.MethodGet, path, "", "", "")
	return text
}

func model(name string) string { return fmt.Sprintf(`"model":%q`, name) }

func TestBackends(t *testing.T) {
	u := newUpstream(t)
	s := start(t, neighbours(t, u)).ready(t)
	const stream = `"stream":true`

	// What leaves has no personal data in it, and the client sees it all the same.
	st := s.stream(t, "/v1/chat", question("请打"+phone+"找我", stream, model("cloud/echo")))
	if err := st.whole(); err != nil || st.text != "请打"+phone+"找我" {
		t.Errorf("the stream says %q, %v%v", st.text, err, s)
	}
	if heard := u.heard(); strings.Contains(heard, phone) || !strings.Contains(heard, "[[PHONE_") || !strings.Contains(heard, `"model":"echo"`) || !strings.Contains(heard, "Bearer "+upstreamKey) {
		t.Errorf("upstream heard %s", heard)
	}
	resp := s.post(t, "/v1/chat", question("你好", model("cloud/echo")))
	resp.Body.Close()
	if got := resp.Header.Get("x-bendi-backend"); got != "cloud/echo" {
		t.Errorf("x-bendi-backend is %q", got)
	}
	u.heard()

	// Nobody looks into images, so they stay.
	status, c := s.ask(t, "/v1/chat", `{"model":"cloud/echo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}]}`)
	if heard := u.heard(); status == http.StatusOK || heard != "" {
		t.Errorf("an image: status %d %v, and upstream heard %q", status, c.Error, heard)
	}

	// What has to stay is refused where only others could answer, and is answered here.
	status, c = s.ask(t, "/v1/chat", question("身份证"+idCard, model("cloud/echo")))
	if status != http.StatusServiceUnavailable || c.Error == nil || string(c.Error.Code) != `"no_allowed_backend"` || strings.Contains(c.Error.Message, idCard) {
		t.Errorf("an identity card: status %d, %v", status, c.Error)
	}
	resp = s.post(t, "/v1/chat", question("身份证"+idCard, model("chat"), `"max_tokens":2`))
	resp.Body.Close()
	if got := resp.Header.Get("x-bendi-backend"); resp.StatusCode != http.StatusOK || got != "demo" {
		t.Errorf("an identity card: status %d from %q", resp.StatusCode, got)
	}
	status, c = s.ask(t, "/v1/private", question("你好", model("cloud/echo")))
	if status != http.StatusNotFound {
		t.Errorf("a route without the model: status %d, %v", status, c.Error)
	}
	if heard := u.heard(); heard != "" {
		t.Errorf("upstream heard %s", heard)
	}

	// The gateway's key is not the client's.
	status, c = s.ask(t, "/v1/chat", question("你好", model("cloud/barred")))
	if status != http.StatusBadGateway || c.Error == nil || string(c.Error.Code) != `"backend_auth"` || strings.Contains(c.Error.Message, upstreamKey) {
		t.Errorf("a key that is refused: status %d, %v", status, c.Error)
	}

	// An answer that breaks off says so.
	st = s.stream(t, "/v1/chat", question("你好你好你好", stream, model("cloud/broken")))
	if err := st.cut(); err != nil || !strings.HasPrefix("你好你", st.text) {
		t.Errorf("after %q: %v", st.text, err)
	}

	// A backend that fails is left alone.
	u.heard()
	const words = "nobody-may-read-this"
	for range 2 {
		if status, c = s.ask(t, "/v1/chat", question(words, model("cloud/flaky"))); status == http.StatusOK {
			t.Errorf("status %d, %v", status, c.Error)
		}
	}
	n := strings.Count(u.heard(), `"flaky"`)
	if status, c = s.ask(t, "/v1/chat", question("你好", model("cloud/flaky"))); status != http.StatusServiceUnavailable || n < 2 || u.heard() != "" {
		t.Errorf("after %d failures: status %d, %v", n, status, c.Error)
	}

	run(t, "", "explain", "--server", s.url, "--model", "cloud/flaky", "--text", "你好").want(t, 3, "cloud/flaky", "breaker open", "not asked: open")
	run(t, "", "explain", "--server", s.url, "--model", "gpt-4", "--text", "身份证"+idCard).want(t, 0, "pii.id_card", "1. demo", "not asked: egress")
	for _, want := range []string{
		`bendi_backend_state{backend="cloud/flaky",state="open",zone="outside"} 1`,
		`bendi_backend_attempts_total{backend="cloud/flaky",outcome="failed"} 2`,
		`bendi_backend_skipped_total{backend="cloud/echo",reason="egress"} 2`,
	} {
		if text := s.get(t, "/metrics"); !strings.Contains(text, want) {
			t.Errorf("no %s in the metrics:\n%s", want, text)
		}
	}

	// The list of models is what can be asked for.
	list := s.get(t, "/v1/models")
	for _, want := range []string{`"chat"`, `"cloud/echo"`, "8192"} {
		if !strings.Contains(list, want) {
			t.Errorf("no %s in %s", want, list)
		}
	}
	for _, secret := range []string{phone, idCard, upstreamKey, words} {
		if strings.Contains(s.String(), secret) {
			t.Errorf("%s is printed%v", secret, s)
		}
	}
	for _, want := range []string{"cloud: 127.0.0.1", "OUTSIDE, personal data masked", "chat [demo, else cloud/echo]", "egress masked"} {
		if !strings.Contains(s.stdout.String(), want) {
			t.Errorf("the start print has no %q%v", want, s)
		}
	}
}

// A model that has died and does not come again is stood in for where the
// request may leave, and never where it may not.
func TestFallback(t *testing.T) {
	u := newUpstream(t)
	worker := writeFile(t, "worker", fmt.Sprintf("#!/bin/sh\nexec %q \"$@\"\n", program(t, "bendi-engine")))
	s := start(t, neighbours(t, u)+fmt.Sprintf("engine: {worker: %q, load_wait: 1s}\n", worker)).ready(t)
	pid := s.worker(t)
	if err := os.Remove(worker); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(pid, syscall.SIGKILL)

	st := s.stream(t, "/v1/chat", question("请打"+phone, `"stream":true`, model("gpt-4")))
	if err := st.whole(); err != nil || st.text != "请打"+phone {
		t.Errorf("the answer says %q, %v%v", st.text, err, s)
	}
	if heard := u.heard(); heard == "" || strings.Contains(heard, phone) {
		t.Errorf("upstream heard %q", heard)
	}
	for _, path := range []string{"/v1/chat", "/v1/private"} {
		status, c := s.ask(t, path, question("身份证"+idCard))
		if heard := u.heard(); status != http.StatusServiceUnavailable || heard != "" {
			t.Errorf("%s: status %d, %v, and upstream heard %q%v", path, status, c.Error, heard, s)
		}
	}
}

func TestBackendsAreRefused(t *testing.T) {
	u := newUpstream(t)
	config := strings.Replace(neighbours(t, u), "egress: {route: masked, classes: {pii.id_card: never}}", "priority: 0", 1)
	run(t, "", "config", "validate", writeFile(t, "bendi.yaml", config)).want(t, 2, "bendi.yaml:14:", "routes[0].models[0].tiers[1][0]", `is outside of the house, where the route says "never"`)
}

func TestDoctorAsksBackends(t *testing.T) {
	u := newUpstream(t)
	config := neighbours(t, u)
	file := writeFile(t, "bendi.yaml", config)
	run(t, "", "doctor", "--config", file).want(t, 0, "cloud: it is there, and has the models (outside, personal data is masked)")
	wrong := writeFile(t, "bendi.yaml", strings.Replace(config, "echo: {context: 8192}", "echo: other", 1))
	run(t, "", "doctor", "--config", wrong).want(t, 3, `it has no model "other"; correct backends.cloud.models.echo.name: there are echo`)
	u.Close()
	run(t, "", "doctor", "--config", file).want(t, 3, "cannot be reached", "curl -i "+u.URL+"/v1/models")
}
