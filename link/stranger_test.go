package link

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Who has not shown who it is gets nothing, and costs little.
func TestStrangers(t *testing.T) {
	l := newLab(t, say).start()
	upgrade := "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	tests := []struct {
		name, request string
		want          string // first line of the answer
	}{
		{"nothing to show", "GET /link HTTP/1.1\r\nHost: a\r\n" + upgrade + "\r\n", "HTTP/1.1 401"},
		{"a browser", "GET /link HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n" + upgrade + "\r\n", "HTTP/1.1 403"},
		{"a token in the URL", "GET /link?token=x HTTP/1.1\r\nHost: a\r\n" + upgrade + "\r\n", "HTTP/1.1 400"},
		{"an empty key", "GET /link HTTP/1.1\r\nHost: a\r\nAuthorization: Bendi-Key :\r\n" + upgrade + "\r\n", "HTTP/1.1 401"},
		{"two credentials", "GET /link HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y\r\n" + upgrade + "\r\n", "HTTP/1.1 401"},
		{"another path", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404"},
		{"a large header", "GET /link HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("a", 16<<10) + "\r\n\r\n", "HTTP/1.1 431"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tls.Dial("tcp", l.address, &tls.Config{RootCAs: l.authority.pool})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(10 * time.Second))
			go io.WriteString(c, tt.request)
			line, err := bufio.NewReader(c).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, tt.want) {
				t.Errorf("answer %q, %v, want %s", line, err, tt.want)
			}
		})
	}
	t.Run("TLS 1.2", func(t *testing.T) {
		c, err := tls.Dial("tcp", l.address, &tls.Config{RootCAs: l.authority.pool, MaxVersion: tls.VersionTLS12})
		if err == nil {
			c.Close()
			t.Error("it was let in")
		}
	})
	t.Run("too many at once", func(t *testing.T) {
		open := 0
		for range maxStrangers + 8 {
			c, err := tls.Dial("tcp", l.address, &tls.Config{RootCAs: l.authority.pool})
			if err == nil {
				defer c.Close()
				open++
			}
		}
		if open > maxStrangers {
			t.Errorf("%d connections of one address are open, at most %d", open, maxStrangers)
		}
	})
}

// A proof that was heard is of no use on another connection.
func TestProofIsOfOneConnection(t *testing.T) {
	l := newLab(t, say).start()
	dial := func() (*tls.Conn, *tls.ConnectionState) {
		c, err := tls.Dial("tcp", l.address, &tls.Config{RootCAs: l.authority.pool})
		if err != nil {
			t.Fatal(err)
		}
		state := c.ConnectionState()
		return c, &state
	}
	first, heard := dial()
	defer first.Close()
	second, _ := dial()
	defer second.Close()
	h := http.Header{}
	if err := (Identity{Name: "berlin", Key: testKey}).sign(h, heard, newID()); err != nil {
		t.Fatal(err)
	}
	for i, c := range []*tls.Conn{second, first} {
		fmt.Fprintf(c, "GET /link HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: %s\r\n%s: %s\r\n%s: 1\r\n\r\n",
			h.Get("Authorization"), headerSession, h.Get(headerSession), headerLink)
		c.SetDeadline(time.Now().Add(10 * time.Second))
		line, _ := bufio.NewReader(c).ReadString('\n')
		if want := []string{"HTTP/1.1 401", "HTTP/1.1 101"}[i]; !strings.HasPrefix(line, want) {
			t.Errorf("connection %d: %q, want %s", i, line, want)
		}
	}
}

