package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bendi/config"
	"bendi/link"
	"bendi/metrics"
)

func (p *program) relayCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "relay",
		Short: p.say("Be the other end of links, where the upstreams are", "作为链路的对端，在上游所在的一侧运行"),
		Long: p.say(
			"Be the other end of the links of `bendi serve`: take requests from the edges that the configuration names under relay, and ask the upstreams that each is granted.",
			"作为 `bendi serve` 链路的对端：接收配置 relay 中所列边缘端的请求，并只请求各自被授权的上游。"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.relay(cmd.Context()) },
	}
}

// relay runs a relay until a signal ends it.
func (p *program) relay(ctx context.Context) error {
	cfg, _, _, err := p.load(nil)
	if err != nil {
		return err
	}
	log := newLog(cfg.Log.Format, cfg.Log.Level.Level(), p.stderr)
	o, err := relayOf(cfg.Relay)
	if err != nil {
		return usage(fmt.Errorf("relay: %w", err))
	}
	o.Log = log
	r, err := link.NewRelay(o)
	if err != nil {
		return usage(err)
	}
	settings, err := relayTLS(cfg.Relay)
	if err != nil {
		return usage(fmt.Errorf("relay: %w", err))
	}
	settings.GetCertificate = (&renewal{cert: cfg.Relay.CertFile, key: cfg.Relay.CertKeyFile, log: log}).get
	settings.Certificates = nil
	listener, err := link.Listen(ctx, cfg.Relay.Listen, cfg.Relay.Congestion)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%s is in use, perhaps by another relay: stop it, or set relay.listen", cfg.Relay.Listen)
		}
		return fmt.Errorf("listening: %w", err)
	}
	server := link.NewServer(r, settings)
	server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(listener, "", "") }()
	defer server.Close()
	if addr := cfg.Relay.MetricsListen; addr != "" {
		url, end, err := tellOfRelay(addr, r, log)
		if err != nil {
			return err
		}
		defer end()
		fmt.Fprintln(p.stdout, p.sayf("metrics at %s/metrics", "指标位于 %s/metrics", url))
	}
	fmt.Fprintln(p.stdout, p.sayf("relay on wss://%s, for %s", "中继运行于 wss://%s，服务于 %s", asConfigured(cfg.Relay.Listen, listener.Addr()), strings.Join(slices.Sorted(maps.Keys(cfg.Relay.Edges)), ", ")))
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case sig := <-p.signals:
		limit := time.Duration(cfg.Relay.Drain)
		fmt.Fprintln(p.stderr, p.sayf("%v: waiting up to %v for running requests; once more ends them now", "收到 %v：最多等待 %v，让进行中的请求完成；再来一次信号则立即结束", sig, limit))
	}
	return p.endRelay(r, time.Duration(cfg.Relay.Drain))
}

// endRelay lets running requests finish until the time is up or a second signal
// comes.
func (p *program) endRelay(r *link.Relay, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ended := make(chan struct{})
	go func() { r.Shutdown(ctx); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-p.signals:
		cancel()
		<-ended
		return exitError{code: exitInterrupted}
	}
}

// asConfigured returns where a listener is, by the host that was asked for.
func asConfigured(asked string, at net.Addr) string {
	host, _, _ := net.SplitHostPort(asked)
	_, port, _ := net.SplitHostPort(at.String())
	return net.JoinHostPort(host, port)
}

// tellOfRelay serves the metrics of a relay, and whether it runs. It returns
// where, and how to end it.
func tellOfRelay(addr string, r *link.Relay, log *slog.Logger) (url string, end func(), err error) {
	listener, err := listen(addr, "relay.metrics_listen")
	if err != nil {
		return "", nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.NewRelay(version(), func() metrics.RelayState { return relayState(r) }))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{
		Handler: mux, ReadTimeout: headerTime, WriteTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeaders,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan struct{})
	go func() { server.Serve(listener); close(served) }()
	return "http://" + reachable(listener.Addr().String()), func() { server.Close(); <-served }, nil
}

