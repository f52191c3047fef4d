package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bendi/internal/redistest"
)

// A crowdOf is what clients of a gateway have seen who go on with their sessions
// all the time, and ask without a session in between.
type crowdOf struct {
	gateway *server
	policy  string
	clients []*writer

	mu            sync.Mutex
	seen          map[string]int // how turns were answered
	with, without []time.Duration
}

// remembered answers as their policy says, whatever is the matter with Redis.
var troubles = map[string]string{"stateless": "without", "fail": "503"}

// enter starts a gateway with a policy, and clients of two keys, who use the
// same ids.
func enter(t *testing.T, u *upstream, policy, redis string) *crowdOf {
	s := start(t, remembering(t, u, fmt.Sprintf("sessions: {store: redis, when_down: %s}\nstores: {redis: {prefix: %s, %s}}\n", policy, policy, redis))).ready(t)
	c := &crowdOf{gateway: s, policy: policy}
	for i := range 4 {
		c.clients = append(c.clients, newWriter([]string{shopKey, bankKey}[i%2], fmt.Sprint("id", i/2)))
	}
	return c
}

// run has every client ask for a while. In the middle of it, something happens.
func (c *crowdOf) run(t *testing.T, what string, long time.Duration, happens func()) map[string]int {
	t.Helper()
	c.seen, c.with, c.without = map[string]int{}, nil, nil
	until := time.Now().Add(long)
	var wg sync.WaitGroup
	for _, w := range c.clients {
		wg.Go(func() {
			for time.Now().Before(until) {
				c.ask(t, what, w)
			}
		})
	}
	time.Sleep(long / 2)
	if happens != nil {
		happens()
	}
	wg.Wait()
	slices.Sort(c.with)
	slices.Sort(c.without)
	median := func(list []time.Duration) time.Duration { return list[len(list)/2] }
	t.Logf("%s, %s: %v; median %v with a session and %v without, slowest %v and %v", c.policy, what, c.seen,
		median(c.with).Round(10*time.Microsecond), median(c.without).Round(10*time.Microsecond),
		c.with[len(c.with)-1].Round(time.Millisecond), c.without[len(c.without)-1].Round(time.Millisecond))
	if added := median(c.with) - median(c.without); c.policy == "stateless" && added > within(50*time.Millisecond) {
		t.Errorf("%s, %s: a session adds %v", c.policy, what, added)
	}
	return c.seen
}

