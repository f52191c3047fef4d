// Package crowd keeps the number of connections in bounds, in all and from one
// address, so that whoever opens many leaves room for others.
//
// A connection that is one too many is told so, where it speaks HTTP without
// TLS, and closed at once; it never waits.
package crowd

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits are the most connections at once. 0 is any number.
type Limits struct {
	Total      int
	PerAddress int // of IPv6, for each network of 64 bits; loopback apart, where what comes may be a proxy's
}

// Why a connection is refused.
const (
	Full    = "total"
	TooMany = "address"
)

// A Crowd counts the connections of all its listeners.
type Crowd struct {
	log     *slog.Logger
	refused func(why string)

	mu     sync.Mutex
	limits Limits
	total  int
	from   map[netip.Prefix]int
	told   time.Time
	untold int
}

// New returns a Crowd without limits. refused is called for each connection
// that is one too many; it may be nil.
func New(log *slog.Logger, refused func(why string)) *Crowd {
	if refused == nil {
		refused = func(string) {}
	}
	return &Crowd{log: log, refused: refused, from: make(map[netip.Prefix]int)}
}

// Limit sets the limits. Connections that are open stay.
func (c *Crowd) Limit(l Limits) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limits = l
}

// Count returns how many connections there are.
func (c *Crowd) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// Listener returns l within the limits. What is one too many is told so where
// plain is true.
func (c *Crowd) Listener(l net.Listener, plain bool) net.Listener { return listener{l, c, plain} }

type listener struct {
	net.Listener
	crowd *Crowd
	plain bool
}

// Accept waits for a connection that is not one too many.
func (l listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := originOf(conn)
		if why := l.crowd.enter(from); why != "" {
			l.turnAway(conn)
			continue
		}
		return &member{Conn: conn, leave: sync.OnceFunc(func() { l.crowd.leave(from) })}, nil
	}
}

// originOf returns the network that a connection counts for.
func originOf(conn net.Conn) netip.Prefix {
	addr, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := addr.AddrPort().Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	if ip.IsLoopback() {
		return netip.Prefix{}
	}
	return p
}

// enter counts a connection, or returns why it is one too many.
func (c *Crowd) enter(from netip.Prefix) (why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.limits.Total > 0 && c.total >= c.limits.Total:
		why = Full
	case c.limits.PerAddress > 0 && from.IsValid() && c.from[from] >= c.limits.PerAddress:
		why = TooMany
	default:
		c.total++
		if from.IsValid() {
			c.from[from]++
		}
		return ""
	}
	c.tell(why, from)
	return why
}

// tell logs that connections are refused, once a minute at most. c.mu is held.
func (c *Crowd) tell(why string, from netip.Prefix) {
	c.refused(why)
	c.untold++
	if now := time.Now(); now.Sub(c.told) >= time.Minute {
		c.log.Warn("connections: refused, for there are too many", "limit", why, "times", c.untold, "last_from", from.Addr(), "open", c.total)
		c.told, c.untold = now, 0
	}
}

func (c *Crowd) leave(from netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total--
	if from.IsValid() {
		if c.from[from]--; c.from[from] == 0 {
			delete(c.from, from)
		}
	}
}

// turnAway closes a connection. What it is told fits into its buffer, so that
// nobody waits for it.
func (l listener) turnAway(conn net.Conn) {
	if l.plain {
		const body = `{"error":{"message":"There are too many connections: try again in 5 s, over fewer connections.","type":"server_error","param":null,"code":"too_many_connections"}}` + "\n"
		conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		fmt.Fprintf(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nRetry-After: 5\r\nConnection: close\r\n\r\n%s", len(body), body)
	}
	conn.Close()
}

// A member is a connection that counts.
type member struct {
	net.Conn
	leave func()
}

func (m *member) Close() error {
	m.leave()
	return m.Conn.Close()
}
