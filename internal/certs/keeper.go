package certs

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ticketLife is how long a session ticket is made with one key. With the two
// keys before it, tickets are still taken.
const ticketLife = 12 * time.Hour

// A Keeper serves an Identity, and another one from the next handshake on when
// it is told to.
type Keeper struct {
	log    *slog.Logger
	client *http.Client // asks responders
	now    atomic.Pointer[served]
	wake   chan struct{}
	hired  chan *issuer

	mu      sync.Mutex
	id      *Identity
	issuer  *issuer    // of the first identity by ACME; nil: there was none yet
	cache   string     // folder of what responders have said; empty: none
	tickets [][32]byte // the newest first
	turned  time.Time  // when tickets were last
	staple  *staple    // nil: there is none that could be shown
	trouble string     // what the responder last said that is bad
	asked   time.Time  // when the responder is to be asked next; zero: never
	failed  int        // times in a row that it could not be
	told    int        // the days before the end that were last told of; 0: none
}

// served is what handshakes go by.
type served struct {
	all    *tls.Config
	issuer *issuer // answers the challenges of its CA; nil: there are none
}

// NewKeeper returns a Keeper that serves nothing yet. Responders are asked
// through client, which follows no redirects; where it is nil, through one of
// its own.
func NewKeeper(log *slog.Logger, client *http.Client) *Keeper {
	if client == nil {
		client = &http.Client{Timeout: responderTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &Keeper{log: log, client: client, wake: make(chan struct{}, 1), hired: make(chan *issuer, 1)}
}

// Use serves id from now on, and keeps what responders say in a folder, where
// one is named. It reports whether something else was served before. When other
// CAs sign the clients' certificates than before, no session from before can be
// taken up again: it would show a certificate that nobody looks at any more.
// Certificates are ordered by what the first identity by ACME says of that, while
// [Keeper.Watch] runs.
func (k *Keeper) Use(id *Identity, cache string) (changed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.id.Equal(id) {
		return false
	}
	if k.id == nil || k.id.callers != id.callers || k.id.settings.OldestTLS != id.settings.OldestTLS {
		k.tickets = nil
	}
	k.id, k.cache, k.told = id, cache, 0
	k.staple, k.trouble, k.failed, k.asked = nil, "", 0, time.Time{}
	if canStaple(id) {
		k.asked = time.Now()
		if s := k.cached(); s != nil {
			k.staple, k.asked = s, s.refresh()
		}
	}
	if id.settings.ACME.On() && k.issuer == nil {
		k.issuer = newIssuer(id, k.log)
		k.hired <- k.issuer
	}
	k.turn(time.Now())
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return true
}

// turn makes a new key for tickets, and serves all that has changed. k.mu is
// held.
func (k *Keeper) turn(now time.Time) {
	var key [32]byte
	rand.Read(key[:])
	k.tickets = append([][32]byte{key}, k.tickets[:min(2, len(k.tickets))]...)
	k.turned = now
	k.publish()
}

// suites are those of TLS 1.2 that seal what they send and keep the past
// secret; TLS 1.3 has no others.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// publish has handshakes go by what there is. k.mu is held.
func (k *Keeper) publish() {
	cert := k.id.cert
	if k.staple != nil {
		cert.OCSPStaple = k.staple.raw
	}
	c := &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   max(tls.VersionTLS12, k.id.settings.OldestTLS),
		CipherSuites: suites,
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if k.id.settings.ACME.On() {
		c.Certificates, c.GetCertificate = nil, k.issuer.certificate
	}
	if k.id.clients != nil {
		c.ClientCAs, c.ClientAuth = k.id.clients, tls.RequireAndVerifyClientCert
	}
	c.SetSessionTicketKeys(k.tickets)
	k.now.Store(&served{all: c, issuer: k.issuer})
}

// Config returns what a server listens with. It holds no certificate itself:
// each handshake goes by what is served at its beginning.
func (k *Keeper) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			s := k.now.Load()
			switch {
			case s == nil:
				return nil, fmt.Errorf("no certificate is served yet")
			case s.issuer != nil && isChallenge(hello):
				return s.issuer.challenge(), nil
			}
			return s.all, nil
		},
	}
}

