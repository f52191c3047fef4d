package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"bendi/internal/life"
)

// What stands in a command for where the server is to listen.
const (
	Port   = "${PORT}"   // a free port of 127.0.0.1
	Socket = "${SOCKET}" // the path of a unix socket that is not there yet
)

// A Place is where a server listens: at a port of 127.0.0.1 or at a socket.
type Place struct {
	Port   int
	Socket string
}

// usesPlace reports which of the two a command or a variable of it has.
func usesPlace(words []string) (port, socket bool) {
	all := strings.Join(words, " ")
	return strings.Contains(all, Port), strings.Contains(all, Socket)
}

// fill puts the place into a word.
func (p Place) fill(word string) string {
	return strings.NewReplacer(Port, strconv.Itoa(p.Port), Socket, p.Socket).Replace(word)
}

// Addr returns the place as the network and the address to dial.
func (p Place) Addr() (network, address string) {
	if p.Socket != "" {
		return "unix", p.Socket
	}
	return "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port))
}

func (p Place) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	network, address := p.Addr()
	return new(net.Dialer).DialContext(ctx, network, address)
}

// choose finds a place for the next server. leave removes what was made for it.
func (c Config) choose() (at Place, leave func(), err error) {
	words := append([]string(nil), c.Command...)
	for _, value := range c.Env {
		words = append(words, value)
	}
	if _, socket := usesPlace(words); !socket {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return Place{}, nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer l.Close()
		return Place{Port: l.Addr().(*net.TCPAddr).Port}, func() {}, nil
	}
	at.Socket, leave, err = life.Socket(c.SocketDir, "server.sock")
	return at, leave, err
}

// taken reports whether somebody else has the port now.
func (p Place) taken() bool {
	if p.Port == 0 {
		return false
	}
	l, err := net.Listen(p.Addr())
	if err != nil {
		return errors.Is(err, syscall.EADDRINUSE)
	}
	l.Close()
	return false
}
