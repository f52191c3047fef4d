package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAdapters loads and unloads an adapter of a running server.
func TestAdapters(t *testing.T) {
	file := demo(t, demoAdapter)
	s := start(t, fmt.Sprintf(`
models:
  demo:
    path: %s
    context: 2048
    slots: 2
    adapter_dirs: [%s]
routes:
  - path: /v1/chat
    models: [demo, "demo:*"]
  - path: /v1/other
    models: [demo]
`, demo(t, demoModel), filepath.Dir(file))).ready(t)
	adapters := func(code int, args ...string) result {
		t.Helper()
		r := finish(t, bendi(t, append([]string{"adapters", "--server", s.url}, args...)...))
		r.want(t, code)
		return r
	}
	offered := func(route string) string {
		res, err := http.Get(s.url + route + "/models")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return string(text)
	}
	ask := func(route string) error {
		st, err := s.open(t.Context(), route, question("怎么退货?", `"stream":true`, `"model":"demo:hot"`))
		if err != nil {
			return err
		}
		defer st.body.Close()
		return st.whole()
	}

	adapters(0, "list")
	if ask("/v1/chat") == nil {
		t.Error("before it is loaded, it answers")
	}
	adapters(0, "load", "demo:hot", file)
	if err := ask("/v1/chat"); err != nil {
		t.Errorf("loaded, it does not answer: %v%v", err, s)
	}
	if ask("/v1/other") == nil {
		t.Error("a route that does not offer it answers")
	}
	if list := offered("/v1/chat"); !strings.Contains(list, `"demo:hot"`) || strings.Contains(offered("/v1/other"), "hot") {
		t.Errorf("the models are %s", list)
	}
	adapters(0, "list").want(t, 0, "demo:hot", file)
	adapters(1, "load", "demo:hot", file).want(t, 1, "409", "already")
	adapters(1, "load", "demo:evil", "/etc/passwd").want(t, 1, "403", "adapter_dirs")
	adapters(1, "load", "demo:evil", filepath.Join(filepath.Dir(file), "../../go.mod")).want(t, 1, "403")
	adapters(1, "load", "none:evil", file).want(t, 1, "404", "there are: demo")
	adapters(1, "load", "demo:model", demo(t, demoModel)).want(t, 1, "400")
	adapters(2, "load", "demo:hot")

	// It is there in the next process as well.
	before := s.worker(t)
	syscall.Kill(before, syscall.SIGKILL)
	eventually(t, within(10*time.Second), "another worker", func() bool { w := s.workers(); return len(w) == 1 && w[0] != before && s.readyz() == 200 })
	if err := ask("/v1/chat"); err != nil {
		t.Errorf("after a restart it does not answer: %v%v", err, s)
	}
	adapters(0, "unload", "demo:hot")
	if ask("/v1/chat") == nil || strings.Contains(offered("/v1/chat"), "hot") {
		t.Errorf("unloaded, it answers; the models are %s", offered("/v1/chat"))
	}
	adapters(1, "unload", "demo:hot").want(t, 1, "404")
}