// Watch makes new keys for tickets, orders certificates, asks responders and
// warns of the end of certificates, until ctx ends.
func (k *Keeper) Watch(ctx context.Context) {
	var ordering sync.WaitGroup
	defer ordering.Wait()
	ordering.Go(func() {
		select {
		case <-ctx.Done():
		case i := <-k.hired:
			i.run(ctx)
		}
	})
	for {
		k.work(ctx, time.Now())
		timer := time.NewTimer(k.idle(time.Now()))
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// idle returns how long there is nothing to do.
func (k *Keeper) idle(now time.Time) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	wait := time.Hour // the certificate may run out meanwhile
	if k.id == nil {
		return wait
	}
	wait = min(wait, k.turned.Add(ticketLife).Sub(now))
	if !k.asked.IsZero() {
		wait = min(wait, k.asked.Sub(now))
	}
	if k.staple != nil {
		wait = min(wait, k.staple.end.Sub(now))
	}
	return max(wait, time.Second)
}

// work does what is due.
func (k *Keeper) work(ctx context.Context, now time.Time) {
	k.mu.Lock()
	id := k.id
	if id == nil {
		k.mu.Unlock()
		return
	}
	k.warn(now)
	if k.staple != nil && !now.Before(k.staple.end) {
		k.staple = nil
		k.publish()
	}
	if now.Sub(k.turned) >= ticketLife {
		k.turn(now)
	}
	due := !k.asked.IsZero() && !now.Before(k.asked)
	k.mu.Unlock()
	if due {
		k.ask(ctx, id)
	}
}

// warn tells the log that the certificate is about to end, once for each of
// warnDays, and that it has ended every time. k.mu is held.
func (k *Keeper) warn(now time.Time) {
	if k.id.Leaf() == nil {
		return // the issuer does
	}
	left := k.id.Leaf().NotAfter.Sub(now)
	if left <= 0 {
		k.log.Error("tls: the certificate has expired; clients refuse it", "names", sans(k.id.Leaf()), "expired", day(k.id.Leaf().NotAfter))
		return
	}
	within := 0
	for _, days := range warnDays {
		if left <= time.Duration(days)*24*time.Hour {
			within = days
		}
	}
	if within != 0 && (k.told == 0 || within < k.told) {
		k.told = within
		k.log.Warn("tls: the certificate expires soon: renew it", "names", sans(k.id.Leaf()), "expires", day(k.id.Leaf().NotAfter), "days", int(left.Hours()/24))
	}
}

// Notes say what whoever looks after the server should know of what is served.
func (k *Keeper) Notes() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.id == nil {
		return nil
	}
	if k.id.settings.ACME.On() {
		return k.issuer.notes(time.Now())
	}
	var notes []string
	switch left := time.Until(k.id.Leaf().NotAfter); {
	case left <= 0:
		notes = append(notes, "the TLS certificate has expired")
	case left <= time.Duration(warnDays[0])*24*time.Hour:
		notes = append(notes, fmt.Sprintf("the TLS certificate expires in %d days", int(left.Hours()/24)))
	}
	if k.trouble != "" {
		notes = append(notes, k.trouble)
	}
	return notes
}

// Ends returns when the certificate that is served does, or the first of them,
// and the response that is stapled to it; zero where there is none.
func (k *Keeper) Ends() (cert, stapled time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.id == nil:
	case k.id.settings.ACME.On():
		cert = k.issuer.ends()
	default:
		cert = k.id.Leaf().NotAfter
	}
	if k.staple != nil {
		stapled = k.staple.end
	}
	return cert, stapled
}
