package badserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A Server answers each request by a script.
type Server struct {
	listener net.Listener
	play     func(*Call) Script
	ctx      context.Context
	stop     context.CancelFunc
	all      sync.WaitGroup // the goroutines of the server

	mu    sync.Mutex // guards what follows, and what changes of calls
	calls []*Call
}

// A Call is a request.
type Call struct {
	Number int // of the requests with its model, from 1
	Path   string
	Header http.Header
	Body   []byte
	Model  string // that the body names

	left   chan struct{} // closed when the client has
	leftAt time.Time     // read when left is closed
}

// Left returns a channel that is closed when the client has closed the
// connection.
func (c *Call) Left() <-chan struct{} { return c.left }

// LeftAt returns when that was. Left must have been closed.
func (c *Call) LeftAt() time.Time { return c.leftAt }

// Serve answers what comes by a listener until Close, and play says how.
func Serve(l net.Listener, play func(*Call) Script) *Server {
	s := &Server{listener: l, play: play}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.all.Go(s.accept)
	return s
}

// Listen is Serve on a free port of this machine.
func Listen(play func(*Call) Script) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return Serve(l, play), nil
}

// ListenTLS is Listen with a certificate.
func ListenTLS(config *tls.Config, play func(*Call) Script) (*Server, error) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return nil, err
	}
	return Serve(l, play), nil
}

// Addr is where it listens, such as 127.0.0.1:34567 or the path of a socket.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close ends all connections and waits until they are.
func (s *Server) Close() {
	s.stop()
	s.listener.Close()
	s.all.Wait()
}

// Calls returns the requests for a model so far.
func (s *Server) Calls(model string) []*Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []*Call
	for _, c := range s.calls {
		if c.Model == model {
			calls = append(calls, c)
		}
	}
	return calls
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.all.Go(func() { s.serve(c) })
	}
}

// serve plays scripts on a connection until one of them, the client or the
// server ends it.
func (s *Server) serve(c net.Conn) {
	defer context.AfterFunc(s.ctx, func() { c.Close() })()
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		call := s.read(r)
		if call == nil {
			return
		}
		more := make(chan bool, 1)
		s.all.Go(func() {
			_, err := r.Peek(1) // the next request, or the client leaves
			if err != nil {
				call.leftAt = time.Now()
				close(call.left)
			}
			more <- err == nil
		})
		for _, step := range s.play(call) {
			if !step(&Conn{c, call}) {
				c.Close()
				break
			}
		}
		if !<-more {
			return
		}
	}
}

// read reads a request; nil is the end of the connection.
func (s *Server) read(r *bufio.Reader) *Call {
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil
	}
	call := &Call{Number: 1, Path: req.URL.Path, Header: req.Header, Body: body, left: make(chan struct{})}
	var names struct{ Model string }
	if json.Unmarshal(body, &names) == nil {
		call.Model = names.Model
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.Model == call.Model {
			call.Number++
		}
	}
	s.calls = append(s.calls, call)
	return call
}
