package remote

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bendi/chat"
	"bendi/internal/upstream"
	"bendi/openaicompat/wire"
)

// Options say which server to ask and how.
type Options struct {
	Name    string // of the backend, in errors
	BaseURL string // such as "https://llm.example/v1"; of a socket "http://localhost/v1" unless said
	Socket  string // path of a unix socket to connect to, whatever the host of BaseURL
	Key     string // sent as a bearer token; may be empty

	// Inside is a secret, where the server is a worker of ours and believes us
	// about who asks. It hears of a principal by a keyed hash of the name.
	Inside []byte

	Headers map[string]string // sent with each request as well
	Proxy   *url.URL          // on the way to the server; nil: none, whatever the environment says
	RootCAs *x509.CertPool    // that the server's certificate must be from; nil: the system's

	// Transport makes the requests, where it is not nil; what is said here
	// about connections is then up to it.
	Transport http.RoundTripper

	// Sent is told of each body before it is sent, with the ctx of the request;
	// nil: nobody is.
	Sent func(ctx context.Context, body []byte)

	MaxConns       int           // to the server, at once; further requests wait. 0: 100
	MaxIdle        int           // of them kept open; 0: 20, below 0: none
	ConnectTimeout time.Duration // for the connection, and again for TLS; 0: 10 seconds

	// Stale is told when the server's name cannot be looked up, and it is asked
	// where it was before; nil: nobody is. See [upstream.Dialer].
	Stale func(age time.Duration, err error)

	// IdleTimeout is how long the server may be silent in the midst of an
	// answer; 0: 300 seconds. How long it takes to begin one is not bounded,
	// since a long prompt takes its time: ctx does that.
	IdleTimeout time.Duration
}

const (
	connectTimeout = 10 * time.Second // unless said
	maxConns       = 100              // to the server, at once, unless said
	maxIdleConns   = 20               // of them kept open, unless said
	maxEvent       = 16 << 20         // bytes of one event
	maxOther       = 64 << 10         // bytes read of an answer that is no stream
	otherTime      = 5 * time.Second  // for them to come
	drainTime      = 100 * time.Millisecond
)

// A Model is a model of a server, or several: which one answers is up to the
// name in the request.
type Model struct {
	name   string
	url    string // of chat completions
	base   string // of everything
	key    string
	header map[string]string // further ones
	idle   time.Duration
	inside []byte
	replay bool                                   // the transport may ask again where an idle connection was closed
	sent   func(ctx context.Context, body []byte) // see [Options]
	client *http.Client
	direct *direct // nil: the client asks everything
	origin string  // of base, which the path follows
	lines  []byte  // of the header, the same in each request of the direct
}

// New returns a Model with connections of its own. It does not connect yet.
func New(o Options) (*Model, error) {
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, connectTimeout)
	dialer := &upstream.Dialer{Timeout: o.ConnectTimeout, Stale: o.Stale}
	dial := dialer.DialContext
	if o.Socket != "" {
		o.BaseURL = cmp.Or(o.BaseURL, "http://localhost/v1")
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", o.Socket)
		}
	}
	u, err := url.Parse(o.BaseURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// The URL itself is not shown: a key may have been put into it.
		return nil, fmt.Errorf("backend %s: the base URL must be http or https with a host and a path, such as https://llm.example/v1, without user, query and fragment", o.Name)
	}
	m := &Model{
		name: o.Name,
		url:  u.JoinPath("chat/completions").String(),
		base: strings.TrimSuffix(u.String(), "/"),
		key:  o.Key, header: o.Headers, inside: o.Inside, sent: o.Sent,
		idle: cmp.Or(o.IdleTimeout, 300*time.Second),
		// A process at a socket that closes a connection has died, maybe of
		// the request; the next one must not be asked the same unawares.
		replay: o.Socket == "",
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:                  http.ProxyURL(o.Proxy),
				DialContext:            dial,
				TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs},
				TLSHandshakeTimeout:    o.ConnectTimeout,
				MaxConnsPerHost:        cmp.Or(o.MaxConns, maxConns),
				MaxIdleConnsPerHost:    cmp.Or(o.MaxIdle, maxIdleConns),
				IdleConnTimeout:        90 * time.Second,
				MaxResponseHeaderBytes: maxOther,
				DisableCompression:     true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if o.Transport != nil {
		m.client.Transport = o.Transport
	} else if u.Scheme == "http" && o.Proxy == nil {
		m.goDirect(u, o, dial)
	}
	return m, nil
}

// Close closes the connections that no answer is using.
func (m *Model) Close() {
	m.client.CloseIdleConnections()
	if m.direct != nil {
		m.direct.closeBefore(time.Now())
	}
}

var errLeft = errors.New("the answer is no longer wanted")