// Who sends what is no frame loses its link, the relay little memory, and the
// others nothing.
func TestFramesThatAreNone(t *testing.T) {
	l := newLab(t, say).start()
	e := l.edge(nil)
	header := func(opcode byte, length uint64) []byte {
		b := []byte{opcode, 0x80 | 127}
		b = binary.BigEndian.AppendUint64(b, length)
		return append(b, 0, 0, 0, 0) // the mask
	}
	small := func(opcode byte, payload []byte) []byte {
		return append([]byte{opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	}
	tests := map[string][]byte{
		"a length of 2^63-1":        header(0x82, 1<<63-1),
		"a length with the sign":    header(0x82, 1<<63),
		"reserved bits":             small(0xf2, make([]byte, headerSize)),
		"a ping in pieces":          small(0x09, []byte("a")),
		"text":                      small(0x81, make([]byte, headerSize)),
		"not masked":                {0x82, 1, 0},
		"no frame of ours":          small(0x82, []byte("hello")),
		"a million empty pieces":    append(small(0x02, nil), bytes.Repeat(small(0x00, nil), 1_000_000)...),
		"a message without end":     append(small(0x02, nil), bytes.Repeat(small(0x00, make([]byte, 100)), 1000)...),
		"a head without a method":   small(0x82, (&frame{kind: openFrame, stream: 1, payload: []byte{headVersion, 0, 0}}).append(nil)),
		"an answer of an edge":      small(0x82, (&frame{kind: headFrame, stream: 1}).append(nil)),
		"a stream far ahead":        small(0x82, (&frame{kind: openFrame, stream: 1 << 40}).append(nil)),
		"a word far ahead":          small(0x82, (&frame{kind: dataFrame, stream: 1, seq: 1 << 20}).append(nil)),
		"news of what was not sent": small(0x82, (&frame{kind: ackFrame, payload: news{1, 1}.append(nil)}).append(nil)),
		"a relay that is an edge":   small(0x82, (&frame{kind: drainFrame}).append(nil)),
		"acks of nothing":           small(0x82, (&frame{kind: ackFrame, ack: 1 << 31}).append(nil)),
	}
	for name, bad := range tests {
		t.Run(name, func(t *testing.T) {
			if name == "a million empty pieces" || name == "a length of 2^63-1" { // these wait as long as a link may keep silent
				if testing.Short() {
					t.Skip()
				}
				t.Parallel()
			}
			c := l.handshake(t)
			defer c.Close()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			most := 30 * time.Second
			if name == "a head without a method" {
				most = time.Second // its stream alone is refused
			}
			c.SetDeadline(time.Now().Add(most))
			go c.Write(bad)
			begin := time.Now()
			n, err := io.Copy(io.Discard, c)
			if most < 30*time.Second {
				return
			}
			if err != nil && strings.Contains(err.Error(), "timeout") {
				t.Errorf("after %v and %d bytes the link is still there", time.Since(begin), n)
			}
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 16<<20 {
				t.Errorf("the heap has grown by %d MiB", grown>>20)
			}
		})
	}
	if _, got, err := l.ask(e, "/v1/chat", "x"); err != nil || got != "x" {
		t.Errorf("the other edge: %q, %v", got, err)
	}
}

// handshake returns a connection that is a link, as the edge "berlin" has.
func (l *lab) handshake(t *testing.T) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", l.address, &tls.Config{RootCAs: l.authority.pool})
	if err != nil {
		t.Fatal(err)
	}
	state := c.ConnectionState()
	h := http.Header{}
	if err := (Identity{Name: "berlin", Key: testKey}).sign(h, &state, newID()); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET /link HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: %s\r\n%s: %s\r\n%s: 1\r\n\r\n",
		h.Get("Authorization"), headerSession, h.Get(headerSession), headerLink)
	r := bufio.NewReaderSize(c, 16)
	for line := ""; line != "\r\n"; {
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// A relay never negotiates compression, whatever is offered.
func TestNoCompression(t *testing.T) {
	l := newLab(t, say).start()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: l.authority.pool, Certificates: []tls.Certificate{l.authority.issue(t, "berlin")},
	}}}
	ws, res, err := websocket.Dial(t.Context(), "wss://"+l.address+"/link", &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: http.Header{headerSession: {newID().String()}, headerLink: {"1"}}, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if got := res.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("the relay has agreed to %q", got)
	}
}

// A body that is not what it was said to be reaches no upstream whole.
func TestBodiesThatLie(t *testing.T) {
	got := make(chan error, 1)
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		got <- err
	})
	l.options.MaxBody = 1 << 20
	l.start()
	e := l.edge(nil)
	waitFor(t, "a link", func() bool { return e.Status()[0].Links > 0 })
	bomb := &bytes.Buffer{}
	if err := pack(bomb, io.LimitReader(zeros{}, 256<<20)); err != nil {
		t.Fatal(err)
	}
	head := func(length int64, zstd bool) []byte {
		h := requestHead{method: "POST", url: l.upstream.URL + "/v1/x", length: length, zstd: zstd, header: http.Header{}}
		return h.append(nil)
	}
	tests := []struct {
		name, want string
		head, body []byte
	}{
		{"256 MiB out of some KiB", "larger than", head(-1, true), bomb.Bytes()},
		{"more than was said", "", head(10, false), make([]byte, 11)},
		{"less than was said", "", head(10, false), make([]byte, 9)},
		{"more than may be", "at most", head(1<<21, true), nil},
		{"not compressed", "", head(-1, true), []byte("hello hello")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e.relays[0].mu.Lock()
			s := e.relays[0].session
			e.relays[0].mu.Unlock()
			st, err := s.open(tt.head)
			if err != nil {
				t.Fatal(err)
			}
			st.Write(tt.body)
			st.CloseWrite()
			text, err := st.Head()
			if err != nil {
				t.Fatal(err)
			}
			h, err := parseResponseHead(text)
			if err != nil || h.status != 0 || !strings.Contains(h.fault, tt.want) {
				t.Errorf("answer %+v, %v, want the fault %q", h, err, tt.want)
			}
			st.Reset(Cancelled)
			select {
			case err := <-got:
				if err == nil {
					t.Error("the upstream got it as if it were whole")
				}
			default:
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
