package badserver

import (
	"encoding/binary"
	"net"
	"sync/atomic"
)

// Names is a name server, over UDP, that says the same of every name (RFC 1035).
type Names struct {
	conn  net.PacketConn
	said  atomic.Pointer[Name]
	asked atomic.Int64
}

// A Name is what is said of a name.
type Name struct {
	Code  byte   // of the answer; 0: all is well
	IP    net.IP // an IPv4 address, where all is well
	Quiet bool   // nothing is said
}

// Codes of answers (RFC 1035, section 4.1.1).
const (
	ServerFailure = 2
	NoSuchName    = 3
)

// ListenNames starts a name server at an address such as "127.0.0.1:0". Close
// ends it.
func ListenNames(address string, first Name) (*Names, error) {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	s := &Names{conn: conn}
	s.Say(first)
	go s.serve()
	return s, nil
}

// Say says something else from now on.
func (s *Names) Say(n Name) { s.said.Store(&n) }

// Asked returns how many questions have come.
func (s *Names) Asked() int { return int(s.asked.Load()) }

// Addr returns where it listens.
func (s *Names) Addr() string { return s.conn.LocalAddr().String() }

// Close ends it.
func (s *Names) Close() { s.conn.Close() }

func (s *Names) serve() {
	b := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(b)
		if err != nil {
			return
		}
		s.asked.Add(1)
		if a := s.said.Load(); !a.Quiet {
			if out := a.reply(b[:n]); out != nil {
				s.conn.WriteTo(out, from)
			}
		}
	}
}

// reply answers a message of one question; nil: it is none.
func (a *Name) reply(q []byte) []byte {
	const header = 12
	end := header
	for end < len(q) && q[end] != 0 {
		end += 1 + int(q[end])
	}
	if end += 5; end > len(q) {
		return nil
	}
	out := append([]byte(nil), q[:end]...)
	out[2], out[3] = 0x81, 0x80|a.Code // an answer, and recursion is available
	clear(out[6:header])               // of records
	if kind := binary.BigEndian.Uint16(q[end-4:]); a.Code == 0 && kind == 1 {
		out[7] = 1
		out = append(out, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // of the name asked for, IPv4, for no time
		out = append(out, a.IP.To4()...)
	}
	return out
}
