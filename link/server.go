package link

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits of who has not yet shown who it is.
const (
	headerTime   = 5 * time.Second
	maxHeader    = 8 << 10
	maxStrangers = 128 // connections of one address, at once
)

// NewServer returns a server for a relay: TLS 1.3 and HTTP/1.1 alone, and
// little for those who have not shown who they are. Its certificates are in c,
// and in its ClientCAs who signs those of edges.
func NewServer(r *Relay, c *tls.Config) *http.Server {
	c = c.Clone()
	c.MinVersion, c.NextProtos = tls.VersionTLS13, []string{"http/1.1"}
	c.SessionTicketsDisabled = true // what was trusted once is looked at again
	if c.ClientCAs != nil {
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	s := &strangers{count: make(map[string]int), from: make(map[net.Conn]string), refuse: func() { r.tally.refuse("strangers") }}
	return &http.Server{
		Handler: r, TLSConfig: c, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: headerTime, IdleTimeout: headerTime, MaxHeaderBytes: maxHeader,
		ConnState: s.note, ErrorLog: nil,
	}
}

// Listen returns a listener with what helps a link over a long line.
func Listen(ctx context.Context, address, congestion string) (net.Listener, error) {
	lc := net.ListenConfig{Control: tune(congestion)}
	return lc.Listen(ctx, "tcp", address)
}

// strangers counts the connections that have not become links.
type strangers struct {
	mu    sync.Mutex
	count map[string]int // by address
	from  map[net.Conn]string

	refuse func() // is called with each that is one too many
}

func (s *strangers) note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		if s.count[host] >= maxStrangers {
			c.Close()
			s.refuse()
			return
		}
		s.count[host]++
		s.from[c] = host
	case http.StateClosed, http.StateHijacked:
		host, ok := s.from[c]
		if !ok {
			return
		}
		delete(s.from, c)
		if s.count[host]--; s.count[host] == 0 {
			delete(s.count, host)
		}
	}
}
