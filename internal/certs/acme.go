package certs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// ACME says where certificates come from that are in no file. Whoever sets it
// has read the terms of the CA, and agrees to them.
type ACME struct {
	Domains   []string // that certificates are ordered for, in lower case; none: there is no ACME
	Email     string   // that the CA may write to; empty: none
	Directory string   // of the CA, a URL
	RootFile  string   // who signs the certificate of the directory, beside the public CAs, PEM; empty: nobody
	Dir       string   // folder of the account and the certificates
}

// On reports whether certificates are ordered.
func (a ACME) On() bool { return len(a.Domains) > 0 }

// inspectACME is [Inspect] where certificates are ordered.
func (r *report) inspectACME(s Settings, now time.Time) *Identity {
	clients, clientText := r.clientCAs(s.ClientCAFile, now)
	roots, _ := r.optional("directory", s.ACME.RootFile)
	if r.found.Failed() {
		return nil
	}
	id := &Identity{settings: s, clients: clients, directory: systemRoots(roots...).pool, callers: sha256.Sum256(clientText)}
	id.sum = sha256.Sum256(fmt.Appendf(nil, "%v %x", s, id.callers))
	id.Warnings = r.found.Warnings()
	return id
}

const (
	lookAgain  = time.Minute     // between looks at whether a certificate was renewed
	orderAgain = 5 * time.Minute // after an order that failed; twice that after each further one
	orderMost  = time.Hour
)

// An issuer orders the certificates of its domains one after the other, and
// holds them for handshakes. These order nothing themselves: nobody makes us
// ask the CA more often than it allows.
type issuer struct {
	log     *slog.Logger
	domains []string
	get     func(*tls.ClientHelloInfo) (*tls.Certificate, error) // of autocert; renews what it has once given

	mu     sync.Mutex
	orders map[string]*order
}

// An order is how far the certificate of a domain has come.
type order struct {
	cert   *tls.Certificate // nil: there is none yet
	err    error            // of the last try
	failed int              // times in a row
	due    time.Time        // when it is looked at next
	told   time.Time        // when the log was last told that it is not renewed
}

func newIssuer(id *Identity, log *slog.Logger) *issuer {
	a := id.settings.ACME
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: id.directory, MinVersion: tls.VersionTLS12}
	m := &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(a.Dir), HostPolicy: autocert.HostWhitelist(a.Domains...), Email: a.Email,
		Client: &acme.Client{DirectoryURL: a.Directory, UserAgent: "bendi", HTTPClient: &http.Client{Timeout: time.Minute, Transport: transport}},
	}
	i := &issuer{log: log, domains: a.Domains, get: m.GetCertificate, orders: make(map[string]*order)}
	for _, domain := range a.Domains {
		i.orders[domain] = &order{}
	}
	return i
}

// run orders certificates, and looks whether they were renewed, until ctx ends.
func (i *issuer) run(ctx context.Context) {
	for {
		for _, domain := range i.domains {
			i.look(ctx, domain)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookAgain):
		}
	}
}

// look gets the certificate of a domain where that is due. An order cannot be
// called off, so that one may go on for minutes after ctx has ended.
func (i *issuer) look(ctx context.Context, domain string) {
	i.mu.Lock()
	due := !time.Now().Before(i.orders[domain].due)
	i.mu.Unlock()
	if !due || ctx.Err() != nil {
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cert, err := i.get(&tls.ClientHelloInfo{ServerName: domain, CipherSuites: suites})
		i.note(domain, cert, err, time.Now())
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
}

// note takes down how an order has gone.
func (i *issuer) note(domain string, cert *tls.Certificate, err error, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	o := i.orders[domain]
	if o.err = err; err != nil {
		wait := min(orderMost, orderAgain<<min(o.failed, 8))
		o.failed++
		o.due = now.Add(wait)
		i.log.Error("tls: no certificate by ACME", "name", domain, "tries", o.failed, "again_in", wait, "err", err, "do", remedy(err))
		return
	}
	if o.cert == nil || !o.cert.Leaf.Equal(cert.Leaf) {
		i.log.Info("tls: the certificate is in force", "name", domain, "by", printable(cert.Leaf.Issuer.CommonName), "until", day(cert.Leaf.NotAfter))
	}
	o.cert, o.failed, o.due = cert, 0, now.Add(lookAgain)
	if late(cert.Leaf, now) && now.Sub(o.told) >= 24*time.Hour {
		o.told = now
		i.log.Error("tls: the certificate by ACME is not renewed", "name", domain, "until", day(cert.Leaf.NotAfter), "do", reach)
	}
}

// late reports whether a certificate should have been renewed by now, as is done
// when a third of its life is left.
func late(cert *x509.Certificate, now time.Time) bool {
	return cert.NotAfter.Sub(now) < cert.NotAfter.Sub(cert.NotBefore)/4
}

const reach = "have port 443 of the name, as the world sees it, lead to this server, and let this server reach server.tls.acme.directory"

// remedy says what to do about an order that failed.
func remedy(err error) string {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return "let this server reach server.tls.acme.directory; where its certificate is of a private CA, name that with ca_file"
	}
	if e, ok := errors.AsType[*acme.Error](err); ok {
		if _, limited := acme.RateLimit(err); limited {
			return "wait: the CA gives no more for now"
		}
		if strings.HasSuffix(e.ProblemType, ":rejectedIdentifier") {
			return "the CA signs no such name: correct server.tls.acme.domains"
		}
	}
	return reach
}

// certificate returns what a handshake is shown: the certificate of the name
// that is asked for, and of the first domain where none of ours is.
func (i *issuer) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	i.mu.Lock()
	defer i.mu.Unlock()
	o := i.orders[name]
	if o == nil {
		name = i.domains[0]
		o = i.orders[name]
	}
	if o.cert == nil {
		return nil, fmt.Errorf("there is no certificate for %s yet; the log says why", name)
	}
	return o.cert, nil
}

// challenge is what the CA is shown when it looks whether a name is ours: a
// certificate made for that, to whoever asks for nothing else. No request can
// be made by such a connection.
func (i *issuer) challenge() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{acme.ALPNProto}, GetCertificate: i.get, SessionTicketsDisabled: true}
}

// isChallenge reports whether it is a CA that shakes hands.
func isChallenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto
}

// notes say which certificates there are not, or not for long.
func (i *issuer) notes(now time.Time) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var notes []string
	for _, domain := range i.domains {
		switch o := i.orders[domain]; {
		case o.cert == nil && o.err == nil:
			notes = append(notes, fmt.Sprintf("the TLS certificate for %s is being ordered", domain))
		case o.cert == nil:
			notes = append(notes, fmt.Sprintf("there is no TLS certificate for %s; the log says why", domain))
		case now.After(o.cert.Leaf.NotAfter):
			notes = append(notes, fmt.Sprintf("the TLS certificate for %s has expired", domain))
		case late(o.cert.Leaf, now):
			notes = append(notes, fmt.Sprintf("the TLS certificate for %s is not renewed and expires in %d hours", domain, int(o.cert.Leaf.NotAfter.Sub(now).Hours())))
		}
	}
	return notes
}

// ends returns when the first of the certificates does; zero where there is
// none.
func (i *issuer) ends() (first time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, o := range i.orders {
		if o.cert != nil && (first.IsZero() || o.cert.Leaf.NotAfter.Before(first)) {
			first = o.cert.Leaf.NotAfter
		}
	}
	return first
}
