package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"time"
)

// RoundTrip has the relay make a request. An error says whether there was no
// link, or what the relay said; once a request is on its way it is never put
// again.
func (e *Edge) RoundTrip(req *http.Request) (*http.Response, error) {
	closeBody := func() {
		if req.Body != nil {
			req.Body.Close()
		}
	}
	ctx := req.Context()
	head := requestHead{method: req.Method, url: req.URL.String(), length: req.ContentLength, header: req.Header.Clone()}
	if req.Body == nil || req.Body == http.NoBody {
		head.length = 0
	} else if head.length == 0 {
		head.length = -1
	}
	head.zstd = head.length >= leastPacked || head.length < 0
	maps.DeleteFunc(head.header, func(name string, values []string) bool {
		return len(values) == 0 || slices.Contains(hopByHop, name)
	})
	text := head.inOne(req)
	s, back, err := e.session(ctx)
	if err != nil {
		closeBody()
		return nil, err
	}
	st, err := s.open(text)
	if err != nil {
		back()
		closeBody()
		return nil, err
	}
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Reused: true})
	}
	if e.alone() {
		go func() { <-st.gone; back() }()
	}
	a := &answer{st: st, stop: context.AfterFunc(ctx, func() { st.Reset(Cancelled) })}
	if head.length == 0 || head.whole {
		st.CloseWrite()
		closeBody()
	} else {
		go func() {
			defer closeBody()
			if err := st.fill(req.Body, head); err != nil {
				st.Reset(Cancelled)
			}
		}()
	}
	res, err := a.head(req)
	if err != nil {
		a.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	return res, nil
}

// inOne returns the head of a request, with the body where both are small: then
// it takes one word alone to ask.
func (h *requestHead) inOne(req *http.Request) []byte {
	text := h.append(nil)
	if h.length <= 0 || h.length > int64(smallWord-len(text)) || req.GetBody == nil {
		return text
	}
	body, err := req.GetBody()
	if err != nil {
		return text
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, smallWord))
	if err != nil || int64(len(b)) != h.length {
		return text
	}
	h.whole, h.body, h.zstd = true, string(b), false
	return h.append(nil)
}

// fill sends the body of a request.
func (st *Stream) fill(body io.Reader, head requestHead) error {
	var err error
	if head.zstd {
		err = pack(st, body)
	} else {
		_, err = io.Copy(struct{ io.Writer }{st}, body)
	}
	if err != nil {
		return err
	}
	return st.CloseWrite()
}

// An answer is the body of a response.
type answer struct {
	st   *Stream
	stop func() bool
	once sync.Once
	over bool // its end was read
}

func (a *answer) head(req *http.Request) (*http.Response, error) {
	text, err := a.st.Head()
	if err != nil {
		return nil, err
	}
	h, err := parseResponseHead(text)
	switch {
	case err != nil:
		return nil, err
	case h.status == 0:
		return nil, fmt.Errorf("the relay could not ask: %.300s", strings.ToValidUTF8(h.fault, "?"))
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", h.status, http.StatusText(h.status)), StatusCode: h.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h.header, ContentLength: h.length, Body: a, Request: req,
	}, nil
}

func (a *answer) Read(p []byte) (int, error) {
	n, err := a.st.Read(p)
	a.over = a.over || err == io.EOF
	return n, err
}

// Close ends the request at the upstream as well, where it is not over.
func (a *answer) Close() error {
	a.once.Do(func() {
		a.stop()
		a.st.s.mu.Lock()
		done := a.st.over && len(a.st.body) == 0 && a.st.ended
		a.st.s.mu.Unlock()
		if !done {
			a.st.Reset(Cancelled)
		}
	})
	return nil
}

// session returns a session for a request, of the relay with the fewest, and
// how to give it back.
func (e *Edge) session(ctx context.Context) (*Session, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, e.o.DialTimeout)
	defer cancel()
	if e.alone() {
		return e.lone(ctx)
	}
	for {
		var best *Session
		var change <-chan struct{}
		var faults []error
		var least load
		for _, f := range e.relays {
			f.mu.Lock()
			n := f.session.load()
			if len(f.links) > 0 && (best == nil || n.less(least)) {
				best, least = f.session, n
			}
			if change == nil {
				change = f.change
			}
			if f.fails > 0 {
				faults = append(faults, fmt.Errorf("relay %s: %w", f.url.Host, f.fault))
			}
			f.mu.Unlock()
		}
		switch {
		case best != nil:
			return best, func() {}, nil
		case e.ctx.Err() != nil:
			return nil, nil, errClosed
		case len(faults) == len(e.relays):
			return nil, nil, fmt.Errorf("there is no link now: %w", errors.Join(faults...))
		}
		select { // others are looked at again soon
		case <-change:
		case <-time.After(look):
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("there was no link for %v", e.o.DialTimeout)
		}
	}
}

// A load is how much a relay has to do for this edge.
type load struct {
	drains  bool // it wants no more
	streams int
}

func (l load) less(o load) bool {
	if l.drains != o.drains {
		return o.drains
	}
	return l.streams < o.streams
}

func (s *Session) load() load {
	s.mu.Lock()
	defer s.mu.Unlock()
	return load{s.drains, len(s.streams)}
}

// lone returns a session with one link, for one request.
func (e *Edge) lone(ctx context.Context) (*Session, func(), error) {
	var faults []error
	for _, f := range e.relays {
		s, err := f.alone(ctx)
		if err == nil {
			return s, func() { f.keep(s) }, nil
		}
		faults = append(faults, fmt.Errorf("relay %s: %w", f.url.Host, err))
	}
	return nil, nil, fmt.Errorf("there is no link now: %w", errors.Join(faults...))
}

func (f *far) alone(ctx context.Context) (*Session, error) {
	f.mu.Lock()
	for len(f.lone) > 0 {
		s := f.lone[len(f.lone)-1]
		f.lone = f.lone[:len(f.lone)-1]
		if st := s.Stats(); st.Links > 0 && !st.Drains {
			f.mu.Unlock()
			return s, nil
		}
		s.Close()
	}
	f.mu.Unlock()
	conn, _, lifetime, err := f.dial(ctx, newID(), 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault = err; err != nil {
		return nil, err
	}
	s := newSession(true, 1, nil)
	l, err := s.join(conn, 1)
	if err != nil {
		return nil, err
	}
	f.e.work.Go(func() {
		old := time.AfterFunc(lifetime, l.leave)
		defer old.Stop()
		defer context.AfterFunc(f.e.ctx, s.Close)()
		l.read()
		s.Close() // it has no other link
	})
	return s, nil
}

// keep keeps a session for another request.
func (f *far) keep(s *Session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.e.ctx.Err() != nil || len(f.lone) >= 20 {
		s.Close()
		return
	}
	f.lone = append(f.lone, s)
}
