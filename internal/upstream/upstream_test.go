package upstream

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "soon": 0, "99999999": MaxRetryAfter,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0,
	} {
		if got := RetryAfter(value, now); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
}

// Time passes in a read alone.
func TestIdleReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		idle := NewIdleReader(r, time.Second, func() { w.CloseWithError(io.ErrNoProgress) })
		go func() {
			io.Copy(w, strings.NewReader("a"))
			io.Copy(w, strings.NewReader("b"))
		}()
		b := make([]byte, 1)
		for range 2 {
			if _, err := idle.Read(b); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		began := time.Now()
		if _, err := idle.Read(b); err != io.ErrNoProgress || time.Since(began) != time.Second {
			t.Errorf("a silent reader: %v after %v", err, time.Since(began))
		}
	})
}
