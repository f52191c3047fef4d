package e2e_test

import (
	"syscall"
	"testing"
	"time"
)

// TestWorkerDies kills the worker under eight answers. Each ends with an
// error event within a second, and the next question is answered.
func TestWorkerDies(t *testing.T) {
	s := start(t, "").ready(t)
	before := s.worker(t)
	body := long(t, 1900)
	var streams []*stream
	for i := range 8 {
		streams = append(streams, s.stream(t, []string{"/v1/chat", "/v1/chat/pro"}[i%2], body))
	}
	syscall.Kill(before, syscall.SIGKILL)
	killed := time.Now()
	for i, st := range streams {
		if err := st.cut(); err != nil {
			t.Errorf("stream %d: %v%v", i, err, s)
		}
	}
	if took, limit := time.Since(killed), within(time.Second); took > limit {
		t.Errorf("the last error event came %v after the death, want %v at most%v", took, limit, s)
	}
	begin := time.Now()
	next := s.stream(t, "/v1/chat", question("你好", `"stream":true`))
	if took, limit := time.Since(begin), within(2*time.Second); took > limit {
		t.Errorf("the answer to the next question began after %v, want %v at most%v", took, limit, s)
	}
	if err := next.whole(); err != nil {
		t.Errorf("the answer to the next question: %v%v", err, s)
	}
	if after := s.worker(t); after == before {
		t.Errorf("the worker has the process id %d as before", after)
	}
}

// TestGatewayDies kills the gateway, which has no time to tell its worker.
func TestGatewayDies(t *testing.T) {
	s := start(t, "").ready(t)
	worker := s.worker(t)
	s.stream(t, "/v1/chat", long(t, 1900))
	s.signal(t, syscall.SIGKILL)
	eventually(t, within(2*time.Second), "the end of the worker", func() bool { return !alive(worker) })
	s.exit(t, time.Second)
}

// TestClientLeaves has a client leave a long answer on a server that answers
// one at a time. The next client need not wait for the rest of it.
func TestClientLeaves(t *testing.T) {
	s := start(t, oneSlot(t)).ready(t)
	first := s.stream(t, "/v1/chat", long(t, 8000))
	if err := first.body.Close(); err != nil {
		t.Fatal(err)
	}
	left := time.Now()
	second := s.stream(t, "/v1/chat", question("你好", `"stream":true`))
	if took, limit := time.Since(left), within(time.Second); took > limit {
		t.Errorf("the next client's answer began after %v, want %v at most%v", took, limit, s)
	}
	if err := second.whole(); err != nil {
		t.Errorf("%v%v", err, s)
	}
}

// oneSlot is a configuration of the demo model that answers one request at a
// time, and may go on for long.
func oneSlot(t testing.TB) string {
	return `
models:
  demo:
    path: ` + demo(t, demoModel) + `
    context: 8192
    slots: 1
routes:
  - path: /v1/chat
    models: [demo]
`
}
