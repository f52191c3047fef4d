package redistest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Proxy passes on what is said to a server, and what it answers later.
type Proxy struct {
	Address string // host:port
	delay   atomic.Int64
}

// Via starts a Proxy to an address, and ends it with the test.
func Via(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: l.Addr().String()}
	var wg sync.WaitGroup
	t.Cleanup(func() { p.Delay(0); l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer client.Close()
				server, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer server.Close()
				wg.Go(func() { io.Copy(server, client); server.Close() })
				buf := make([]byte, 32<<10)
				for {
					n, err := server.Read(buf)
					if err != nil {
						return
					}
					time.Sleep(time.Duration(p.delay.Load()))
					if _, err := client.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	return p
}

// Delay has answers be passed on that much later, from the next on.
func (p *Proxy) Delay(by time.Duration) { p.delay.Store(int64(by)) }