// relayState tells of a relay for the metrics.
func relayState(r *link.Relay) metrics.RelayState {
	counts := r.Counts()
	s := metrics.RelayState{Refused: make(map[string]uint64), Edges: make(map[string]metrics.EdgeState)}
	for _, reason := range link.Refusals {
		s.Refused[reason] = counts.Refused[reason]
	}
	for name, c := range counts.Edges {
		e := metrics.EdgeState{Requests: make(map[string]uint64), Asked: c.Asked, Answer: c.Answer}
		for _, how := range link.Outcomes {
			e.Requests[string(how)] = c.Requests[how]
		}
		s.Edges[name] = e
	}
	for _, st := range r.Status() {
		e := s.Edges[st.Edge]
		e.Links, e.Streams, e.Backlog = e.Links+st.Links, e.Streams+st.Streams, e.Backlog+st.Backlog
		if st.Links > 0 { // else it may come back
			e.Sessions++
		}
		if st.RTT > 0 && (e.RTT == 0 || st.RTT < e.RTT) {
			e.RTT = st.RTT
		}
		s.Edges[st.Edge] = e
	}
	return s
}

// relayOf returns who may come to a relay, and what may be asked there.
func relayOf(r config.Relay) (link.RelayOptions, error) {
	o := link.RelayOptions{
		Edges: make(map[string]link.EdgeGrant), Upstreams: make(map[string]link.Upstream),
		TokenIssuer: r.TokenIssuer, MaxBody: int64(r.MaxBody),
	}
	for _, name := range slices.Sorted(maps.Keys(r.Upstreams)) {
		up, err := upstreamOf(r.Upstreams[name])
		if err != nil {
			return o, fmt.Errorf("upstream %s: %w", name, err)
		}
		o.Upstreams[name] = up
	}
	for _, name := range slices.Sorted(maps.Keys(r.Edges)) {
		e := r.Edges[name]
		grant := link.EdgeGrant{Certificate: e.Certificate, Token: e.Token, Upstreams: e.Upstreams}
		if e.KeyFile != "" {
			var err error
			if grant.Key, err = sharedKey(e.KeyFile); err != nil {
				return o, fmt.Errorf("edge %s: %w", name, err)
			}
		}
		o.Edges[name] = grant
	}
	var err error
	if r.TokenKeyFile != "" {
		o.TokenKeys, err = publicKeys(r.TokenKeyFile)
	}
	return o, err
}

func upstreamOf(up config.RelayUpstream) (u link.Upstream, err error) {
	if u.URL, err = url.Parse(up.URL); err != nil {
		return u, errors.New("its URL is none")
	}
	u.Headers, u.Pass = make(map[string]string), up.PassHeaders
	for name, value := range up.Headers {
		u.Headers[name] = value.Reveal()
	}
	if up.KeyFile != "" {
		text, err := os.ReadFile(string(up.KeyFile))
		key := strings.TrimSpace(string(text))
		if err == nil && key == "" {
			err = fmt.Errorf("%s is empty: want the key that the upstream expects", up.KeyFile)
		}
		if err != nil {
			return u, err
		}
		u.Headers["Authorization"] = "Bearer " + key
	}
	if up.CAFile != "" {
		pool, err := certificatesIn(up.CAFile)
		if err != nil {
			return u, err
		}
		u.Client = link.NewClient(&tls.Config{RootCAs: pool})
	}
	return u, nil
}

// relayTLS returns how a relay shows who it is, and whose certificates it
// takes.
func relayTLS(r config.Relay) (*tls.Config, error) {
	if r.CertFile == "" {
		return nil, errors.New("relay.cert_file is missing: a relay speaks TLS alone; for a trial, make a certificate with: openssl req -x509 -newkey ed25519 -nodes -days 30 -subj /CN=relay -addext subjectAltName=DNS:localhost -keyout relay.key -out relay.pem")
	}
	cert, err := tls.LoadX509KeyPair(string(r.CertFile), string(r.CertKeyFile))
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}}
	if r.ClientCAFile != "" {
		if c.ClientCAs, err = certificatesIn(r.ClientCAFile); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// publicKeys reads the public keys of a PEM file.
func publicKeys(file config.Path) ([]crypto.PublicKey, error) {
	text, err := os.ReadFile(string(file))
	if err != nil {
		return nil, err
	}
	var keys []crypto.PublicKey
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		var key any
		switch block.Type {
		case "PUBLIC KEY":
			key, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "CERTIFICATE":
			var cert *x509.Certificate
			if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
				key = cert.PublicKey
			}
		default:
			err = fmt.Errorf("want public keys, have a block %q", block.Type)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("there is no public key in %s; it has to be a PEM file", file)
	}
	return keys, nil
}
