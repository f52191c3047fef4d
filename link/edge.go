package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"time"
)

// EdgeOptions say which relays an edge has and how it shows who it is.
type EdgeOptions struct {
	Relays   []string // addresses such as wss://relay.example:8443; several share the requests
	Identity Identity
	TLS      *tls.Config // nil: the system's certificates are trusted; its own go into Identity

	// How many links there are, to all relays together: they follow the load
	// from Min to Max. With a Max of 1 a link carries one request at a time, and
	// each request has one of its own. 0: 8 and 64.
	Min, Max int

	Rotate      time.Duration // about how old a link gets; 0: 90 minutes
	DialTimeout time.Duration // for a link to be there; 0: 10 seconds
	Congestion  string        // of TCP, such as bbr, where the kernel has it; empty: as the machine has it
	Log         *slog.Logger  // nil: nothing is logged
}

// An Edge is the end of links where the requests are made. It is an
// [net/http.RoundTripper].
type Edge struct {
	o      EdgeOptions
	log    *slog.Logger
	relays []*far
	ctx    context.Context // of all that it does
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// NewEdge returns an edge that connects to its relays.
func NewEdge(o EdgeOptions) (*Edge, error) {
	if err := o.Identity.check(); err != nil {
		return nil, err
	}
	o.Min, o.Max = cmp.Or(o.Min, min(8, cmp.Or(o.Max, 8))), cmp.Or(o.Max, max(64, o.Min))
	o.Rotate, o.DialTimeout = cmp.Or(o.Rotate, 90*time.Minute), cmp.Or(o.DialTimeout, 10*time.Second)
	switch {
	case len(o.Relays) == 0:
		return nil, errors.New("a link needs the address of a relay, such as wss://relay.example:8443")
	case o.Min < 1 || o.Max < o.Min || o.Max > 256:
		return nil, fmt.Errorf("want at least 1 link, at most 256, and not more at least than at most; have %d to %d", o.Min, o.Max)
	}
	e := &Edge{o: o, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
	for _, address := range o.Relays {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "wss" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" && u.Path != linkPath {
			return nil, errors.New("the address of a relay is wss with a host and a port, such as wss://relay.example:8443, and nothing more")
		}
		u.Path = linkPath
		if u.Port() == "" {
			u.Host += ":443"
		}
		e.relays = append(e.relays, newFar(e, u))
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if !e.alone() {
		for _, f := range e.relays {
			e.work.Go(f.tend)
		}
	}
	return e, nil
}

// alone reports whether each request has a link of its own.
func (e *Edge) alone() bool { return e.o.Max == 1 }

// Close ends all links, and the requests on them.
func (e *Edge) Close() {
	e.cancel()
	for _, f := range e.relays {
		f.close()
	}
	e.work.Wait()
}

// A RelayStatus is what an edge knows about a relay.
type RelayStatus struct {
	Relay string
	Want  int    // links
	Fault string // why the latest attempt failed; empty: it did not
	Since time.Time
	Stats
}

// Status returns how it stands with each relay.
func (e *Edge) Status() []RelayStatus {
	var all []RelayStatus
	for _, f := range e.relays {
		f.mu.Lock()
		st := RelayStatus{Relay: f.url.Host, Want: f.want, Since: f.since, Stats: f.session.Stats()}
		if f.fault != nil {
			st.Fault = f.fault.Error()
		}
		for _, s := range f.lone {
			st.Links += s.Stats().Links
		}
		f.mu.Unlock()
		all = append(all, st)
	}
	return all
}

// A far is a relay, as an edge has it: one session, and the links to it.
//
//	down --a link is there--> up (the others follow at random times within spread)
//	up   --the last one ends--> down (one link is tried at a time, at random times further and further apart)
type far struct {
	e   *Edge
	url *url.URL

	mu       sync.Mutex
	session  *Session
	id       id
	instance id // what the relay calls the session; zero: not yet
	links    []*kept
	dialing  int
	made     uint32    // links, with those that failed
	next     time.Time // when the next link may be tried
	fails    int       // in a row
	fault    error     // of the latest; nil: it was none
	since    time.Time // that it is up, or down
	spread   bool      // there was no link: they come back slowly
	want     int
	peak     float64       // streams, lately
	change   chan struct{} // closed when something changes
	shrunk   time.Time
	lone     []*Session // of requests that have links of their own, and wait for the next
}

// A kept is a link that an edge has made.
type kept struct {
	link *Link
	old  time.Time // when it is to be replaced
}

// Times of links.
const (
	look         = 20 * time.Millisecond // how often an edge looks after them
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = 30 * time.Second
	hurry        = 2 * time.Second       // likewise, while requests wait for a link
	comeBack     = 4 * time.Second       // within which links come back that were all lost
	growEvery    = 15 * time.Millisecond // between links that the load asks for
	shrinkEvery  = 20 * time.Second
	atOnce       = 16                      // links that are being made; a relay bears some more from one address
	dark         = 1500 * time.Millisecond // after which links of which none is heard get a fresh one beside them
)

func newFar(e *Edge, u *url.URL) *far {
	return &far{e: e, url: u, session: newSession(true, 2, nil), id: newID(), since: time.Now(), change: make(chan struct{}), shrunk: time.Now()}
}

func (f *far) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session.Close()
	for _, s := range f.lone {
		s.Close()
	}
	f.lone = nil
	f.changed()
}

// changed wakes who waits for a change. f.mu is held.
func (f *far) changed() {
	close(f.change)
	f.change = make(chan struct{})
}

// tend looks after the links until the edge is closed.
func (f *far) tend() {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		f.mu.Lock()
		f.plan(time.Now())
		f.mu.Unlock()
		select {
		case <-f.e.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// plan begins what is due: links that are missing, and the end of those that
// are old or too many. f.mu is held.
func (f *far) plan(now time.Time) {
	share := func(n int) int { return (n + len(f.e.relays) - 1) / len(f.e.relays) }
	f.peak = max(float64(f.session.load().streams), f.peak*0.9996) // half of it is gone after 35 seconds
	f.want = max(share(f.e.o.Min), min(2*int(f.peak+0.5), share(f.e.o.Max)))

	fresh, silent := 0, 0
	for _, k := range f.links {
		if now.Before(k.old) {
			fresh++
			if k.link.quiet() > dark {
				silent++
			}
		}
	}
	missing := f.want - fresh - f.dialing
	if fresh > 0 && silent == fresh && f.dialing == 0 && len(f.links) < 2*f.want {
		missing = max(missing, 1)
	}
	missing = min(missing, atOnce-f.dialing)
	if missing > 0 && f.fails > 0 {
		missing = min(missing, 1-f.dialing)
	}
	for missing > 0 && !now.Before(f.next) {
		missing--
		f.dialing++
		f.e.work.Go(f.connect)
		if f.spread && len(f.links) > 0 {
			f.next = now.Add(rand.N(2 * comeBack / time.Duration(f.want)))
		} else if f.spread {
			f.next = now.Add(f.e.o.DialTimeout) // or until this one is there
		} else {
			f.next = now.Add(growEvery)
		}
	}
	if fresh >= f.want {
		f.spread = false
		for _, k := range f.links {
			if !now.Before(k.old) {
				k.link.leave()
			}
		}
	}
	if fresh > f.want+f.want/4 && now.Sub(f.shrunk) > shrinkEvery {
		f.shrunk = now
		f.links[0].old = now
	}
}

// connect tries one more link, and has it while it lasts.
func (f *far) connect() {
	f.mu.Lock()
	sid := f.id
	f.made++
	number := f.made
	f.mu.Unlock()
	conn, instance, lifetime, err := f.dial(f.e.ctx, sid, number)
	f.mu.Lock()
	f.dialing--
	if err != nil {
		f.failed(err)
		f.mu.Unlock()
		return
	}
	if f.instance != instance {
		if f.instance != (id{}) {
			f.session.fail(ErrRestarted)
			f.session = newSession(true, 2, nil)
		}
		f.instance = instance
	}
	l, err := f.session.join(conn, number)
	if err != nil {
		f.mu.Unlock()
		return
	}
	k := &kept{l, time.Now().Add(lifetime)}
	f.links = append(f.links, k)
	if len(f.links) == 1 {
		f.e.log.Info("link up", "relay", f.url.Host, "after", time.Since(f.since).Round(time.Millisecond))
		f.since = time.Now()
	}
	if f.fails > 0 || time.Until(f.next) > comeBack {
		f.next = time.Now()
	}
	f.fails, f.fault = 0, nil
	f.changed()
	f.mu.Unlock()

	err = l.read()

	f.mu.Lock()
	defer f.mu.Unlock()
	f.links = slices.DeleteFunc(f.links, func(o *kept) bool { return o == k })
	if errors.Is(err, errLeft) || errors.Is(err, errClosed) || errors.Is(err, ErrRestarted) {
		return
	}
	if f.session.load().drains {
		err = errors.New("the relay has shut down")
	}
	f.e.log.Debug("link ended", "relay", f.url.Host, "why", err)
	if f.next.Before(time.Now()) {
		f.next = time.Now().Add(rand.N(firstBackoff))
	}
	if len(f.links) == 0 {
		f.spread = true
		f.since, f.fault = time.Now(), fmt.Errorf("all links ended; the last one since %w", err)
		f.e.log.Warn("link down", "relay", f.url.Host, "why", err)
		f.changed()
	}
}

// failed notes that a link could not be made. f.mu is held.
func (f *far) failed(err error) {
	if f.e.ctx.Err() != nil {
		return
	}
	f.fails++
	if f.fails == 1 {
		f.e.log.Warn("a link cannot be made", "relay", f.url.Host, "why", err)
	}
	f.fault = err
	f.spread = f.spread || len(f.links) == 0
	longest := lastBackoff
	if f.session.load().streams > 0 {
		longest = hurry
	}
	f.next = time.Now().Add(rand.N(min(longest, firstBackoff<<min(f.fails, 10))))
	f.changed()
}

// ErrRestarted is the end of requests on a relay that has begun anew.
var ErrRestarted = errors.New("the relay was restarted, and what it was asked for is lost")

// quiet is how long something is under way of which nothing was heard.
func (l *Link) quiet() time.Duration {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if len(l.sent) == 0 {
		return 0
	}
	return time.Since(l.sent[0].at)
}
