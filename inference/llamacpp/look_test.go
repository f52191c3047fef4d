package llamacpp

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// A page is got from whichever process is ready; without one there is an error
// at once.
func TestGet(t *testing.T) {
	w := started(t, "ready")
	if page, err := w.Get(t.Context(), "/healthz"); err != nil || !strings.Contains(string(page), "ok") || w.Restarts() != 0 {
		t.Errorf("got %q, %v after %d restarts", page, err, w.Restarts())
	}
	if page, err := w.Get(t.Context(), "/nothing"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("of a page that there is not, got %q, %v", page, err)
	}
	before := pid(t, w)
	syscall.Kill(before, syscall.SIGKILL)
	for begin := time.Now(); w.Restarts() != 1 || w.Ready() != nil; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("not ready again: %d restarts, %v", w.Restarts(), w.Ready())
		}
	}
	if page, err := w.Get(t.Context(), "/healthz"); err != nil {
		t.Errorf("of the next process, got %q, %v", page, err)
	}
	begin := time.Now()
	if page, err := start(t, "hang").Get(t.Context(), "/healthz"); err == nil || time.Since(begin) > time.Second {
		t.Errorf("of a worker that is loading, got %q, %v after %v", page, err, time.Since(begin))
	}
}
