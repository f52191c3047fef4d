package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"bendi/internal/programs"
)

// TestRealLlamaServer has a llama-server answer, whose program the variable
// BENDI_LLAMA_SERVER names, with the demo model in it and our own engine behind
// it. It is skipped without.
func TestRealLlamaServer(t *testing.T) {
	path := os.Getenv("BENDI_LLAMA_SERVER")
	if path == "" {
		t.Skip("BENDI_LLAMA_SERVER does not name a llama-server program")
	}
	port := freePort(t)
	args := []string{"--model", demo(t, demoModel), "--host", "127.0.0.1", "--port", port, "--ctx-size", "2048", "--parallel", "1", "--threads", "1", "--jinja", "--embeddings", "--pooling", "mean"}
	url := "http://127.0.0.1:" + port
	p := launchReal(t, url+"/health", nil, path, args...)
	realBackend(t, p, "  real: {url: \""+url+"/v1\", zone: inside, models: {m: {name: demo, context: 2048}}}\n")
}

// TestRealOllama is the same with the Ollama that BENDI_OLLAMA names.
func TestRealOllama(t *testing.T) {
	url, p := realOllama(t)
	realBackend(t, p, "  real: {kind: ollama, url: \""+url+"\", zone: inside, models: {m: {name: demo, context: 2048}}}\n")
}

// realOllama starts an Ollama that has the demo model.
func realOllama(t testing.TB) (url string, p *exec.Cmd) {
	path := os.Getenv("BENDI_OLLAMA")
	if path == "" {
		t.Skip("BENDI_OLLAMA does not name an ollama program")
	}
	port, dir := freePort(t), t.TempDir()
	url = "http://127.0.0.1:" + port
	env := []string{"OLLAMA_HOST=127.0.0.1:" + port, "OLLAMA_MODELS=" + dir, "HOME=" + dir}
	p = launchReal(t, url+"/api/version", env, path, "serve")
	file := writeFile(t, "Modelfile", "FROM "+demo(t, demoModel)+"\nPARAMETER num_ctx 2048\n")
	create := exec.Command(path, "create", "demo", "-f", file)
	create.Env = append(os.Environ(), env...)
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("ollama create: %v\n%s", err, out)
	}
	return url, p
}

func freePort(t testing.TB) string {
	t.Helper()
	address, err := programs.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(address, "127.0.0.1:")
}

// launchReal starts a server that is not ours, in a process group of its own,
// and waits until health says that it is there.
func launchReal(t testing.TB, health string, env []string, path string, args ...string) *exec.Cmd {
	var out transcript
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s printed %s", path, tail(out.String()))
		}
	})
	eventually(t, time.Minute, path, func() bool {
		resp, err := http.Get(health)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return cmd
}

// realBackend asks a real server for all that backends are asked for, and kills
// it in the end.
func realBackend(t *testing.T, p *exec.Cmd, backend string) {
	s := start(t, fmt.Sprintf("models:\n  demo: {path: %q, context: 2048, slots: 1, threads: 1}\nbackends:\n%sroutes:\n  - {path: /v1/chat, models: [{id: chat, tiers: [[real/m], [demo]]}, real/m, demo]}\n", demo(t, demoModel), backend)).ready(t)
	ask := func(model string, stream bool, more ...string) *reply {
		t.Helper()
		r := s.chaosAsk(t.Context(), question("你好", append(more, fmt.Sprintf(`"model":%q,"stream":%v`, model, stream))...))
		if err := r.check(); err != nil {
			t.Errorf("%v: %v: %s", r, err, tail(r.body))
		}
		t.Logf("%s, stream %v, %v: %v in %v, by %s", model, stream, more, r, r.took.Round(time.Millisecond), r.header.Get("X-Bendi-Backend"))
		return r
	}
	for _, stream := range []bool{false, true} {
		if r := ask("real/m", stream, `"max_tokens":24,"temperature":0`); r.status != http.StatusOK || r.text == "" || r.failure != nil {
			t.Errorf("an answer: %v: %s", r, tail(r.body))
		}
	}
	ask("real/m", false, `"max_tokens":24,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`)
	long := s.chaosAsk(t.Context(), question(strings.Repeat("怎么退货？", 1500), `"model":"real/m","stream":true`))
	if err := long.check(); err != nil || long.status != http.StatusBadRequest || long.code() != "context_length_exceeded" {
		t.Errorf("a prompt that is too long: %v, %v: %s", long, err, tail(long.body))
	}
	status, answer := s.ask(t, "/v1/chat/embeddings", `{"model":"real/m","input":["你好"]}`)
	text, _ := json.Marshal(answer.Error)
	t.Logf("embeddings: status %d, error %s", status, text)

	// Its client leaves, and the next one need not wait.
	ctx, leave := context.WithCancel(t.Context())
	st, err := s.open(ctx, "/v1/chat", question("讲一个很长的故事", `"model":"real/m","stream":true,"max_tokens":1500,"temperature":1.5`))
	if err != nil {
		t.Fatal(err)
	}
	for st.text == "" && st.next() {
	}
	leave()
	left := time.Now()
	next := s.stream(t, "/v1/chat", question("你好", `"model":"real/m","stream":true,"max_tokens":4`))
	if took, limit := time.Since(left), within(time.Second); took > limit {
		t.Errorf("the next client's answer began after %v, want %v at most", took, limit)
	}
	if err := next.whole(); err != nil {
		t.Error(err)
	}

	// It is killed in the midst of an answer, which ends; the next request is
	// answered by the other one.
	st = s.stream(t, "/v1/chat", question("讲一个很长的故事", `"model":"chat","stream":true,"max_tokens":1500,"temperature":1.5`))
	syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
	for st.next() {
	}
	t.Logf("killed in the midst: %v", st)
	if st.broken != nil || st.done == (st.err != nil) {
		t.Errorf("killed in the midst of an answer: %v", st)
	}
	if r := ask("chat", true, `"max_tokens":8`); r.status != http.StatusOK || r.header.Get("X-Bendi-Backend") != "demo" {
		t.Errorf("after its death: %v", r)
	}
	if r := ask("real/m", false); r.status < 500 {
		t.Errorf("after its death, asked for itself: %v", r)
	}
}
