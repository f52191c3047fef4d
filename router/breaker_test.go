package router

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
)

func TestBreaker(t *testing.T) {
	// script: f failure, m failure in the midst, s success, c client left or at
	// fault, p park for a minute, w wait a minute, h half a second, b begin and
	// leave it open, o the oldest open one fails, k it succeeds, d a free probe
	// fails, u one succeeds. Where there is no pass, the letter does nothing.
	tests := []struct {
		name, script string
		want         bool
		state        string
	}{
		{"new", "", true, "closed"},
		{"below the limit", "ff", true, "closed"},
		{"opens at the limit", "fff", false, "open"},
		{"a success between", "ffsff", true, "closed"},
		{"half of the last ones", "sfsfsfsfsfsfsfsfsfsf", false, "open"},
		{"less than half of them", "fssfssfssfssfssfssfssfss", true, "closed"},
		{"in the midst counts as well", "mmm", false, "open"},
		{"departed clients do not count", "ffccc", true, "closed"},
		{"probes after the cooldown", "fffw", true, "open"},
		{"not before", "fffh", false, "open"},
		{"one at a time", "fffwb", false, "probing"},
		{"recovers", "fffws", true, "closed"},
		{"does not", "fffwf", false, "open"},
		{"the next one may probe", "fffwc", true, "open"},
		{"a probe that fails in the midst", "fffwm", true, "closed"},
		{"old failures are old news", "bbbbfffwsoooo", true, "closed"},
		{"old success is no news", "bfffk", false, "open"},
		{"an old one does not end the probe", "bfffwbo", false, "probing"},
		{"parked", "p", false, "closed"},
		{"no longer", "pw", true, "closed"},
		{"parked is no failure", "pwpwpwpwpwpw", true, "closed"},
		{"free probes tell that it is down", "ddd", false, "open"},
		{"and that it is up again", "dddu", true, "open"},
		{"that it is there is not that it can answer", "fffu", false, "open"},
		{"down for longer", "fffwd", false, "open"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &breaker{BreakerOptions: BreakerOptions{Failures: 3}.orDefaults()}
				var begun []pass
				for _, c := range tt.script {
					var p pass
					switch c {
					case 'w':
						time.Sleep(time.Minute)
					case 'h':
						time.Sleep(500 * time.Millisecond)
					case 'o', 'k':
						if p, begun = begun[0], begun[1:]; c == 'o' {
							p.fault(chat.BadBackend, 0)
						} else {
							p.whole()
						}
					case 'd':
						b.probed(errors.New("down"))
					case 'u':
						b.probed(nil)
					default:
						p, no, _ := b.allow(time.Now())
						if no != "" {
							continue
						}
						switch c {
						case 'f':
							p.fault(chat.BadBackend, 0)
						case 'm':
							p.alive()
							p.fault(chat.BadBackend, 0)
						case 's':
							p.alive()
							p.whole()
						case 'c':
							p.nothing()
						case 'b':
							begun = append(begun, p)
						case 'p':
							p.nothing()
							b.park(time.Minute)
						}
					}
				}
				s := b.status(time.Now())
				if s.State != tt.state {
					t.Errorf("after %q it is %s, want %s", tt.script, s.State, tt.state)
				}
				if _, no, _ := b.allow(time.Now()); (no == "") != tt.want {
					t.Errorf("after %q: no pass because of %q, want one = %v", tt.script, no, tt.want)
				}
			})
		})
	}
}

// The cooldown doubles, within its jitter, to its most, and begins again after a
// recovery that lasts.
func TestCooldowns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{BreakerOptions: BreakerOptions{Failures: 1}.orDefaults()}
		trip := func(again time.Duration) time.Duration {
			p, no, _ := b.allow(time.Now())
			if no != "" {
				t.Fatalf("no pass: %s", no)
			}
			p.fault(chat.Unavailable, again)
			d := time.Until(b.until)
			time.Sleep(d)
			return d
		}
		near := func(what string, got, want time.Duration) {
			t.Helper()
			if got < want*3/4 || got > want*5/4 || got > time.Minute {
				t.Errorf("the cooldown %s is %v, want about %v", what, got, want)
			}
		}
		want := time.Second
		for i := range 80 {
			near("at step", trip(0), want)
			if i < 6 {
				want = min(2*want, time.Minute)
			}
		}
		p, _, _ := b.allow(time.Now())
		p.whole()
		near("just after a recovery", trip(0), time.Minute)
		p, _, _ = b.allow(time.Now())
		p.whole()
		time.Sleep(b.SlowStart + 1)
		p, _, _ = b.allow(time.Now())
		p.whole()
		near("after one that lasted", trip(0), time.Second)
		if d := trip(30 * time.Second); d != 30*time.Second {
			t.Errorf("the cooldown is %v where the backend said 30 s", d)
		}
		if n := b.status(time.Now()).Faults[chat.Unavailable]; n != 83 {
			t.Errorf("%d faults were counted, want 83", n)
		}
	})
}

// A backend that has recovered gets a share that grows from a tenth to all.
func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := plays(scene("a")), plays(scene("b"))
		p, _ := newPool(t, PoolOptions{Tiers: tiers(inside("a", a), inside("b", b))})
		p.Observe = nil
		back := p.backends[0]
		for range 5 {
			pass, _, _ := back.breaker.allow(time.Now())
			pass.fault(chat.BadBackend, 0)
		}
		time.Sleep(2 * time.Second)
		request(t, t.Context(), p, ask(), 0) // the probe
		if a.calls() != 1 {
			t.Fatalf("the probe went to the other one")
		}
		const n = 1000
		for second := range 12 {
			before := a.calls()
			for range n {
				request(t, t.Context(), p, ask(), 0)
			}
			share := float64(a.calls()-before) / n
			if want := min(1, max(slowestShare, float64(second)/10)); math.Abs(share-want) > 0.07 {
				t.Errorf("after %d s its share is %.2f, want %.2f", second, share, want)
			}
			time.Sleep(time.Second)
		}
	})
}

// Free probes find out that a backend is away before a request does, and none
// is run twice at a time.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var probes atomic.Int64
		back := NewBackend(BackendOptions{Name: "a", Zone: Inside, Model: plays(scene("a")), Probe: func(ctx context.Context) error {
			probes.Add(1)
			if !down.Load() {
				return nil
			}
			<-ctx.Done() // it does not answer
			return context.Cause(ctx)
		}})
		ctx, cancel := context.WithCancel(t.Context())
		go Watch(ctx, 10*time.Second, back, inside("b", plays(scene("b"))))
		time.Sleep(time.Minute)
		if s := back.Status(); s.State != "closed" || probes.Load() < 5 || probes.Load() > 9 {
			t.Errorf("after a minute it is %s, after %d probes", s.State, probes.Load())
		}
		down.Store(true)
		time.Sleep(3 * time.Minute)
		if s := back.Status(); s.State != "open" || s.Until.IsZero() {
			t.Errorf("when it is away it is %+v", s)
		}
		down.Store(false)
		time.Sleep(30 * time.Second)
		if _, no, _ := back.breaker.allow(time.Now()); no != "" {
			t.Errorf("when it is there again there is no pass: %s", no)
		}
		cancel()
		synctest.Wait()
	})
}