// Chat streams the server's answer to req.
func (m *Model) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(errLeft) // on break, return and panic alike

		left := false
		err := m.answer(ctx, cancel, req, func(ev chat.Event) bool {
			left = !yield(ev, nil)
			return !left
		})
		if err == nil || left {
			return
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx) // whatever broke, this is why
		}
		yield(chat.Event{}, m.failed(err))
	}
}

// answer asks the server and emits the events of its answer, until that is
// over or emit returns false.
func (m *Model) answer(ctx context.Context, cancel context.CancelCauseFunc, req *chat.Request, emit func(chat.Event) bool) error {
	address, encode, decode := m.url, wire.EncodeRequest, new(wire.Chunks).Append
	if req.Prompt != nil {
		address, encode, decode = m.base+"/completions", wire.EncodePrompt, wire.AppendTextChunk
	}
	if req.Whole && (req.Prompt != nil || m.inside != nil) { // a worker of ours that is told to stop early stops early
		own := *req
		own.Whole, req = false, &own
	}
	text, err := encode(req)
	if err != nil {
		return fmt.Errorf("encoding the request: %w", err)
	}
	res, err := m.post(ctx, address, "text/event-stream", m.sender(req.ID, req.Principal, req.Priority), text)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body := newIdleReader(res.Body, m.idle, cancel)
	a := newAnswer(req.N)
	if req.Whole && res.StatusCode == http.StatusOK && is(res, "application/json") { // it may stream all the same
		return a.whole(body, res.ContentLength, emit)
	}
	if err := check(res, body, req.Prompt != nil, cancel); err != nil {
		return err
	}

	var evs []chat.Event
	listener := listenerOf(req)
	if b, ok := res.Body.(*answered); ok {
		b.whenDry(func() { listener.burst(false) })
		listener.dry = true
	}
	for data, err := range eventsAnd(body, maxEvent, listener) {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return brokenOff(err)
		case string(data) == "[DONE]":
			last, err := a.end()
			if err != nil {
				return err
			}
			if emit(last) {
				listener.burst(false)
				drain(body, cancel)
			}
			return nil
		}
		evs, err = decode(evs[:0], data)
		if e, ok := errors.AsType[*chat.Error](err); ok {
			return ours(e)
		}
		if err != nil {
			return err
		}
		if more, err := a.pass(evs, emit); !more {
			return err
		}
	}
	return brokenOff(io.ErrUnexpectedEOF)
}

