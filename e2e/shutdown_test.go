package e2e_test

import (
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

// TestShutdown stops the server under a running answer: new requests are
// refused, the answer is finished, and the program ends well.
func TestShutdown(t *testing.T) {
	s := start(t, "").ready(t)
	worker := s.worker(t)
	running := s.stream(t, "/v1/chat", long(t, 800))
	s.signal(t, syscall.SIGTERM)
	eventually(t, within(time.Second), "503 from /readyz", func() bool { return s.readyz() == http.StatusServiceUnavailable })
	status, c := s.ask(t, "/v1/chat", question("你好"))
	if status != http.StatusServiceUnavailable || c.Error == nil || string(c.Error.Code) != `"shutting_down"` {
		t.Errorf("a new request gets status %d, error %v; want 503 shutting_down", status, c.Error)
	}
	if err := running.whole(); err != nil {
		t.Errorf("the running answer: %v%v", err, s)
	}
	if code := s.exit(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d, want 0%v", code, s)
	}
	if alive(worker) {
		t.Error("the worker still runs")
	}
	for _, left := range must(os.ReadDir(s.cmd.Dir)) {
		if left.Name() != ".local" { // where what has to be remembered is
			t.Errorf("the server left %v behind", left)
		}
	}
}

// TestShutdownInAHurry has too little time for the answer to finish.
func TestShutdownInAHurry(t *testing.T) {
	s := start(t, oneSlot(t)+"server: {drain: 100ms}\n").ready(t)
	running := s.stream(t, "/v1/chat", long(t, 8000))
	s.signal(t, syscall.SIGTERM)
	if err := running.cut(); err != nil {
		t.Errorf("the running answer: %v%v", err, s)
	} else if code := string(running.err.Code); code != `"shutting_down"` {
		t.Errorf("the error event is %v, want the code shutting_down", running.err)
	}
	if code := s.exit(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d, want 0%v", code, s)
	}
}

// TestSecondSignal ends the server without waiting for the answer.
func TestSecondSignal(t *testing.T) {
	s := start(t, oneSlot(t)).ready(t)
	running := s.stream(t, "/v1/chat", long(t, 8000))
	s.signal(t, syscall.SIGTERM)
	eventually(t, within(time.Second), "503 from /readyz", func() bool { return s.readyz() == http.StatusServiceUnavailable })
	s.signal(t, syscall.SIGTERM)
	second := time.Now()
	if err := running.cut(); err != nil {
		t.Errorf("the running answer: %v%v", err, s)
	}
	if code := s.exit(t, 10*time.Second); code != 130 {
		t.Errorf("exit code %d, want 130%v", code, s)
	}
	if took, limit := time.Since(second), within(2*time.Second); took > limit {
		t.Errorf("the server ended %v after the second signal, want %v at most%v", took, limit, s)
	}
}

// TestShutdownIsRecorded stops the server under a client that is still sending:
// it is cut off, and that is the last thing in the ledger.
func TestShutdownIsRecorded(t *testing.T) {
	data := t.TempDir()
	s := start(t, oneSlot(t)+"data: "+data+"\n").ready(t)
	c := must(net.Dial("tcp", strings.TrimPrefix(s.url, "http://")))
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Id: half-a-body\r\nContent-Length: 500\r\n\r\n{")
	time.Sleep(within(300 * time.Millisecond)) // until it is being read
	s.signal(t, syscall.SIGTERM)
	if code := s.exit(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d, want 0%v", code, s)
	}
	var text []byte
	for _, file := range must(filepath.Glob(filepath.Join(data, "ledger", "*.jsonl"))) {
		text = append(text, must(os.ReadFile(file))...)
	}
	if n := strings.Count(string(text), `"half-a-body"`); n != 1 {
		t.Errorf("%d records of it, want 1:\n%s%v", n, text, s)
	}
}

// TestStopWhileLoading has nothing to wait for.
func TestStopWhileLoading(t *testing.T) {
	s := start(t, "")
	eventually(t, 10*time.Second, "the start of the worker", func() bool { return len(s.workers()) == 1 })
	worker := s.worker(t)
	s.signal(t, syscall.SIGTERM)
	if code := s.exit(t, within(4*time.Second)); code != 0 {
		t.Errorf("exit code %d, want 0%v", code, s)
	}
	if alive(worker) {
		t.Error("the worker still runs")
	}
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	r := run(t, "", "serve", "--listen", address)
	r.want(t, 1, address, "in use", "--listen")
	if strings.Contains(r.stdout+r.stderr, "goroutine") {
		t.Errorf("that is a panic%v", r)
	}
}
