package remote

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"bendi/internal/upstream"
)

// A direct asks one server over plain HTTP/1.1 connections in the goroutine of
// the request. net/http's Transport has two more for each connection, and the
// changes from one to the other are most of what it costs; it stays for what is
// not plain: TLS and proxies. What is on the wire is read by net/http.
type direct struct {
	dial    func(ctx context.Context) (net.Conn, error)
	host    string
	max     chan struct{} // has one for each connection in use
	maxIdle int
	replay  bool // a request may be put again where a kept connection turns out to be closed

	mu    sync.Mutex // guards idle
	idle  []*line    // the latest used is the last
	sweep *time.Timer
}

const (
	idleConnTime = 90 * time.Second // longest that a connection is kept
	connRead     = 8 << 10
	mostInterim  = 5 // answers of status 1xx before the real one
)

// A line is a connection.
type line struct {
	net.Conn
	raw   syscall.RawConn // nil: it has none
	read  *bufio.Reader
	dry   func()    // called when all that has come was read, before the wait for more; may be nil
	since time.Time // it is idle
	used  bool      // it has been, before this request
	left  int64     // bytes that may still be read; below 0: any number
	some  bool      // bytes of this answer have come

	try func(fd uintptr) (done bool) // reads once, into:
	to  []byte
	n   int
	err error
}

func newLine(c net.Conn) *line {
	l := &line{Conn: c}
	l.read = bufio.NewReaderSize(l, connRead)
	l.try = l.receive
	if s, ok := c.(syscall.Conn); ok {
		l.raw, _ = s.SyscallConn()
	}
	return l
}

func (l *line) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, fmt.Errorf("the header of the answer has more than %d bytes", maxOther)
	}
	if l.left > 0 && int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.wait(p)
	if l.some = l.some || n > 0; l.left > 0 {
		l.left -= int64(n)
	}
	return n, err
}

// wait reads what has come, or waits for something.
func (l *line) wait(p []byte) (int, error) {
	if l.raw == nil {
		if l.dry != nil {
			l.dry() // it may be
		}
		return l.Conn.Read(p)
	}
	l.to, l.n, l.err = p, 0, nil
	err := l.raw.Read(l.try)
	l.to = nil
	switch {
	case err != nil:
		return 0, err
	case l.err != nil:
		return 0, os.NewSyscallError("read", l.err)
	case l.n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return l.n, nil
}

// receive reads once, if there is something, and reports whether there was.
func (l *line) receive(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), l.to)
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			if l.dry != nil {
				l.dry()
			}
			return false
		case nil:
			l.n = n
		default:
			l.err = err
		}
		return true
	}
}

// quiet reports whether nothing has come on an idle connection, neither bytes
// nor its end.
func (l *line) quiet() bool {
	if l.raw == nil {
		return true
	}
	var b [1]byte
	silent := false
	err := l.raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		silent = err == syscall.EAGAIN
		return true
	})
	return err == nil && silent
}

// A noConn is the error of a request for which there was no connection.
type noConn struct{ err error }

func (e noConn) Error() string { return e.err.Error() }
func (e noConn) Unwrap() error { return e.err }

// post asks and returns the answer. Its body must be closed. When ctx ends, so
// does the reading of the body.
func (d *direct) post(ctx context.Context, path string, header []byte, body []byte) (*http.Response, error) {
	select {
	case d.max <- struct{}{}:
	default:
		select {
		case d.max <- struct{}{}:
		case <-ctx.Done():
			return nil, noConn{ctx.Err()}
		}
	}
	if ctx.Err() != nil {
		<-d.max
		return nil, noConn{ctx.Err()}
	}
	res, err := d.ask(ctx, path, header, body)
	if err != nil {
		<-d.max
	}
	return res, err
}

// ask is post with a place among the connections.
func (d *direct) ask(ctx context.Context, path string, header []byte, body []byte) (*http.Response, error) {
	for l := d.kept(); ; l = nil {
		if l == nil {
			c, err := d.dial(ctx)
			if err != nil {
				return nil, noConn{err}
			}
			l = newLine(c)
		}
		res, err := d.over(ctx, l, path, header, body)
		if err != nil && l.used && !l.some && d.replay && ctx.Err() == nil {
			continue // it had been closed; another kept one may be, too
		}
		return res, err
	}
}

var outputs = sync.Pool{New: func() any { return new([]byte) }}

const mostKept = 64 << 10 // bytes of an output that is used again

