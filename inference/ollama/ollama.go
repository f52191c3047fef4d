package ollama

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	ollamamodel "github.com/ollama/ollama/types/model"

	"bendi/chat"
	"bendi/internal/upstream"
)

// A Model is the models of an Ollama server: which one answers is up to the
// name in the request.
type Model struct {
	cfg    Config
	base   string // of every path
	client *http.Client
	listed atomic.Pointer[[]chat.ModelInfo] // as Refresh found them

	mu    sync.Mutex
	facts map[string]facts // by the server's name
}

// New returns a Model with connections of its own. It does not connect yet.
func New(cfg Config) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("backend %s: %w", cfg.Name, err)
	}
	connect := cmp.Or(cfg.ConnectTimeout, defaultConnect)
	dialer := &upstream.Dialer{Timeout: connect, Stale: cfg.Stale}
	dial := dialer.DialContext
	if cfg.Socket != "" {
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", cfg.Socket)
		}
		cfg.URL = cmp.Or(cfg.URL, "http://localhost") // Ollama checks the host
	}
	cfg.URL = strings.TrimRight(cmp.Or(cfg.URL, DefaultURL), "/")
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, defaultIdle)
	transport := &http.Transport{
		DialContext:            dial,
		TLSHandshakeTimeout:    connect,
		MaxConnsPerHost:        cmp.Or(cfg.MaxConns, defaultConns),
		MaxIdleConnsPerHost:    cmp.Or(cfg.MaxIdle, defaultMaxIdle),
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
	if cfg.EnvProxy {
		transport.Proxy = http.ProxyFromEnvironment
	}
	return &Model{
		cfg:  cfg,
		base: cfg.URL,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		facts: map[string]facts{},
	}, nil
}

// Close closes the connections that no answer is using.
func (m *Model) Close() { m.client.CloseIdleConnections() }

var errLeft = errors.New("the answer is no longer wanted")

// failed returns the error of a call: whatever broke, the end of ctx is why
// where it has ended.
func (m *Model) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("backend %s: %w", m.cfg.Name, err)
}

// offer returns what a request's model name means here.
func (m *Model) offer(id string) (Offer, error) {
	if len(m.cfg.Models) > 0 {
		for _, o := range m.cfg.Models {
			if cmp.Or(o.ID, o.Model) == id || id == "" && len(m.cfg.Models) == 1 {
				return o, nil
			}
		}
		return Offer{}, &chat.Error{
			Kind: chat.NotFound, Code: chat.CodeModelNotFound, Param: "model",
			Msg: fmt.Sprintf("this backend does not offer that model; it offers %d others, which the list of models has", len(m.cfg.Models)),
		}
	}
	switch {
	case id == "":
		return Offer{}, chat.BadParam("model", "names no model; name one that the list of models has")
	case !ollamamodel.ParseName(id).IsValid():
		return Offer{}, &chat.Error{
			Kind: chat.NotFound, Code: chat.CodeModelNotFound, Param: "model",
			Msg: "no model of an Ollama server can have this name; name one that the list of models has",
		}
	}
	return Offer{ID: id, Model: id}, nil
}
