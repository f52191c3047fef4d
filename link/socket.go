package link

import (
	"context"
	"errors"

	"github.com/coder/websocket"
)

// A socket is a [Conn] over a WebSocket: a frame is a binary message. There is
// no compression: a context shared between requests would tell the length of
// one to the other.
type socket struct{ ws *websocket.Conn }

func newSocket(ws *websocket.Conn) socket {
	ws.SetReadLimit(maxFrame)
	return socket{ws}
}

func (s socket) Write(b []byte) error {
	return s.ws.Write(context.Background(), websocket.MessageBinary, b)
}

func (s socket) Read() ([]byte, error) {
	kind, b, err := s.ws.Read(context.Background())
	if err == nil && kind != websocket.MessageBinary {
		err = errors.New("a message of text came over the link, where all are binary")
	}
	return b, err
}

func (s socket) Close() error { return s.ws.CloseNow() }
