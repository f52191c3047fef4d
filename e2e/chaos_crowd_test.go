package e2e_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bad "bendi/internal/badserver"
)

// extras are backends that single tests ask.
func extras() []fault {
	return []fault{
		{name: "00 a long answer", play: always(bad.Stream, bad.Send(bad.Chunk(bad.Delta("tick "))), bad.Every(ticking, bad.Chunk(bad.Delta("tick ")))), config: "max_conns: 1000"},
		{name: "07 a connection that is closed when it is used again", keeps: true, play: func(n int) bad.Script {
			if n%2 == 0 {
				return bad.Script{bad.Close}
			}
			return bad.Answer(pieces...)
		}},
		{name: "13 a flood", play: always(bad.Stream, bad.Flood(0, bad.Chunk(bad.Delta(strings.Repeat("jade ", 200)))))},
		{name: "15a silence", play: always(bad.Stall)},
		{name: "15b a head alone", play: always(bad.Stream, bad.Stall)},
		{name: "15c an answer without an end", play: begun(bad.Every(50*time.Millisecond, bad.Chunk(bad.Delta("more "))))},
		{name: "15d a queue of clients for one connection", play: always(bad.Stall), config: "max_conns: 1"},
		{name: "35 recovery", config: "breaker: {failures: 3, cooldown: 1s}", play: func(n int) bad.Script {
			if n <= 3 {
				return bad.Script{refusal(503)}
			}
			return append(bad.Script{bad.Pause(1500 * time.Millisecond)}, bad.Answer(pieces...)...)
		}},
		{name: "36 few connections", config: "max_conns: 2", play: always(append(bad.Script{bad.Pause(200 * time.Millisecond)}, bad.Answer(pieces...)...)...)},
	}
}

// note puts a row into the table.
func (l *lab) note(row string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.table = append(l.table, "| "+row+" |")
}

// called waits for the n-th request for a model.
func (l *lab) called(t *testing.T, backend, model string, n int) *bad.Call {
	t.Helper()
	eventually(t, within(10*time.Second), "a request to "+backend, func() bool { return len(l.by[backend].Calls(model)) >= n })
	return l.by[backend].Calls(model)[n-1]
}

// clientsLeave has clients leave in each phase of an answer. The backend is
// left within a second.
func (l *lab) clientsLeave(t *testing.T) {
	phases := []string{"13 a flood", "15a silence", "15b a head alone", "15c an answer without an end"}
	var all sync.WaitGroup
	for _, phase := range phases {
		number, _, _ := strings.Cut(phase, " ")
		for _, way := range []string{"alone", "alone-stream"} {
			all.Go(func() {
				t.Run(phase+"/"+way, func(t *testing.T) {
					ctx, leave := context.WithCancel(t.Context())
					defer leave()
					gone := make(chan struct{})
					go func() {
						defer close(gone)
						l.stare(ctx, chaosBody("f"+number+"/"+way, strings.HasSuffix(way, "stream")))
					}()
					call := l.called(t, "f"+number, way, 1)
					time.Sleep(500 * time.Millisecond) // the flood fills what there is to fill
					left := time.Now()
					leave()
					l.wasLeft(t, call, left)
					<-gone
					l.note(phase + ", then the client leaves, " + way + " | left within 1 s")
				})
			})
		}
	}
	all.Wait()

	// A client that leaves while it waits for a connection is not asked for.
	t.Run("15d a queue of clients for one connection", func(t *testing.T) {
		var leave [3]context.CancelFunc
		for i := range leave {
			var ctx context.Context
			ctx, leave[i] = context.WithCancel(t.Context())
			defer leave[i]()
			go l.stare(ctx, chaosBody("f15d/alone", i%2 == 0))
			if i == 0 {
				l.called(t, "f15d", "alone", 1)
			}
			time.Sleep(200 * time.Millisecond)
		}
		leave[1]()
		time.Sleep(200 * time.Millisecond)
		leave[0]()
		l.called(t, "f15d", "alone", 2)
		left := time.Now()
		leave[2]()
		l.wasLeft(t, l.by["f15d"].Calls("alone")[1], left)
		if n := len(l.by["f15d"].Calls("alone")); n != 2 {
			t.Errorf("the backend was asked %d times, want 2: one client had left before", n)
		}
		l.note("15d a queue of clients for one connection, and one leaves it | not asked")
	})
}

