package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bendi/chat"
	"bendi/config"
	"bendi/router"
)

// loadText loads a configuration that needs no models here.
func loadText(t *testing.T, text string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bendi.yaml")
	if err := os.WriteFile(file, []byte("models:\n  here: {path: here.gguf, context: 2048}\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(config.Options{File: file, LookupEnv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestNeighbourhood(t *testing.T) {
	cfg := loadText(t, `
backends:
  out: {url: "https://out.example/v1", zone: outside, models: {m: {name: M, context: 1000}}}
  in: {url: "http://in.example/v1", zone: inside, models: {m: {}}, weight: 3}
routes:
  - path: /v1/chat
    models: [{id: a, tiers: [[here, in/m], [out/m]]}, {id: b, tiers: [[out/m]]}, {id: c, tiers: [[here], [out/m]]}, here]
    egress: {route: masked, classes: {pii.phone: never, secret: allowed}}
`)
	n, err := meet(cfg, newRelations(nil, nil), standIns(cfg))
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	r := cfg.Routes[0]
	pools := make(map[string]*router.Pool)
	for _, m := range r.Models {
		if n.plain(m) {
			continue
		}
		if pools[m.ID], err = n.pool(r, m, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(pools) != 3 {
		t.Errorf("%d pools, want those that others than a model here answer for", len(pools))
	}
	for id, want := range map[string]int{"a": 0, "b": 1000, "c": 1000} {
		if got := pools[id].Models(); len(got) != 1 || got[0].ID != id || got[0].Context != want {
			t.Errorf("%s is listed as %+v, want the context %d", id, got, want)
		}
	}
	if pools["a"].Backends()[2] != pools["b"].Backends()[0] || pools["a"].Budget != pools["b"].Budget {
		t.Error("two pools do not share a backend or the budget")
	}
	if out := pools["b"].Backends()[0]; out.Zone != router.Outside || !out.Masked || out.As != "M" || out.Probe != nil {
		t.Errorf("out is %+v", out.BackendOptions)
	}
	if in := pools["a"].Backends()[1]; in.Zone != router.Inside || in.Masked || in.Weight != 3 || in.Probe == nil {
		t.Errorf("in is %+v", in.BackendOptions)
	}
	want := []string{`route /v1/chat, b: data of the class "pii.phone" may go outside "never", and there is no backend for that: such requests are refused with 503`}
	if got := n.deadEnds(); !slices.Equal(got, want) {
		t.Errorf("dead ends: %q", got)
	}
}

// The log tells of a failure by its kind, and not in a backend's words.
func TestTellHoldsNoWords(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, s := range []router.Step{
		{What: router.Faulted, Backend: "cloud/m", Try: 1, Took: time.Second, Err: chat.Errorf(chat.BadBackend, "what somebody wrote")},
		{What: router.Faulted, Backend: "cloud/m", Try: 1, Err: &chat.Error{Kind: chat.Unavailable, Err: &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}}},
		{What: router.Declined, Backend: "cloud/m", Try: 1, Err: errors.New("what somebody wrote")},
		{What: router.Skipped, Backend: "cloud/m", Reason: router.Forbidden, Because: []string{"pii.phone"}},
	} {
		tell(log, "/v1/chat", s)
	}
	text := out.String()
	if strings.Contains(text, "somebody") || !strings.Contains(text, "kind=") || !strings.Contains(text, `cause="dial tcp: connection refused"`) || !strings.Contains(text, "because=[pii.phone]") {
		t.Errorf("got\n%s", text)
	}
}

// Ollama is asked by its own protocol, for the names that it knows.
func TestOllamaBackend(t *testing.T) {
	asked := make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- r.URL.Path + " " + string(body)
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/api/version":
			io.WriteString(w, `{"version":"0.13.0"}`)
		case "/api/tags":
			io.WriteString(w, `{"models":[{"name":"qwen3:8b"}]}`)
		case "/api/ps":
			io.WriteString(w, `{"models":[]}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	cfg := loadText(t, `
backends:
  ollama: {kind: ollama, url: "`+s.URL+`", zone: inside, models: {small: "qwen3:8b", other: "none:1b"}}
routes: [{path: /v1/chat, models: [ollama/small]}]
`)
	p := &program{language: "en"}
	status, detail := p.checkBackend(t.Context(), "ollama", cfg.Backends["ollama"], nil)
	if status != "fail" || !strings.Contains(detail, "run: ollama pull none:1b") || strings.Contains(detail, "qwen3") {
		t.Errorf("the doctor says %s, %s", status, detail)
	}
	n, err := meet(cfg, newRelations(nil, nil), standIns(cfg))
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	pool, err := n.pool(cfg.Routes[0], cfg.Routes[0].Models[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Backends()[0].Probe(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for range pool.Chat(ctx, &chat.Request{Model: "ollama/small", N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "hi")}}) {
	}
	s.Close()
	close(asked)
	found := false
	for text := range asked {
		found = found || strings.Contains(text, `"qwen3:8b"`)
	}
	if !found {
		t.Error("it was not asked for the name that it knows")
	}
}

func TestPublicAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1": false, "10.1.2.3": false, "192.168.1.1": false, "172.16.0.1": false, "100.64.1.1": false, "169.254.1.1": false,
		"::1": false, "fd00::1": false, "fe80::1": false, "::ffff:10.0.0.1": false,
		"8.8.8.8": true, "172.32.0.1": true, "2001:4860::1": true, "::ffff:8.8.8.8": true,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is public: %v, want %v", address, got, want)
		}
	}
}
