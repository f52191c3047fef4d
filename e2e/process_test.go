package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBeside is no test, but a server that the gateway starts in others: at the
// port of BESIDE_PORT, with its process id in a file of BESIDE_DIR. It needs a
// moment to get healthy, says the last message again rune by rune, and what it
// writes has the message in it.
func TestBeside(t *testing.T) {
	port, dir := os.Getenv("BESIDE_PORT"), os.Getenv("BESIDE_DIR")
	if port == "" {
		t.Skip("this is a server of other tests")
	}
	if err := os.WriteFile(filepath.Join(dir, "pid"), fmt.Append(nil, os.Getpid()), 0o600); err != nil {
		t.Fatal(err)
	}
	healthy := time.Now().Add(200 * time.Millisecond)
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/health" && time.Now().Before(healthy):
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case r.URL.Path == "/health":
			return
		case r.Header.Get("Authorization") != "Bearer "+os.Getenv("BESIDE_KEY"):
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var req struct{ Messages []struct{ Content string } }
		json.NewDecoder(r.Body).Decode(&req)
		text := req.Messages[len(req.Messages)-1].Content
		fmt.Fprintln(os.Stderr, "asked", text)
		w.Header().Set("Content-Type", "text/event-stream")
		send := func(delta, finish string) {
			text, _ := json.Marshal(delta)
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%s},\"finish_reason\":%s}]}\n\n", text, finish)
			w.(http.Flusher).Flush()
		}
		for _, c := range text {
			send(string(c), "null")
			time.Sleep(10 * time.Millisecond)
		}
		send("", `"stop"`)
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
}

// besideConfig is a configuration of a server that is started on demand, and of
// a model here, with room for one of them.
func besideConfig(t testing.TB, dir string) string {
	t.Setenv("BESIDE_SECRET", "sesame-of-the-server")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`
log: {level: debug}
engine:
  memory_limit: 110MiB
models:
  here:
    path: %s
    context: 2048
    slots: 4
    load: demand
backends:
  beside:
    key: "${BESIDE_SECRET}"
    models: {echo: echo}
    process:
      command: [%s, "-test.run=^TestBeside$"]
      env: {BESIDE_PORT: "${PORT}", BESIDE_DIR: %s}
      secrets: {BESIDE_KEY: "${BESIDE_SECRET}"}
      memory: 60MiB
      backoff: 100ms
routes:
  - path: /v1/chat
    models: [beside/echo, here]
`, demo(t, demoModel), program, dir)
}

// besidePID returns the process id of the server beside.
func besidePID(t testing.TB, dir string) (pid int) {
	t.Helper()
	text, _ := os.ReadFile(filepath.Join(dir, "pid"))
	fmt.Sscan(string(text), &pid)
	return pid
}

// TestProcess has a server started when somebody asks, stopped for a model
// here and the other way round, and started again after it was killed.
func TestProcess(t *testing.T) {
	dir := t.TempDir()
	s := start(t, besideConfig(t, dir)).ready(t)
	ask := func(model, words string) *stream {
		return s.stream(t, "/v1/chat", question(words, `"stream":true`, `"model":"`+model+`"`))
	}
	want := func(states string) {
		t.Helper()
		if have := fmt.Sprint(s.states(t)); have != "map["+states+"]" {
			t.Errorf("the models are %s, want %s%v", have, states, s)
		}
	}
	want("beside/echo:unloaded here:unloaded")
	st := ask("beside/echo", "say me again")
	if err := st.whole(); err != nil || st.text != "say me again" {
		t.Errorf("%v, %q%v", err, st.text, s)
	}
	want("beside/echo:loaded here:unloaded")
	first := besidePID(t, dir)
	if err := ask("here", "你好").whole(); err != nil {
		t.Errorf("%v%v", err, s)
	}
	want("beside/echo:unloaded here:loaded")
	if alive(first) {
		t.Error("the server that was unloaded runs on")
	}

	// It dies in the midst of an answer.
	st = ask("beside/echo", strings.Repeat("long ", 200))
	syscall.Kill(besidePID(t, dir), syscall.SIGKILL)
	if err := st.cut(); err != nil {
		t.Errorf("%v%v", err, s)
	}
	eventually(t, 5*time.Second, "the end of its rest", func() bool { return s.states(t)["beside/echo"] == "unloaded" })
	if err := ask("beside/echo", "once more").whole(); err != nil {
		t.Errorf("after its death: %v%v", err, s)
	}

	// The end of the gateway is its end, and nothing of all that is in the log.
	last := besidePID(t, dir)
	s.signal(t, syscall.SIGTERM)
	if code := s.exit(t, 10*time.Second); code != 0 || alive(last) {
		t.Errorf("exit code %d, the server lives: %v", code, alive(last))
	}
	log := s.stderr.String()
	for _, secret := range []string{"sesame", "say me again", "long long"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log%v", secret, s)
		}
	}
	if !strings.Contains(log, "server died") || !strings.Contains(log, "signal: killed") {
		t.Errorf("the log does not tell of its death%v", s)
	}
}

// TestProcessOrphan kills a gateway whose server is answering.
func TestProcessOrphan(t *testing.T) {
	dir := t.TempDir()
	s := start(t, besideConfig(t, dir)).ready(t)
	s.stream(t, "/v1/chat", question(strings.Repeat("long ", 200), `"stream":true`))
	pid := besidePID(t, dir)
	s.signal(t, syscall.SIGKILL)
	eventually(t, 5*time.Second, "the end of the server", func() bool { return !alive(pid) })
}
