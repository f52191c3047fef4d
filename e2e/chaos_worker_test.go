package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	bad "bendi/internal/badserver"
)

// withSecond is a configuration of a model of one slot, with a sound backend
// behind it.
func withSecond(t *testing.T, second *bad.Server) string {
	return fmt.Sprintf(`
models:
  demo: {path: %q, context: 8192, slots: 1, threads: 1}
backends:
  second: {url: "http://%s/v1", zone: inside, probe: off, max_idle: 0, models: {a: {}}}
routes:
  - {path: /v1/chat, models: [{id: chat, tiers: [[demo], [second/a]]}, demo]}
`, demo(t, demoModel), second.Addr())
}

// A client of a model here that leaves while it waits, or while its prompt is
// computed, is forgotten within a second.
func TestChaosWorkerIsLeft(t *testing.T) {
	s := start(t, oneSlot(t)).ready(t)
	busy := func(what string, n int) func() bool {
		return func() bool {
			return strings.Contains(s.get(t, "/metrics"), fmt.Sprintf("\nbendi_num_requests_%s{model=\"demo\"} %d\n", what, n))
		}
	}
	ask := func(body string) (leave func()) {
		ctx, cancel := context.WithCancel(t.Context())
		go s.stare(ctx, body)
		return cancel
	}
	prompt := ask(question(strings.Repeat("怎么退货？", 1200), `"stream":true`))
	eventually(t, within(10*time.Second), "a prompt that is computed", busy("running", 1))
	queued := ask(question("你好", `"stream":false`))
	eventually(t, within(10*time.Second), "a request that waits", busy("waiting", 1))
	queued()
	eventually(t, within(time.Second), "nobody that waits", busy("waiting", 0))
	prompt()
	eventually(t, within(time.Second), "nobody that is answered", busy("running", 0))
}

// A worker that dies before the first token is stood in for, and one that dies
// after it is the end of its answer.
func TestChaosWorkerDies(t *testing.T) {
	second, err := bad.Listen(func(*bad.Call) bad.Script { return bad.Answer(secondText) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	s := start(t, withSecond(t, second)).ready(t)

	replies := make(chan *reply)
	go func() {
		replies <- s.chaosAsk(t.Context(), question(strings.Repeat("怎么退货？", 1200), `"model":"chat","stream":true`))
	}()
	eventually(t, within(10*time.Second), "a prompt that is computed", func() bool {
		return strings.Contains(s.get(t, "/metrics"), "\nbendi_num_requests_running{model=\"demo\"} 1\n")
	})
	syscall.Kill(s.worker(t), syscall.SIGKILL)
	if r := <-replies; r.check() != nil || r.text != secondText || r.header.Get("X-Bendi-Backend") != "second/a" {
		t.Errorf("while the prompt was computed: %v, %v%v", r, r.check(), s)
	}

	eventually(t, within(10*time.Second), "a worker that is there again", func() bool { return s.readyz() == http.StatusOK })
	st := s.stream(t, "/v1/chat", long(t, 4000))
	asked := len(second.Calls("a"))
	syscall.Kill(s.worker(t), syscall.SIGKILL)
	if err := st.cut(); err != nil {
		t.Errorf("in the midst of an answer: %v%v", err, s)
	}
	if n := len(second.Calls("a")); n != asked {
		t.Errorf("the second backend was asked %d times in the midst of an answer", n-asked)
	}
}

// A worker that something has stopped is one that has died: the answer that it
// was at ends, and what it had not read is answered, by the next or by the second.
func TestChaosWorkerHangs(t *testing.T) {
	second, err := bad.Listen(func(*bad.Call) bad.Script { return bad.Answer(secondText) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	s := start(t, strings.Replace(withSecond(t, second), "threads: 1}", "threads: 1, hang_timeout: 10s}", 1)).ready(t)
	stopped := s.worker(t)
	st := s.stream(t, "/v1/chat", long(t, 4000))
	syscall.Kill(stopped, syscall.SIGSTOP)
	replies := make(chan *reply)
	go func() { replies <- s.chaosAsk(t.Context(), question("你好", `"model":"chat","stream":true`)) }()
	if err := st.cut(); err != nil {
		t.Errorf("in the midst of an answer: %v%v", err, s)
	}
	r := <-replies
	if err := r.check(); err != nil || !r.done || r.text == "" {
		t.Errorf("what came meanwhile: %v, %v%v", r, err, s)
	}
	eventually(t, within(20*time.Second), "a worker that is there again", func() bool {
		return s.readyz() == http.StatusOK && s.worker(t) != stopped
	})
}
