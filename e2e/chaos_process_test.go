package e2e_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"bendi/internal/programs"
)

// newClients opens connections and says nothing by them; the function that it
// returns closes them.
func newClients(t *testing.T, s *server, n int) func() {
	t.Helper()
	var conns []net.Conn
	for range n {
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(s.url, "http://"), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	return func() {
		for _, c := range conns {
			c.Close()
		}
	}
}

// busy returns for how long the gateway has computed.
func (s *server) busy() time.Duration { return programs.Processor(s.cmd.Process.Pid) }
