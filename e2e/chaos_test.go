package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bad "bendi/internal/badserver"
)

// TestChaos has the program ask backends that fail in every way there is. Of
// each fault there are four requests: with one backend and with two, as a stream
// and not. Whatever happens, a reply has to pass [reply.check], and in the end
// the program is as it was, and has told nobody what it must not.
func TestChaos(t *testing.T) {
	rows := faults()
	l := newLab(t, rows, extras())
	l.chaosAsk(t.Context(), chaosBody("bendi-demo", false)) // whatever is made once is made
	before := l.census(t)
	health, others := l.watch(t), l.bystanders(t)
	begin := time.Now()

	t.Run("fault", func(t *testing.T) {
		together(len(rows), func(i int) {
			t.Run(rows[i].name, func(t *testing.T) { l.suffer(t, rows[i]) })
		})
	})
	t.Run("client leaves", func(t *testing.T) { l.clientsLeave(t) })
	t.Run("crowd", func(t *testing.T) { l.crowds(t) })

	worst, gap := health(), others()
	if limit := within(time.Second); worst > limit || gap > limit+ticking {
		t.Errorf("/healthz took %v, want %v at most; others waited %v for a token that came after %v%v", worst, limit, gap, ticking, l)
	}
	l.secrets(t)
	after := l.settle(t, before)
	slices.Sort(l.table)
	t.Logf("%d rows in %v; /healthz took %v at most, others waited %v for a token that came after %v\nbefore %v\nafter  %v\n%s", len(l.table), time.Since(begin).Round(time.Millisecond), worst.Round(time.Millisecond), gap.Round(time.Millisecond), ticking, before, after, strings.Join(l.table, "\n"))
}

// together calls f with 0 to n-1 at once, more of them than the tests that
// [testing.T.Parallel] lets run: they wait, and compute nothing.
func together(n int, f func(i int)) {
	const most = 8
	var wg sync.WaitGroup
	places := make(chan struct{}, most)
	for i := range n {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			f(i)
		})
	}
	wg.Wait()
}

// suffer asks for a fault in four ways.
func (l *lab) suffer(t *testing.T, f fault) {
	ways := []string{"alone", "alone-stream", "pair", "pair-stream"}
	cells := make([]string, len(ways))
	together(len(ways), func(i int) {
		t.Run(ways[i], func(t *testing.T) { cells[i] = l.sufferOnce(t, f, ways[i]).String() })
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.table = append(l.table, fmt.Sprintf("| %s | %s |", f.name, strings.Join(cells, " | ")))
}

func (l *lab) sufferOnce(t *testing.T, f fault, way string) *reply {
	pair, stream := strings.HasPrefix(way, "pair"), strings.HasSuffix(way, "stream")
	r := l.chaosAsk(t.Context(), chaosBody(f.id()+"/"+way, stream))
	left := time.Now()
	wrong := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s, and the reply is %v: %d %s", fmt.Sprintf(format, args...), r, r.status, tail(r.body))
	}
	if err := r.check(); err != nil {
		wrong("%v", err)
		return r
	}

	want := f.want
	if f.differ && !pair {
		want = f.alone
	}
	text := f.text
	switch {
	case text == "-":
		text = ""
	case text == "":
		text = spoken
	}
	failure := max(f.status, http.StatusBadGateway)
	if f.status == http.StatusTooManyRequests {
		failure = f.status
	}
	switch {
	case want == fine && (r.failure != nil || r.text != text):
		wrong("want the whole answer of %d bytes", len(text))
	case want == early && pair && (r.failure != nil || r.text != secondText || !strings.HasPrefix(r.header.Get("X-Bendi-Backend"), "sound/")):
		wrong("want the answer of the second backend")
	case (want == early && !pair || want == late && !stream) && (r.status != failure || r.code() != f.code && f.code != ""):
		wrong("want status %d and code %q", failure, f.code)
	case want == late && stream && (r.status != http.StatusOK || r.failure == nil || r.text == "" || !strings.HasPrefix(spoken, r.text)):
		wrong("want the beginning of the answer, and an error")
	}
	if f.check != nil {
		f.check(t, r)
	}

	most := f.most
	if most == 0 {
		most = map[fate]int{early: 3, late: 1, fine: 1}[want]
	}
	if pair && want == early {
		most = 1 // the other one goes first
	}
	if s := l.by[f.id()]; s != nil {
		calls := s.Calls(way)
		if len(calls) < 1 || len(calls) > most {
			t.Errorf("the backend was asked %d times, want 1 to %d", len(calls), most)
		}
		for _, c := range calls {
			l.heard(t, c)
			if f.leaves {
				l.wasLeft(t, c, left)
			}
		}
	}
	behind := l.sound.Calls(f.id() + strings.TrimPrefix(way, "pair"))
	if n := len(behind); pair && (want == early) != (n == 1) || !pair && n > 0 {
		t.Errorf("the second backend was asked %d times", n)
	}
	return r
}

// heard checks what a backend is told.
func (l *lab) heard(t *testing.T, c *bad.Call) {
	t.Helper()
	if got := c.Header.Get("Authorization"); got != "Bearer "+keyCanary || !strings.Contains(string(c.Body), promptCanary) || c.Path != "/v1/chat/completions" {
		t.Errorf("the backend heard %s %v %s", c.Path, c.Header, c.Body)
	}
}

// wasLeft checks that the gateway has closed the connection of a call a second
// after its client was gone, at the latest.
func (l *lab) wasLeft(t *testing.T, c *bad.Call, client time.Time) {
	t.Helper()
	limit := within(time.Second)
	select {
	case <-c.Left():
		if took := c.LeftAt().Sub(client); took > limit {
			t.Errorf("the backend was left %v after the client was gone, want %v at most", took, limit)
		}
	case <-time.After(limit + time.Until(client)):
		t.Errorf("the backend has not been left %v after the client was gone", limit)
	}
}

// A census is what a program has.
type census struct {
	goroutines, files int
	resident          int64
}

func (c census) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %d MiB", c.goroutines, c.files, c.resident>>20)
}

