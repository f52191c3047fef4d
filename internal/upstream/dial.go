package upstream

import (
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// A Dialer connects to servers by name. Where a name cannot be looked up for
// now, it connects to where the name led before, as RFC 8767 has it ("serving
// stale data"): a name server that fails does not take the backends with it. A
// name of which it is said that there is none leads nowhere.
type Dialer struct {
	Timeout  time.Duration // of a connection; of the look-up in it, half, where there is something to go back to
	Resolver *net.Resolver // nil: the system's

	// Stale is told each time that a name could not be looked up, and how long
	// ago it could be; nil: nobody is.
	Stale func(age time.Duration, err error)

	mu    sync.Mutex
	known map[string]whereabouts // by the name
}

// whereabouts are where a name has led.
type whereabouts struct {
	ips []net.IPAddr
	at  time.Time
}

// maxStale is how old whereabouts may be: what RFC 8767 suggests at least.
const maxStale = 24 * time.Hour

var errSlowLookup = errors.New("the name servers do not answer in time")

// DialContext connects, as [net.Dialer.DialContext] does.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: d.Timeout, Resolver: d.Resolver}
	host, port, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(host) != nil || network == "unix" {
		return dialer.DialContext(ctx, network, address)
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var looked atomic.Bool
	inner = httptrace.WithClientTrace(inner, &httptrace.ClientTrace{DNSDone: func(found httptrace.DNSDoneInfo) {
		looked.Store(true)
		if found.Err == nil {
			d.learn(host, found.Addrs)
		}
	}})
	last, ok := d.last(host)
	if ok {
		defer time.AfterFunc(d.Timeout/2, func() {
			if !looked.Load() {
				stop(errSlowLookup)
			}
		}).Stop()
	}
	conn, err := dialer.DialContext(inner, network, address)
	failed, ofName := errors.AsType[*net.DNSError](err)
	slow := errors.Is(context.Cause(inner), errSlowLookup)
	if err == nil || !ok || ctx.Err() != nil || !slow && (!ofName || failed.IsNotFound) {
		return conn, err
	}
	if slow {
		err = errSlowLookup
	}
	if d.Stale != nil {
		d.Stale(time.Since(last.at), err)
	}
	return d.any(ctx, dialer, network, last.ips, port)
}

// any connects to one of several addresses, in their order.
func (d *Dialer) any(ctx context.Context, dialer *net.Dialer, network string, ips []net.IPAddr, port string) (conn net.Conn, err error) {
	end, _ := ctx.Deadline()
	for i, ip := range ips {
		one, cancel := context.WithTimeout(ctx, time.Until(end)/time.Duration(len(ips)-i))
		conn, err = dialer.DialContext(one, network, net.JoinHostPort(ip.String(), port))
		cancel()
		if err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func (d *Dialer) last(host string) (whereabouts, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, ok := d.known[host]
	return w, ok && time.Since(w.at) < maxStale
}

func (d *Dialer) learn(host string, ips []net.IPAddr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = make(map[string]whereabouts)
	}
	d.known[host] = whereabouts{ips, time.Now()}
}