// over asks over one connection.
func (d *direct) over(ctx context.Context, l *line, path string, header, body []byte) (*http.Response, error) {
	l.some, l.left = false, maxOther
	a := &answered{direct: d, line: l}
	a.stop = context.AfterFunc(ctx, func() { l.SetDeadline(time.Unix(1, 0)) })
	fail := func(err error) (*http.Response, error) {
		a.stop()
		l.Close()
		return nil, err
	}
	out := outputs.Get().(*[]byte)
	b := append(append(append((*out)[:0], "POST "...), path...), " HTTP/1.1\r\nHost: "...)
	b = append(append(append(b, d.host...), "\r\n"...), header...)
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(append(b, "\r\n\r\n"...), body...)
	_, wrote := l.Write(b)
	if cap(b) <= mostKept {
		*out = b
		outputs.Put(out)
	}
	// A server may answer, and close, before it has read all.
	var res *http.Response
	var err error
	for range mostInterim {
		res, err = http.ReadResponse(l.read, postRequest)
		if err != nil || res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	switch {
	case err != nil && wrote != nil:
		return fail(wrote)
	case err != nil:
		return fail(err)
	case res.StatusCode < 200:
		return fail(fmt.Errorf("an answer of status %d where a final one was waited for", res.StatusCode))
	}
	l.left = -1
	a.ReadCloser, a.again = res.Body, !res.Close && wrote == nil
	res.Body = a
	return res, nil
}

// postRequest is what net/http wants to know of a request to read its answer.
var postRequest = &http.Request{Method: http.MethodPost}

// answered is the body of an answer. Its connection is kept when all of it was
// read.
type answered struct {
	io.ReadCloser
	direct *direct
	line   *line
	stop   func() bool
	again  bool // the connection can be used again
	whole  bool // the end was read
	closed bool
}

// whenDry has f called when all that has come of the answer was read, before
// the wait for more.
func (a *answered) whenDry(f func()) { a.line.dry = f }

func (a *answered) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err == io.EOF {
		a.whole = true
	}
	return n, err
}

// Close does not read what is left: who does not want it ends the connection.
func (a *answered) Close() error {
	if a.closed {
		return nil
	}
	a.closed, a.line.dry = true, nil
	inTime := a.stop()
	if a.whole && a.again && inTime && a.line.read.Buffered() == 0 {
		a.direct.keep(a.line)
	} else {
		a.line.Close()
	}
	<-a.direct.max
	return nil
}

// keep keeps a connection for another request.
func (d *direct) keep(l *line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.idle) >= d.maxIdle {
		l.Close()
		return
	}
	l.since, l.used = time.Now(), true
	d.idle = append(d.idle, l)
	if d.sweep == nil {
		d.sweep = time.AfterFunc(idleConnTime, d.close)
	}
}

// kept returns a connection that was kept and is still open, or nil.
func (d *direct) kept() *line {
	for {
		d.mu.Lock()
		n := len(d.idle)
		if n == 0 {
			d.mu.Unlock()
			return nil
		}
		l := d.idle[n-1]
		d.idle[n-1] = nil
		d.idle = d.idle[:n-1]
		d.mu.Unlock()
		if time.Since(l.since) < idleConnTime && l.quiet() {
			return l
		}
		l.Close()
	}
}

// close closes the connections that have been idle for too long. While there
// are others, it is called again.
func (d *direct) close() { d.closeBefore(time.Now().Add(-idleConnTime)) }

// closeBefore closes the connections that are idle since before t.
func (d *direct) closeBefore(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.idle = slices.DeleteFunc(d.idle, func(l *line) bool {
		old := !l.since.After(t)
		if old {
			l.Close()
		}
		return old
	})
	if d.sweep != nil {
		d.sweep.Stop()
		d.sweep = nil
	}
	if len(d.idle) > 0 {
		d.sweep = time.AfterFunc(idleConnTime, d.close)
	}
}

// own are the lines of a header that differ from request to request, or that
// are about the connection.
var own = []string{"Accept", "X-Request-Id", "X-Bendi-Principal", "X-Bendi-Priority",
	"Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection", "Expect", "Upgrade", "Te", "Keep-Alive"}

// goDirect has m ask directly, unless its host or its header needs more than
// is written here.
func (m *Model) goDirect(u *url.URL, o Options, dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	h := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"bendi"}}
	m.identify(h)
	for name, values := range h {
		if slices.Contains(own, name) || !upstream.IsToken(name) || !upstream.IsLine(values[0]) {
			return
		}
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r >= utf8.RuneSelf || r <= ' ' || r == '%' }) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		m.lines = append(m.lines, name+": "+textproto.TrimString(h[name][0])+"\r\n"...)
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "80")
	}
	m.origin = u.Scheme + "://" + u.Host
	m.direct = &direct{
		dial:    func(ctx context.Context) (net.Conn, error) { return dial(ctx, "tcp", address) },
		host:    strings.TrimSuffix(u.Host, ":"),
		max:     make(chan struct{}, cmp.Or(o.MaxConns, maxConns)),
		maxIdle: cmp.Or(o.MaxIdle, maxIdleConns),
		replay:  m.replay,
	}
}

// postDirect is post by the direct.
func (m *Model) postDirect(ctx context.Context, address, accept string, from sender, body []byte) (*http.Response, error) {
	b := append(append(make([]byte, 0, 512), m.lines...), "Accept: "...)
	b = append(append(b, accept...), "\r\n"...)
	from.each(func(name, value string) {
		b = append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
	})
	res, err := m.direct.post(ctx, strings.TrimPrefix(address, m.origin), b, body)
	_, never := errors.AsType[noConn](err)
	return posted(res, err, !never)
}

// plain reports whether what a sender says can stand in a header as it is.
func (s sender) plain() bool { return upstream.IsLine(s.id) && upstream.IsLine(s.principal) }
