package link

import (
	"cmp"
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

// An EdgeGrant says how an edge shows who it is, and what it may ask for.
type EdgeGrant struct {
	Key         []byte   // that both have, at least [LeastKey] bytes; nil: not by one
	Certificate bool     // by one that has its name
	Token       bool     // by one of which it is the subject
	Upstreams   []string // by their names
}

// RelayOptions say whom a relay serves.
type RelayOptions struct {
	Edges     map[string]EdgeGrant
	Upstreams map[string]Upstream

	TokenKeys   []crypto.PublicKey // that tokens may be signed with
	TokenIssuer string             // that they have to be from; empty: anybody who has a key

	MaxLinks int   // of each edge; 0: 256
	MaxBody  int64 // bytes of a request, before it was compressed; 0: 64 MiB
	Client   http.RoundTripper
	Log      *slog.Logger // nil: nothing is logged
}

// A Relay is the end of links where the upstreams are. It is an [http.Handler]
// of a server with TLS 1.3.
type Relay struct {
	o         RelayOptions
	edges     map[string]*EdgeGrant
	tokenKeys []jwt.VerificationKey
	log       *slog.Logger

	mu       sync.Mutex
	sessions map[sessionKey]*relaySession
	links    map[string]int // by edge
	closed   bool           // nobody new is let in
	shut     bool           // nor are new requests
	work     sync.WaitGroup // streams and links

	tally tally
}

type sessionKey struct {
	edge string
	id   id
}

// A relaySession is a session of an edge. It is given up when it has had no
// link for longer than streams wait for one.
type relaySession struct {
	*Session
	instance id
	links    int
	empty    *time.Timer
}

// NewRelay returns a relay, or an error where anybody could come in.
func NewRelay(o RelayOptions) (*Relay, error) {
	if len(o.Edges) == 0 {
		return nil, errors.New("the relay has no edges, so nobody could come in; give it one with a key, a certificate or a token")
	}
	r := &Relay{
		o: o, edges: make(map[string]*EdgeGrant), tokenKeys: tokenKeysOf(o.TokenKeys), log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		sessions: make(map[sessionKey]*relaySession), links: make(map[string]int),
	}
	r.o.MaxLinks, r.o.MaxBody = cmp.Or(o.MaxLinks, 256), cmp.Or(o.MaxBody, 64<<20)
	r.o.Upstreams = make(map[string]Upstream)
	for _, name := range slices.Sorted(maps.Keys(o.Upstreams)) {
		up := o.Upstreams[name]
		pass, err := passable(up.Pass)
		if err = cmp.Or(up.check(name), err); err != nil {
			return nil, err
		}
		up.Pass = pass
		r.o.Upstreams[name] = up
	}
	for _, name := range slices.Sorted(maps.Keys(o.Edges)) {
		e := o.Edges[name]
		switch {
		case !isName(name):
			return nil, fmt.Errorf("edge %q: a name has letters, digits, dots, dashes and underscores, at most 64", name)
		case e.Key == nil && !e.Certificate && !e.Token:
			return nil, fmt.Errorf("edge %s: nothing says how it shows who it is: give it a key, or let it come with a certificate or a token", name)
		case e.Key != nil && len(e.Key) < LeastKey:
			return nil, fmt.Errorf("edge %s: its key has %d bytes, and at least %d are needed; make one with: openssl rand -hex 32", name, len(e.Key), LeastKey)
		case e.Token && len(o.TokenKeys) == 0:
			return nil, fmt.Errorf("edge %s: it may come with a token, and there is no key that tokens are checked with", name)
		}
		for _, up := range e.Upstreams {
			if _, ok := o.Upstreams[up]; !ok {
				return nil, fmt.Errorf("edge %s: there is no upstream %q", name, up)
			}
		}
		r.edges[name] = &e
	}
	if r.o.Client == nil {
		r.o.Client = NewClient(nil)
	}
	return r, nil
}

// NewClient returns what a relay asks upstreams with: connections are kept,
// and nothing is followed, guessed or compressed.
func NewClient(c *tls.Config) *http.Transport {
	return &http.Transport{
		TLSClientConfig: c, MaxIdleConnsPerHost: 100, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
		MaxResponseHeaderBytes: maxHead, DisableCompression: true,
	}
}

// ServeHTTP turns a request of an edge into a link. It returns when that ends.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	refuse := func(status int, reason, to, why string) {
		r.tally.refuse(reason)
		r.log.Warn("link refused", "from", req.RemoteAddr, "why", why)
		http.Error(w, to, status)
	}
	switch {
	case req.URL.Path != linkPath || req.Method != http.MethodGet:
		http.NotFound(w, req)
		return
	case req.TLS == nil || req.TLS.Version < tls.VersionTLS13:
		refuse(http.StatusUpgradeRequired, "tls", "a link needs TLS 1.3", "it came without TLS 1.3")
		return
	case len(req.Header.Values("Origin")) > 0:
		refuse(http.StatusForbidden, "browser", "a link is not for browsers", "it has a header Origin, as of a browser")
		return
	case req.URL.RawQuery != "":
		refuse(http.StatusBadRequest, "query", "a link has no query", "its URL has a query")
		return
	}
	v, err := r.admit(req)
	if err != nil {
		refuse(http.StatusUnauthorized, "identity", "this relay does not know who asks", err.Error())
		return
	}
	sid, ok := parseID(req.Header.Get(headerSession))
	if !ok {
		refuse(http.StatusBadRequest, "session", "the link names no session", "it names no session")
		return
	}
	number, err := strconv.ParseUint(req.Header.Get(headerLink), 10, 32)
	if err != nil {
		refuse(http.StatusBadRequest, "session", "the link has no number", "it has no number")
		return
	}
	s, err := r.enter(v.name, sid)
	if err != nil {
		reason := "full"
		if errors.Is(err, errClosing) {
			reason = "closing"
		}
		refuse(http.StatusServiceUnavailable, reason, err.Error(), "edge "+v.name+": "+err.Error())
		return
	}
	defer r.leave(v.name, sid, s)
	r.link(w, req, v, sid, uint32(number), s)
}