// ask has a turn answered, and beside it a request without a session.
func (c *crowdOf) ask(t *testing.T, what string, w *writer) {
	begin := time.Now()
	status, header, err := w.ask(c.gateway.url, fmt.Sprintf("%s-%d", w.key[:4], w.said))
	with := time.Since(begin)
	w.said++
	bare := *w
	bare.session = ""
	begin = time.Now()
	if status, _, err := bare.ask(c.gateway.url, "without"); err != nil || status != http.StatusOK {
		t.Errorf("%s, %s: without a session: %d, %v", c.policy, what, status, err)
	}
	without := time.Since(begin)

	note, session := "remembered", header.Get("X-Bendi-Session")
	switch {
	case err != nil:
		t.Errorf("%s, %s: %v", c.policy, what, err)
	case status == http.StatusServiceUnavailable:
		note = "503"
	case status == http.StatusConflict:
		note = "conflict" // its session was emptied meanwhile
	case status != http.StatusOK:
		t.Errorf("%s, %s: %d", c.policy, what, status)
	case strings.Contains(session, "stateless") || strings.Contains(session, "lost"):
		note = "without"
	case !strings.HasPrefix(session, "kept="):
		t.Errorf("%s, %s: x-bendi-session is %q", c.policy, what, session)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[note]++
	c.with, c.without = append(c.with, with), append(c.without, without)
}

// back waits until every client is remembered again.
func (c *crowdOf) back(t *testing.T, what string) {
	t.Helper()
	begin, slowest := time.Now(), time.Duration(0)
	for _, w := range c.clients {
		eventually(t, time.Minute, c.policy+": memory after Redis was "+what, func() bool {
			asked := time.Now()
			status, header, err := w.ask(c.gateway.url, w.key[:4]+"-back")
			slowest = max(slowest, time.Since(asked))
			session := header.Get("X-Bendi-Session")
			return err == nil && status == http.StatusOK && strings.HasPrefix(session, "kept=") && !strings.Contains(session, "lost")
		})
	}
	t.Logf("%s: memory was back %v after Redis was %s, the slowest request took %v", c.policy, time.Since(begin).Round(time.Millisecond), what, slowest.Round(time.Millisecond))
	if c.policy == "stateless" && slowest > within(time.Second) {
		t.Errorf("%s: after Redis was %s a request takes %v", c.policy, what, slowest)
	}
}

// alone checks that no session has a word of another key.
func (c *crowdOf) alone(t *testing.T) {
	t.Helper()
	for _, w := range c.clients {
		for _, question := range c.gateway.remembered(t, w.key, w.session) {
			if !strings.HasPrefix(question, w.key[:4]) {
				t.Errorf("%s: session %s of %s has %q", c.policy, w.session, w.key[:4], question)
			}
		}
	}
}

// atOnce does something with each crowd at the same time.
func atOnce(crowds []*crowdOf, do func(c *crowdOf)) {
	var wg sync.WaitGroup
	for _, c := range crowds {
		wg.Go(func() { do(c) })
	}
	wg.Wait()
}

// While Redis is stopped, slowed by five seconds, or emptied, clients under load
// are answered, without memory or with 503 as the policy says, and told so;
// nobody waits for it for long, nobody reads another's session, /readyz tells of
// it, and memory is back when Redis is, without a restart.
func TestRedisInTrouble(t *testing.T) {
	redis := redistest.Start(t)
	via := redistest.Via(t, redis.Address)
	u := newUpstream(t)
	crowds := []*crowdOf{
		enter(t, u, "stateless", fmt.Sprintf("addresses: [%q]", via.Address)),
		enter(t, u, "fail", fmt.Sprintf("addresses: [%q]", via.Address)),
	}
	back := func(what string) { atOnce(crowds, func(c *crowdOf) { c.back(t, what) }) }
	trouble := func(what string) {
		atOnce(crowds, func(c *crowdOf) {
			seen := c.run(t, what, 3*time.Second, nil)
			if all := len(c.with); seen[troubles[c.policy]] < all*9/10 {
				t.Errorf("%s, %s: %v", c.policy, what, seen)
			}
			if body := c.gateway.get(t, "/readyz"); !strings.Contains(body, "the store of sessions is down") {
				t.Errorf("%s, %s: /readyz does not tell of Redis: %s", c.policy, what, body)
			}
		})
	}
	back("started")
	atOnce(crowds, func(c *crowdOf) { c.run(t, "all is well", time.Second, nil) })

	redis.Process.Signal(syscall.SIGSTOP)
	trouble("stopped")
	redis.Process.Signal(syscall.SIGCONT)
	back("stopped")

	via.Delay(5 * time.Second)
	trouble("slowed by 5 s")
	via.Delay(0)
	back("slowed by 5 s")

	var once sync.Once
	atOnce(crowds, func(c *crowdOf) {
		c.run(t, "emptied", 2*time.Second, func() { once.Do(func() { redis.CLI(t, "flushall") }) })
	})
	back("emptied")
	atOnce(crowds, func(c *crowdOf) { c.alone(t) })
}

// When the master behind Sentinel is killed under load, memory is back on the
// replica without a restart.
func TestRedisFailsOver(t *testing.T) {
	w := redistest.StartWatched(t)
	var sentinels []string
	for _, address := range w.Sentinels {
		sentinels = append(sentinels, fmt.Sprintf("%q", address))
	}
	redis := fmt.Sprintf("mode: sentinel, master: %s, addresses: [%s]", redistest.MasterName, strings.Join(sentinels, ", "))
	u := newUpstream(t)
	crowds := []*crowdOf{enter(t, u, "stateless", redis), enter(t, u, "fail", redis)}
	atOnce(crowds, func(c *crowdOf) { c.back(t, "started") })
	var once sync.Once
	atOnce(crowds, func(c *crowdOf) {
		c.run(t, "its master killed", 2*time.Second, func() { once.Do(func() { w.Master.Process.Kill() }) })
		c.back(t, "failed over")
		if seen := c.run(t, "on the replica", time.Second, nil); seen["remembered"] == 0 {
			t.Errorf("%s: on the replica: %v", c.policy, seen)
		}
		c.alone(t)
	})
}

// What one gateway deletes, while another answers the first turn of it, does not
// come back with that turn.
func TestDeletedWhileAnswered(t *testing.T) {
	address := redistest.Start(t).Address
	begun, goOn := make(chan struct{}), make(chan struct{})
	u := new(upstream)
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-goOn
		u.ServeHTTP(w, r)
	}))
	t.Cleanup(u.Close)
	more := fmt.Sprintf("sessions: {store: redis}\nstores: {redis: {addresses: [%q]}}\n", address)
	here, there := start(t, remembering(t, u, more)).ready(t), start(t, remembering(t, u, more)).ready(t)
	for _, path := range []string{"/v1/sessions/s", "/v1/sessions"} {
		ended := make(chan int)
		go func() {
			status, _, err := newWriter(shopKey, "s").ask(here.url, "first")
			if err != nil {
				t.Error(err)
			}
			ended <- status
		}()
		<-begun
		if status, _, body := there.do(t, http.MethodDelete, path, shopKey, "", ""); status != http.StatusOK && status != http.StatusNotFound {
			t.Errorf("DELETE %s: %d %s", path, status, body)
		}
		goOn <- struct{}{}
		if status := <-ended; status != http.StatusConflict {
			t.Errorf("DELETE %s while the first turn is answered: that is %d, want 409", path, status)
		}
		for _, s := range []*server{here, there} {
			if have := s.remembered(t, shopKey, "s"); have != nil {
				t.Errorf("DELETE %s: the session is there again: %v", path, have)
			}
		}
	}
}
