package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// dial makes a link. It returns what the relay calls the session, and for how
// long the link may be used.
func (f *far) dial(ctx context.Context, session id, number uint32) (conn Conn, instance id, lifetime time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.e.o.DialTimeout)
	defer cancel()
	c, err := f.secure(ctx)
	if err != nil {
		return nil, instance, 0, err
	}
	state := c.ConnectionState()
	header := http.Header{headerLink: {strconv.FormatUint(uint64(number), 10)}}
	if err := f.e.o.Identity.sign(header, &state, session); err != nil {
		c.Close()
		return nil, instance, 0, err
	}
	ws, res, err := websocket.Dial(ctx, f.url.String(), &websocket.DialOptions{
		HTTPHeader: header,
		HTTPClient: &http.Client{
			Transport: &http.Transport{
				DialTLSContext:         func(context.Context, string, string) (net.Conn, error) { return c, nil },
				MaxResponseHeaderBytes: 8 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
	if err != nil {
		c.Close()
		return nil, instance, 0, refused(res, err)
	}
	instance, ok := parseID(res.Header.Get(headerSession))
	if !ok {
		err = errors.New("what answered is no relay: it names no session")
	} else {
		err = f.e.o.Identity.confirm(res.Header, &state, session, instance)
	}
	if err != nil {
		ws.CloseNow()
		return nil, instance, 0, err
	}
	lifetime = f.e.o.Rotate*3/4 + rand.N(f.e.o.Rotate/2)
	if n, err := strconv.Atoi(res.Header.Get(headerLifetime)); err == nil {
		lifetime = min(lifetime, time.Duration(n)*time.Second*3/4)
	}
	return newSocket(ws), instance, lifetime, nil
}

// secure connects with TLS.
func (f *far) secure(ctx context.Context) (*tls.Conn, error) {
	dialer := net.Dialer{Control: tune(f.e.o.Congestion)}
	raw, err := dialer.DialContext(ctx, "tcp", f.url.Host)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{}
	if f.e.o.TLS != nil {
		cfg = f.e.o.TLS.Clone()
	}
	cfg.MinVersion, cfg.NextProtos = tls.VersionTLS13, []string{"http/1.1"}
	if cfg.ServerName == "" {
		cfg.ServerName = f.url.Hostname()
	}
	if own := f.e.o.Identity.Certificate; own != nil {
		cfg.Certificates = []tls.Certificate{*own}
	}
	c := tls.Client(raw, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS with %s: %w", f.url.Host, err)
	}
	return c, nil
}

// refused says why a relay made no link.
func refused(res *http.Response, err error) error {
	if res == nil {
		return err
	}
	said := ""
	if res.Body != nil {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		said = strings.TrimSpace(string(b))
	}
	switch res.StatusCode {
	case http.StatusUnauthorized:
		return errors.New("the relay does not know this edge: the key, token or certificate is not what it has for it (its log says more)")
	case http.StatusNotFound:
		return errors.New("what answered is no relay (status 404); is the address right?")
	}
	return fmt.Errorf("the relay made no link (status %d): %.200q", res.StatusCode, said)
}