func (r *Relay) link(w http.ResponseWriter, req *http.Request, v visitor, sid id, number uint32, s *relaySession) {
	w.Header().Set(headerSession, s.instance.String())
	if v.proof != nil {
		proof, err := v.proof(sid, s.instance)
		if err != nil {
			http.Error(w, "no proof could be made", http.StatusInternalServerError)
			return
		}
		w.Header().Set(headerProof, proof)
	}
	if !v.until.IsZero() {
		w.Header().Set(headerLifetime, strconv.Itoa(int(time.Until(v.until).Seconds())))
	}
	ws, err := websocket.Accept(w, req, nil)
	if err != nil {
		r.log.Warn("link refused", "from", req.RemoteAddr, "edge", v.name, "why", err)
		return
	}
	l, err := s.join(newSocket(ws), number)
	if err != nil {
		return
	}
	if !v.until.IsZero() {
		over := time.AfterFunc(time.Until(v.until), func() { l.end(errExpired) })
		defer over.Stop()
	}
	err = l.read()
	level := slog.LevelInfo
	if errors.Is(err, errLeft) || errors.Is(err, errClosed) {
		level = slog.LevelDebug
	}
	r.log.Log(context.Background(), level, "link ended", "edge", v.name, "from", req.RemoteAddr, "why", err)
}

var (
	errExpired = errors.New("what the edge showed who it is with has expired")
	errClosing = errors.New("the relay is shutting down")
)