func (s *server) census(t *testing.T) census {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	pid := s.cmd.Process.Pid
	var c census
	for line := range strings.Lines(s.get(t, "/metrics")) {
		fmt.Sscanf(line, "go_goroutines %d", &c.goroutines)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	c.files, c.resident = len(files), memory(t, pid, "VmRSS")
	return c
}

// settle waits until the program has no more than it had, but for the few
// connections that it keeps on purpose: each is a file and two goroutines.
func (l *lab) settle(t *testing.T, before census) census {
	t.Helper()
	const kept, more = 16, 64 << 20
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		after := l.census(t)
		switch {
		case after.files <= before.files+kept && after.goroutines <= before.goroutines+2*kept && after.resident <= before.resident+more:
			return after
		case time.Since(begin) > 20*time.Second:
			t.Errorf("the program had %v and has %v%v", before, after, l)
			return after
		}
	}
}

// watch asks for /healthz all the time, until the function that it returns is
// called, which returns the longest time that took.
func (l *lab) watch(t *testing.T) func() time.Duration {
	ctx, cancel := context.WithCancel(t.Context())
	worst := make(chan time.Duration, 1)
	go func() {
		var most time.Duration
		for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			begin := time.Now()
			resp, err := http.Get(l.url + "/healthz")
			if err != nil || resp.StatusCode != http.StatusOK {
				most = time.Hour
				continue
			}
			resp.Body.Close()
			most = max(most, time.Since(begin))
		}
		worst <- most
	}()
	return func() time.Duration {
		cancel()
		return <-worst
	}
}

// ticking is the time between two tokens of a bystander.
const ticking = 500 * time.Millisecond

// bystanders has clients listen to long answers of a sound backend, until the
// function that it returns is called, which returns the longest time that one of
// them had no token. There are so many that what fails meanwhile is but a part of
// all requests, and may be retried.
func (l *lab) bystanders(t *testing.T) func() time.Duration {
	const clients = 160
	ctx, cancel := context.WithCancel(t.Context())
	gaps := make([]time.Duration, clients)
	var wg sync.WaitGroup
	for i := range clients {
		st, err := l.open(ctx, "/v1/chat", chaosBody("f00/alone", true))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer st.body.Close()
			for last := time.Now(); st.next(); last = time.Now() {
				gaps[i] = max(gaps[i], time.Since(last))
			}
			if ctx.Err() == nil || st.err != nil {
				t.Errorf("the answer to a bystander: %v", st)
			}
		})
	}
	return func() time.Duration {
		cancel()
		wg.Wait()
		return slices.Max(gaps)
	}
}

// secrets checks that nobody's words and no key are where operators look.
func (l *lab) secrets(t *testing.T) {
	t.Helper()
	for where, text := range map[string]string{"the log": l.stdout.String() + l.stderr.String(), "the metrics": l.get(t, "/metrics"), "/readyz": l.get(t, "/readyz")} {
		for _, secret := range []string{keyCanary, promptCanary, answerCanary, pieces[0], secondText, "panic"} {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%q is in %s: %s", secret, where, text[max(0, i-300):min(len(text), i+300)])
			}
		}
	}
}