// stare asks, and does not read the answer.
func (s *server) stare(ctx context.Context, body string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/chat", strings.NewReader(body))
	if err != nil {
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	<-ctx.Done()
}

// crowds has many ask at once, or one after the other.
func (l *lab) crowds(t *testing.T) {
	t.Run("07 stale connections", func(t *testing.T) {
		const requests = 50
		for range requests {
			if r := l.chaosAsk(t.Context(), chaosBody("f07/alone", false)); r.check() != nil || r.text != spoken {
				t.Fatalf("%v, %v", r, r.check())
			}
		}
		if n := len(l.by["f07"].Calls("alone")); n < requests || n > 2*requests {
			t.Errorf("%d requests were %d of the backend", requests, n)
		}
		l.note("07 a connection that is closed when it is used again | all whole")
	})

	t.Run("35 recovery", func(t *testing.T) {
		l.chaosAsk(t.Context(), chaosBody("f35/alone", false)) // three tries open the breaker
		r := l.chaosAsk(t.Context(), chaosBody("f35/alone", false))
		if n := len(l.by["f35"].Calls("alone")); r.check() != nil || n != 3 || r.code() != "no_backend" || r.header.Get("Retry-After") == "" {
			t.Errorf("after %d tries: %v, Retry-After %q", n, r, r.header.Get("Retry-After"))
		}
		time.Sleep(1300 * time.Millisecond) // the cooldown, and a quarter more
		answers := l.ask40(t, "f35/alone")
		if n := len(l.by["f35"].Calls("alone")); n != 4 {
			t.Errorf("%d requests found out whether it has recovered, want 1", n-3)
		}
		whole := 0
		for _, r := range answers {
			if r.text == spoken {
				whole++
			} else if r.code() != "no_backend" || r.header.Get("Retry-After") == "" {
				t.Errorf("%v, Retry-After %q", r, r.header.Get("Retry-After"))
			}
		}
		if whole != 1 {
			t.Errorf("%d answers are whole, want 1", whole)
		}
		for _, r := range l.ask40(t, "f35/alone") {
			if r.text != spoken {
				t.Errorf("after it has recovered: %v", r)
			}
		}
		l.note("35 a herd when it recovers | one request asks, 39 are told when to come again; then all whole")
	})

	t.Run("36 few connections", func(t *testing.T) {
		for _, r := range l.ask40(t, "f36/alone") {
			if r.text != spoken {
				t.Errorf("%v", r)
			}
		}
		l.note("36 more clients than connections | all whole, one after the other")
	})
}

// ask40 has forty clients ask at once.
func (l *lab) ask40(t *testing.T, model string) []*reply {
	t.Helper()
	replies := make([]*reply, 40)
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() { replies[i] = l.chaosAsk(t.Context(), chaosBody(model, i%2 == 0)) })
	}
	wg.Wait()
	for _, r := range replies {
		if err := r.check(); err != nil {
			t.Errorf("%v: %v", r, err)
		}
	}
	return replies
}

// Where everything fails, the backends are asked little more than once for each
// request, and where one keeps failing it is left alone for longer and longer.
func TestChaosStorm(t *testing.T) {
	var now, most atomic.Int64
	storm := always(func(*bad.Conn) bool {
		for n := now.Add(1); ; {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				return true
			}
		}
	}, bad.Pause(300*time.Millisecond), func(*bad.Conn) bool { now.Add(-1); return true }, refusal(503))
	l := newLab(t, nil, []fault{
		{name: "05 all fail", play: storm},
		{name: "35 one that keeps failing", play: always(refusal(502)), config: "breaker: {failures: 3, cooldown: 200ms}"},
	})
	for _, r := range l.ask40(t, "f05/alone") {
		if r.status < 500 {
			t.Errorf("%v", r)
		}
	}
	// A fifth of 40 may be retrying at a time, each with two more tries.
	const limit = 40 + 8*2
	if n := len(l.by["f05"].Calls("alone")); n > limit || most.Load() > limit {
		t.Errorf("40 requests were %d of the backend, %d at a time; want %d at most", n, most.Load(), limit)
	}

	for begin := time.Now(); time.Since(begin) < 3*time.Second; time.Sleep(5 * time.Millisecond) {
		if r := l.chaosAsk(t.Context(), chaosBody("f35/alone", false)); r.check() != nil || r.status < 500 {
			t.Fatalf("%v, %v", r, r.check())
		}
	}
	// Three open it, and it is tried again after 0.2, 0.4, 0.8, 1.6 s, each by a
	// quarter more or less.
	if n := len(l.by["f35"].Calls("alone")); n > 12 {
		t.Errorf("a backend that kept failing was asked %d times in 3 s, want 12 at most", n)
	}
	l.secrets(t)
}

// A gateway that has no file descriptor left goes on with what it has begun,
// tells others so, and takes connections again when there are some.
func TestChaosFiles(t *testing.T) {
	sound, err := bad.Listen(func(c *bad.Call) bad.Script {
		if c.Model == "long" {
			return bad.Script{bad.Stream, bad.Send(bad.Chunk(bad.Delta("tick "))), bad.Every(100*time.Millisecond, bad.Chunk(bad.Delta("tick ")))}
		}
		return bad.Answer(pieces...)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sound.Close)
	cmd := bendi(t, "serve", "--listen", "127.0.0.1:0", "--config", writeFile(t, "bendi.yaml", `
backends:
  sound: {url: "http://`+sound.Addr()+`/v1", zone: inside, probe: off, max_idle: 0, models: {short: {}, long: {}}}
routes:
  - {path: /v1/chat, models: [sound/short, sound/long, bendi-demo]}
`))
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `ulimit -n 64; exec "$@"`, "sh"}, cmd.Args...)
	s := started(t, cmd)
	s.ready(t)
	worker := s.worker(t)

	st := s.stream(t, "/v1/chat", chaosBody("sound/long", true))
	held := newClients(t, s, 100)
	time.Sleep(300 * time.Millisecond)
	for range 10 {
		if !st.next() {
			t.Fatalf("an answer that had begun: %v%v", st, s)
		}
	}
	if s.readyz() != 0 {
		t.Logf("there were files enough for one more client")
	}
	before := s.busy()
	time.Sleep(time.Second)
	if spent := s.busy() - before; spent > 500*time.Millisecond {
		t.Errorf("without files the gateway computes, %v in a second", spent)
	}
	held()
	eventually(t, within(5*time.Second), "a client that is let in", func() bool { return s.readyz() == http.StatusOK })
	for _, model := range []string{"sound/short", "bendi-demo"} {
		if r := s.chaosAsk(t.Context(), chaosBody(model, false)); r.check() != nil || r.status != http.StatusOK {
			t.Errorf("%s: %v, %v", model, r, r.check())
		}
	}
	if s.worker(t) != worker {
		t.Error("the worker was started again")
	}
}
