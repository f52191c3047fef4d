package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/coder/websocket"
)

// A socket is a [Conn] over a WebSocket: a frame is a binary message. There is
// no compression: a context shared between requests would tell the length of
// one to the other.
type socket struct {
	ws      *websocket.Conn
	in      []byte
	patient *time.Timer // ends it where a message that has begun does not end
}

func newSocket(ws *websocket.Conn) *socket {
	ws.SetReadLimit(maxFrame)
	s := &socket{ws: ws, in: make([]byte, maxFrame+1), patient: time.AfterFunc(time.Hour, func() { ws.CloseNow() })}
	s.patient.Stop()
	return s
}

func (s *socket) Write(b []byte) error {
	return s.ws.Write(context.Background(), websocket.MessageBinary, b)
}

var errHungUp = errors.New("the other end has hung up")

// Read returns a message, which is good until the next call.
func (s *socket) Read() ([]byte, error) {
	kind, r, err := s.ws.Reader(context.Background())
	if errors.Is(err, io.EOF) {
		err = errHungUp
	}
	if err != nil {
		return nil, err
	}
	if kind != websocket.MessageBinary {
		return nil, errors.New("a message of text came over the link, where all are binary")
	}
	s.patient.Reset(aloneFor)
	defer s.patient.Stop()
	n, err := io.ReadFull(r, s.in)
	if err == nil {
		return nil, fmt.Errorf("a message of more than %d bytes came over the link", maxFrame)
	}
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	return s.in[:n], nil
}

func (s *socket) Close() error {
	s.patient.Stop()
	return s.ws.CloseNow()
}
