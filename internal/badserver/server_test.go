package badserver_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bad "bendi/internal/badserver"
)

// Scripts are heard as they were written, by a client that knows no mercy.
func TestScripts(t *testing.T) {
	tests := []struct {
		name   string
		script bad.Script
		want   string // error of reading the body, or the body
	}{
		{"an answer", bad.Answer("a"), bad.Delta("a") + bad.Finish("stop") + bad.Done},
		{"with a length", bad.Script{bad.Whole(200, "abc")}, "abc"},
		{"in drops", bad.Script{bad.Head(200, "Content-Length: 3"), bad.Drip(1, "abc")}, "abc"},
		{"closed early", bad.Script{bad.Head(200, "Content-Length: 3"), bad.Send("a"), bad.Close}, "unexpected EOF"},
		{"reset", bad.Script{bad.Head(200, "Content-Length: 3"), bad.Send("a"), bad.Pause(20 * time.Millisecond), bad.Reset}, "connection reset by peer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := bad.Listen(func(*bad.Call) bad.Script { return tt.script })
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			res, err := http.Post("http://"+s.Addr(), "application/json", strings.NewReader(`{"model":"m"}`))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			data, err := io.ReadAll(res.Body)
			got := string(data)
			if err != nil {
				got = err.Error()
			}
			if !strings.HasSuffix(got, tt.want) || len(s.Calls("m")) != 1 {
				t.Errorf("heard %q, want %q; %d calls", got, tt.want, len(s.Calls("m")))
			}
		})
	}
}

// A client that leaves is noticed at once, and one that asks again by the same
// connection is answered.
func TestLeaving(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := bad.Serve(l, func(c *bad.Call) bad.Script {
		if c.Number == 1 {
			return bad.Script{bad.Whole(200, "a")}
		}
		return bad.Script{bad.Stall}
	})
	defer s.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	const request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n" + `{"model":"m"}`
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	for len(s.Calls("m")) < 2 {
		time.Sleep(time.Millisecond)
	}
	calls := s.Calls("m")
	left := time.Now()
	c.Close()
	<-calls[1].Left()
	if calls[1].LeftAt().Before(left) {
		t.Error("it was left before")
	}
	select {
	case <-calls[0].Left():
		t.Error("the first call was left")
	default:
	}
}
