package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"bendi/access"
	"bendi/config"
)

// A front is where requests come in: the address that everybody asks, and where
// it has one of its own, that of the operator.
type front struct {
	log   *slog.Logger
	all   entrance
	back  *entrance // nil: all has it
	ended chan error
}

// An entrance is an address that requests come in at.
type entrance struct {
	net.Listener
	secure bool // speaks TLS
	server *http.Server
}

// openFront opens the addresses of a configuration. Connections wait until it
// serves. What the operator asks needs no TLS on this machine itself, so that
// probes and scrapers there need no certificate.
func openFront(cfg *config.Config, log *slog.Logger) (*front, error) {
	f := &front{log: log, ended: make(chan error, 2)}
	listener, err := listen(cfg.Listen, "--listen")
	if err != nil {
		return nil, err
	}
	f.all = entrance{Listener: listener, secure: cfg.Server.TLS.On()}
	if addr := cfg.Server.AdminListen; addr != "" {
		if listener, err = listen(addr, "server.admin_listen"); err != nil {
			f.all.Close()
			return nil, err
		}
		f.back = &entrance{Listener: listener, secure: cfg.Server.TLS.On() && !access.IsLoopback(addr)}
	}
	return f, nil
}

func listen(addr, setting string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use, perhaps by another bendi: stop it, or choose another address with %s", addr, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return listener, nil
}

// serve has an estate answer what comes.
func (f *front) serve(e *estate) {
	f.open(&f.all, e, e.ground)
	if f.back != nil {
		f.open(f.back, http.HandlerFunc(e.serveOperator), e.ground)
	}
}

// Limits of the HTTP servers. How long a body may take is openaicompat's, and so
// is how long a client may take to read.
const (
	headerTime = 10 * time.Second // from the first byte of a request, and for a TLS handshake
	idleTime   = 2 * time.Minute  // between requests
	maxHeaders = 32 << 10         // bytes
)

func (f *front) open(in *entrance, h http.Handler, g *ground) {
	in.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaders,
		TLSConfig:         g.keeper.Config(),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 250, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: time.Minute},
		ErrorLog:          slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
	}
	server, listener := in.server, g.crowd.Listener(in.Listener, !in.secure)
	go func() {
		if in.secure {
			f.ended <- server.ServeTLS(listener, "", "")
		} else {
			f.ended <- server.Serve(listener)
		}
	}()
}

// url returns the URL at which this machine reaches what everybody asks.
func (f *front) url() string { return f.all.url() }

func (in *entrance) url() string {
	scheme := "http://"
	if in.secure {
		scheme = "https://"
	}
	return scheme + reachable(in.Addr().String())
}

// Shutdown waits until the last bytes have been written, or ctx ends.
func (f *front) Shutdown(ctx context.Context) {
	var wg sync.WaitGroup
	for _, in := range f.entrances() {
		if in.server != nil {
			wg.Go(func() { in.server.Shutdown(ctx) })
		}
	}
	wg.Wait()
}

// close cuts all connections.
func (f *front) close() {
	for _, in := range f.entrances() {
		in.Close()
		if in.server != nil {
			in.server.Close()
		}
	}
}

func (f *front) entrances() []*entrance {
	if f.back == nil {
		return []*entrance{&f.all}
	}
	return []*entrance{&f.all, f.back}
}