// enter returns the session of an edge, and counts one more link of it.
func (r *Relay) enter(edge string, sid id) (*relaySession, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := sessionKey{edge, sid}
	s := r.sessions[key]
	if r.closed && s == nil {
		return nil, errClosing
	}
	if r.links[edge] >= r.o.MaxLinks {
		return nil, fmt.Errorf("the edge has %d links, which is all that it may have", r.links[edge])
	}
	if s == nil {
		s = &relaySession{instance: newID()}
		s.Session = newSession(false, 2, func(st *Stream) {
			r.mu.Lock()
			shut := r.shut
			if !shut {
				r.work.Add(1)
			}
			r.mu.Unlock()
			if shut {
				st.Reset(Shut)
				return
			}
			defer r.work.Done()
			r.serve(edge, st)
		})
		s.empty = time.AfterFunc(time.Hour, func() { r.giveUp(key, s) })
		r.sessions[key] = s
		r.log.Info("edge connected", "edge", edge, "session", sid.String()[:8])
	}
	s.empty.Stop()
	s.links++
	r.links[edge]++
	r.work.Add(1)
	return s, nil
}

func (r *Relay) leave(edge string, sid id, s *relaySession) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.links[edge]--; r.links[edge] == 0 {
		delete(r.links, edge)
	}
	if s.links--; s.links == 0 {
		s.empty.Reset(resumeFor + 5*time.Second)
	}
	r.work.Done()
}

// giveUp ends a session that has no links.
func (r *Relay) giveUp(key sessionKey, s *relaySession) {
	r.mu.Lock()
	over := s.links == 0 && r.sessions[key] == s
	if over {
		delete(r.sessions, key)
	}
	r.mu.Unlock()
	if over {
		s.Close()
		r.log.Info("edge gone", "edge", key.edge, "session", key.id.String()[:8])
	}
}

// An EdgeStatus is what a relay knows about an edge that is there.
type EdgeStatus struct {
	Edge string
	Stats
}

// Status returns the sessions of edges that are there.
func (r *Relay) Status() []EdgeStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []EdgeStatus
	for key, s := range r.sessions {
		all = append(all, EdgeStatus{key.edge, s.Stats()})
	}
	slices.SortFunc(all, func(a, b EdgeStatus) int { return cmp.Compare(a.Edge, b.Edge) })
	return all
}

// handOver is for how long requests are still taken after all edges were told
// that there should be no more.
const handOver = time.Second

// Shutdown lets the requests that are under way end until ctx does, and ends
// all sessions. Edges are told to take new requests to another relay; those that
// have none get an error, after a second.
func (r *Relay) Shutdown(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	var sessions []*relaySession
	for _, s := range r.sessions {
		sessions = append(sessions, s)
		s.empty.Stop()
	}
	r.mu.Unlock()
	var told []*letter
	for _, s := range sessions {
		told = append(told, s.drain())
	}
	shut := time.AfterFunc(handOver, r.refuse)
	defer shut.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
wait:
	for {
		busy := false
		for i, s := range sessions {
			busy = busy || s.waits(told[i])
		}
		if !busy {
			break
		}
		select {
		case <-ctx.Done():
			break wait
		case <-ticker.C:
		}
	}
	r.refuse()
	r.mu.Lock()
	clear(r.sessions) // no link joins them any more
	r.mu.Unlock()
	for _, s := range sessions {
		s.Close()
	}
	r.work.Wait()
	if c, ok := r.o.Client.(*http.Transport); ok {
		c.CloseIdleConnections()
	}
}

// refuse has new requests refused.
func (r *Relay) refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shut = true
}

// drain tells the edge that there should be no further streams.
func (s *Session) drain() *letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := &letter{frame: frame{kind: drainFrame}}
	s.send(x)
	return x
}

// waits reports whether somebody is there who waits for something, or has not
// yet heard that it should not.
func (s *Session) waits(told *letter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.links) > 0 && (len(s.streams) > 0 || !told.heard)
}