// post sends a request and returns the response, whatever its status.
func (m *Model) post(ctx context.Context, address, accept string, from sender, body []byte) (*http.Response, error) {
	if m.sent != nil {
		m.sent(ctx, body)
	}
	if m.direct != nil && from.plain() {
		return m.postDirect(ctx, address, accept, from, body)
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("Accept", accept)
	post.Header.Set("User-Agent", "bendi")
	from.each(post.Header.Set)
	m.identify(post.Header)
	if m.replay {
		post.Header["Idempotency-Key"] = nil // not sent; net/http wants to see it before it asks again
	}

	res, connected, err := upstream.Do(m.client, post)
	return posted(res, err, connected)
}

// posted returns a response, or what the client is told of an error.
func posted(res *http.Response, err error, connected bool) (*http.Response, error) {
	switch {
	case err == nil && res.StatusCode == http.StatusSwitchingProtocols:
		res.Body.Close() // it is the connection itself, which no context ends
		return nil, chat.Errorf(chat.BadBackend, "the backend wants another protocol (status 101), for which nobody has asked")
	case err == nil:
		return res, nil
	case !connected:
		return nil, &chat.Error{Kind: chat.Unavailable, Msg: "the backend cannot be reached now; try again later", Err: err}
	}
	return nil, brokenOff(err)
}

// identify says to the server who the gateway is.
func (m *Model) identify(h http.Header) {
	for name, value := range m.header {
		h.Set(name, value)
	}
	if m.key != "" {
		h.Set("Authorization", "Bearer "+m.key)
	}
}

// A sender is on whose behalf a request is made. A server outside hears of the
// request's ID alone.
type sender struct {
	id, principal string
	priority      int
}

func (m *Model) sender(id, principal string, priority int) sender {
	s := sender{id: id}
	if m.inside != nil && principal != "" {
		hash := hmac.New(sha256.New, m.inside)
		hash.Write([]byte(principal))
		s.principal = hex.EncodeToString(hash.Sum(nil)[:16])
	}
	if m.inside != nil {
		s.priority = priority
	}
	return s
}

// each gives what is to be said of the sender to set, as lines of a header.
func (s sender) each(set func(name, value string)) {
	if s.id != "" {
		set("X-Request-Id", s.id)
	}
	if s.principal != "" {
		set("X-Bendi-Principal", s.principal)
	}
	if s.priority != 0 {
		set("X-Bendi-Priority", strconv.Itoa(s.priority))
	}
}

// check returns an error unless res begins a stream. Not every server can do
// what is asked for, where it is rare. What is no stream has otherTime to come,
// and then counts as empty.
func check(res *http.Response, body io.Reader, rare bool, cancel context.CancelCauseFunc) error {
	if res.StatusCode == http.StatusOK && is(res, "text/event-stream") {
		return nil
	}
	said := func(text []byte) error { return unlike(res, text, rare) }
	defer time.AfterFunc(otherTime, func() { cancel(said(nil)) }).Stop()
	text, err := io.ReadAll(io.LimitReader(body, maxOther))
	if err != nil && len(text) == 0 && res.StatusCode == http.StatusOK {
		return brokenOff(err)
	}
	return said(text)
}

// unlike is the error of a response that is no stream, and has that text.
func unlike(res *http.Response, text []byte, rare bool) error {
	switch {
	case res.StatusCode != http.StatusOK && rare:
		return ours(refused(res, text))
	case res.StatusCode != http.StatusOK:
		return ours(reported(res, text))
	}
	if err := inBand(text); err != nil {
		return err
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if encoding := res.Header.Get("Content-Encoding"); encoding != "" {
		media += ", " + encoding
	}
	return chat.Errorf(chat.BadBackend, "the backend answered with the content type %q where a stream of events was asked for", media)
}

// reported returns the error of a response that is one, and has that text.
func reported(res *http.Response, text []byte) *chat.Error {
	e := wire.DecodeError(res.StatusCode, text)
	e.RetryAfter = upstream.RetryAfter(res.Header.Get("Retry-After"), time.Now())
	return e
}

// is reports whether a response is of a type, and not compressed.
func is(res *http.Response, media string) bool {
	got := res.Header.Get("Content-Type")
	if got != media {
		got, _, _ = mime.ParseMediaType(got)
	}
	encoding := res.Header.Get("Content-Encoding")
	return got == media && (encoding == "" || encoding == "identity")
}

// inBand returns the error in a body of a server that said that all was well;
// nil: there is none.
func inBand(body []byte) error {
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Error) == 0 || string(answer.Error) == "null" {
		return nil
	}
	e := wire.DecodeError(0, body)
	e.Kind = chat.BadBackend
	return &said{e: e}
}

// codeBackendAuth is the code of a key that the server does not take. Package
// router knows it.
const codeBackendAuth = "backend_auth"

// ours turns a failure that the server reported into one that our client may
// see: what went wrong between the gateway and its backend is no fault of the
// client's key, nor of the gateway.
func ours(e *chat.Error) error {
	switch e.Kind {
	case chat.Unauthenticated, chat.Forbidden:
		// Its message is dropped: servers repeat pieces of the key in it.
		return &chat.Error{
			Kind: chat.BadBackend, Code: codeBackendAuth,
			Msg: "the backend refused the key that the gateway is configured with; the operator has to set a valid one",
			Err: fmt.Errorf("the backend's error was of the kind %q", e.Kind),
		}
	case chat.Internal:
		e.Kind = chat.BadBackend
		return &said{e: e, inside: true}
	}
	return &said{e: e}
}

// A said is an error in the words of a server, which may repeat those of a user.
// The client is told them, and whoever prints the error is not.
type said struct {
	e      *chat.Error
	inside bool // it failed inside, and not at something behind it
}

func (s *said) Unwrap() error { return s.e }

// Deadly reports whether the server may have failed of this very request, as
// package router asks.
func (s *said) Deadly() bool { return s.inside }

func (s *said) Error() string {
	text := fmt.Sprintf("an error of the kind %q", s.e.Kind)
	if s.e.Code != "" {
		text += fmt.Sprintf(" and the code %.40q", s.e.Code)
	}
	return text + ", in words that the client was told"
}

// failed returns err as that of the backend. The words of a worker of ours may
// be printed, and what opens the backend is in nobody's.
func (m *Model) failed(err error) error {
	if s, ok := errors.AsType[*said](err); ok {
		s.e.Msg = m.conceal(s.e.Msg)
	}
	if s, ok := errors.AsType[*said](err); ok && m.inside != nil {
		err = s.e
	}
	return fmt.Errorf("backend %s: %w", m.name, err)
}

// conceal takes the key and the values of further headers out of a text, where
// a server repeats what it was sent.
func (m *Model) conceal(text string) string {
	const short = 8 // bytes of a value that is no secret
	if m.key != "" {
		text = strings.ReplaceAll(text, m.key, "***")
	}
	for _, value := range m.header {
		if len(value) >= short {
			text = strings.ReplaceAll(text, value, "***")
		}
	}
	return text
}

// brokenOff is the error of a stream that ended before its answer did.
func brokenOff(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &chat.Error{Kind: chat.BadBackend, Msg: "the backend broke off before its answer was whole", Err: err}
}

// drain reads the end of a stream after its last event, so that the
// connection can be used again. It gives the server a moment, not more.
func drain(body io.Reader, cancel context.CancelCauseFunc) {
	timer := time.AfterFunc(drainTime, func() { cancel(errLeft) })
	defer timer.Stop()
	io.CopyN(io.Discard, body, maxOther)
}
