package llamacpp

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPulse(t *testing.T) {
	const interval, limit = 2 * time.Second, 5 * time.Minute
	looks := func(p *pulse, n int, limit time.Duration) (how string) {
		for range n {
			how = p.look(interval, limit)
		}
		return how
	}
	for _, c := range []struct {
		name  string
		step  time.Duration
		looks int
		limit time.Duration
		want  string
	}{
		{"it works", time.Second, 1, limit, ""},
		{"a long step", limit, 1, limit, ""},
		{"a step without an end", limit + 1, 1, limit, "a step has taken 5m0s, killed"},
		{"it is late", 0, 15, limit, ""},
		{"it is silent", 0, 16, limit, "silent for 32s, killed"},
		{"no limit", 24 * time.Hour, 100, -1, ""},
		{"a short limit is not that of a line", 0, 3, 10 * time.Second, ""},
	} {
		p := new(pulse)
		p.beat(c.step)
		if got := looks(p, c.looks, c.limit); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	p := new(pulse)
	looks(p, 15, limit)
	p.beat(0)
	if how := looks(p, 15, limit); how != "" {
		t.Errorf("after a beat: %s", how)
	}
}

// A worker that hangs is one that has died: what it was answering ends, and
// another one answers what comes.
func TestHanging(t *testing.T) {
	w := started(t, "slow", func(c *Config) {
		c.HangTimeout, c.testOnlyTimes.watch = time.Second, 100*time.Millisecond
	})
	first := pid(t, w)
	begun, ended := make(chan bool, 1), make(chan error, 1)
	go func() {
		for _, err := range w.Chat(t.Context(), ask()) {
			select {
			case begun <- true: // what the process has not read, the next one answers
			default:
			}
			if err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	<-begun
	syscall.Kill(first, syscall.SIGSTOP)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "died while answering") {
		t.Errorf("the answer of a worker that was stopped: %v", err)
	}
	vanishes(t, first, 10*time.Second)
	for _, err := range w.Chat(t.Context(), ask()) {
		if err != nil {
			t.Errorf("the next answer: %v", err)
		}
		break
	}
}

// So is one that says it is stuck.
func TestStuck(t *testing.T) {
	w := start(t, "stuck", func(c *Config) { c.testOnlyTimes.watch = 100 * time.Millisecond })
	for range 1000 {
		if err := w.Ready(); err != nil && strings.Contains(err.Error(), "a step has taken 1h0m0s, killed") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("it lives: %v", w.Ready())
}