// serve asks an upstream for what a stream wants.
func (r *Relay) serve(edge string, st *Stream) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-st.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	how := Left
	defer func() { r.tally.end(edge, how) }()
	res, err := r.ask(ctx, edge, st)
	if err != nil {
		if ctx.Err() != nil {
			st.Reset(Broken)
			return
		}
		how = Failed
		level := slog.LevelInfo
		if _, ok := errors.AsType[refusal](err); ok {
			how, level = Ungranted, slog.LevelWarn
		}
		r.log.Log(ctx, level, "request not made", "edge", edge, "why", err)
		st.answer((&responseHead{fault: err.Error()}).append(nil))
		return
	}
	defer res.Body.Close()
	head := responseHead{status: res.StatusCode, length: res.ContentLength, header: res.Header}
	for _, name := range hopByHop {
		delete(head.header, name)
	}
	if err := st.Respond(head.append(nil)); err != nil {
		st.Reset(Broken)
		return
	}
	buf := make([]byte, chunk)
	for {
		n, err := res.Body.Read(buf)
		if _, lost := st.Write(buf[:n]); lost != nil {
			return
		}
		r.tally.carry(edge, 0, n)
		switch {
		case err == io.EOF:
			how = Answered
			st.CloseWrite()
			st.drain()
			return
		case err != nil:
			if ctx.Err() == nil {
				how = Failed
			}
			r.log.Info("answer broke off", "edge", edge, "why", err)
			st.Reset(Broken)
			return
		}
	}
}

// answer sends a head, and no body.
func (st *Stream) answer(head []byte) {
	if st.Respond(head) != nil || st.CloseWrite() != nil {
		return
	}
	st.drain()
}

// drain reads what is left of the other side's body, so that the stream can
// end.
func (st *Stream) drain() { io.Copy(io.Discard, st) }

// ask reads the request of a stream, and makes it where it is granted.
func (r *Relay) ask(ctx context.Context, edge string, st *Stream) (*http.Response, error) {
	text, err := st.Head()
	if err != nil {
		return nil, err
	}
	h, err := parseRequestHead(text)
	if err != nil {
		return nil, refusal(err.Error())
	}
	req, client, err := r.grant(edge, h)
	if err != nil {
		return nil, err
	}
	req.ContentLength = h.length
	if h.length == 0 {
		req.Body = http.NoBody
	} else if req.Body, err = r.body(edge, st, h); err != nil {
		return nil, err
	}
	return client.RoundTrip(req.WithContext(ctx))
}

// body returns the body of a request as the upstream gets it.
func (r *Relay) body(edge string, st *Stream, h requestHead) (io.ReadCloser, error) {
	b := &bounded{r: st, left: h.length, most: r.o.MaxBody, close: func() {}, count: func(n int) { r.tally.carry(edge, n, 0) }}
	if h.whole {
		b.r = strings.NewReader(h.body)
	}
	if h.zstd {
		z, err := unpack(b.r)
		if err != nil {
			return nil, err
		}
		b.r, b.close = z, sync.OnceFunc(z.Close)
	}
	return b, nil
}

// A bounded is a body that has as many bytes as was said, or, where nothing
// was, not more than any may have.
type bounded struct {
	r     io.Reader
	left  int64 // -1: nothing was said
	most  int64
	close func()
	count func(bytes int)
}

func (b *bounded) Close() error {
	b.close()
	return nil
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.count(n)
	if b.most -= int64(n); b.most < 0 {
		return 0, refusal("the body is larger than what goes through this relay")
	}
	if b.left < 0 {
		return n, err
	}
	if b.left -= int64(n); b.left == 0 && err == nil { // its end is known before its last byte is passed on
		var more [1]byte
		var extra int
		if extra, err = io.ReadFull(b.r, more[:]); extra > 0 {
			b.left--
		}
	}
	if b.left < 0 || b.left > 0 && err == io.EOF {
		return 0, refusal("the body has not as many bytes as the edge said")
	}
	return n, err
}
