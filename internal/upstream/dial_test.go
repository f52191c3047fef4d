package upstream

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	bad "bendi/internal/badserver"
)

func names(t *testing.T, first bad.Name) *bad.Names {
	s, err := bad.ListenNames("127.0.0.1:0", first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// resolver asks a name server alone.
func resolver(s *bad.Names) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", s.Addr())
	}}
}

func TestDialByName(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s := names(t, bad.Name{})
	here, nowhere := net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 77) // where nobody listens
	var stale atomic.Int64
	newDialer := func() *Dialer {
		return &Dialer{Timeout: 2 * time.Second, Resolver: resolver(s), Stale: func(age time.Duration, err error) {
			if err == nil || age < 0 || age > time.Minute {
				t.Errorf("known for %v, %v", age, err)
			}
			stale.Add(1)
		}}
	}
	for _, c := range []struct {
		name   string
		before *bad.Name // that came with the first connection; nil: there was none
		now    bad.Name
		want   bool // there is a connection
		stale  int64
	}{
		{"a name", nil, bad.Name{IP: here}, true, 0},
		{"it leads elsewhere now", &bad.Name{IP: here}, bad.Name{IP: nowhere}, false, 0},
		{"the name server fails", &bad.Name{IP: here}, bad.Name{Code: bad.ServerFailure}, true, 1},
		{"it fails from the beginning", nil, bad.Name{Code: bad.ServerFailure}, false, 0},
		{"it says nothing", &bad.Name{IP: here}, bad.Name{Quiet: true}, true, 1},
		{"it says nothing from the beginning", nil, bad.Name{Quiet: true}, false, 0},
		{"there is no such name any more", &bad.Name{IP: here}, bad.Name{Code: bad.NoSuchName}, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDialer()
			stale.Store(0)
			connect := func() error {
				conn, err := d.DialContext(t.Context(), "tcp", "llm.example.:"+port)
				if err == nil {
					conn.Close()
				}
				return err
			}
			if c.before != nil {
				s.Say(*c.before)
				if err := connect(); err != nil {
					t.Fatal(err)
				}
			}
			s.Say(c.now)
			began := time.Now()
			if err := connect(); (err == nil) != c.want {
				t.Errorf("a connection: %v", err)
			}
			if stale.Load() != c.stale {
				t.Errorf("told %d times of a name that cannot be looked up, want %d", stale.Load(), c.stale)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// Without a name nobody is asked, and whoever leaves is not kept.
func TestDialWithoutName(t *testing.T) {
	s := names(t, bad.Name{Quiet: true})
	d := &Dialer{Timeout: time.Minute, Resolver: resolver(s)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil || s.Asked() != 0 {
		t.Fatalf("%v, and %d questions", err, s.Asked())
	}
	conn.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := d.DialContext(ctx, "tcp", "llm.example.:1"); err == nil || errors.Is(err, errSlowLookup) {
		t.Errorf("after having left: %v", err)
	}
}

// Of several places that are known, the next is tried where one does not answer.
func TestDialSeveral(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s := names(t, bad.Name{Code: bad.ServerFailure})
	d := &Dialer{Timeout: 5 * time.Second, Resolver: resolver(s)}
	d.learn("llm.example.", []net.IPAddr{{IP: net.IPv4(127, 0, 0, 77)}, {IP: net.IPv4(127, 0, 0, 1)}})
	conn, err := d.DialContext(t.Context(), "tcp", "llm.example.:"+port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
