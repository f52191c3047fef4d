package crowd

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Whoever is one too many is told so and goes, and has the place of the first
// that leaves.
func TestListener(t *testing.T) {
	why := ""
	c := New(slog.New(slog.DiscardHandler), func(w string) { why = w })
	c.Limit(Limits{Total: 2, PerAddress: 1}) // loopback has no limit of its own
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := c.Listener(inner, true)
	defer l.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		return conn
	}
	dial()
	dial()
	first := <-accepted
	<-accepted
	text, err := io.ReadAll(dial())
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 503 ") || !strings.Contains(string(text), "too_many_connections") {
		t.Errorf("the third is told %q, %v", text, err)
	}
	if why != Full || c.Count() != 2 {
		t.Errorf("refused for %q with %d open", why, c.Count())
	}
	first.Close()
	first.Close() // counts once
	dial()
	<-accepted
	if c.Count() != 2 {
		t.Errorf("%d are counted, want 2", c.Count())
	}
}

func TestPerAddress(t *testing.T) {
	c := New(slog.New(slog.DiscardHandler), nil)
	c.Limit(Limits{PerAddress: 2})
	one, other := netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32")
	var got []string
	for _, from := range []netip.Prefix{one, one, one, other, {}, {}, {}} {
		got = append(got, c.enter(from))
	}
	if want := ",,address,,,,"; strings.Join(got, ",") != want {
		t.Errorf("got %q, want %q", strings.Join(got, ","), want)
	}
	c.leave(one)
	if why := c.enter(one); why != "" {
		t.Errorf("after one has left: refused for %s", why)
	}
	c.leave(one)
	c.leave(one)
	c.leave(other)
	if len(c.from) != 0 {
		t.Errorf("%d addresses are remembered, want none", len(c.from))
	}
}
