package remote_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/inference/remote"
)

const (
	oneWord = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"
	theEnd  = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
)

// connections serves h and counts the connections.
func connections(t *testing.T, h http.HandlerFunc, o remote.Options) (*remote.Model, *atomic.Int32, *httptest.Server) {
	t.Helper()
	var n atomic.Int32
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	o.Name, o.BaseURL = "far", s.URL+"/v1"
	m, err := remote.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, &n, s
}

func streamed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	io.WriteString(w, oneWord+theEnd)
}

func asks(t *testing.T, m *remote.Model) {
	t.Helper()
	if _, err := chattest.Collect(m.Chat(t.Context(), ask()), 1); err != nil {
		t.Error(err)
	}
}

// One connection serves one request after the other. One that the server has
// closed in between is not used.
func TestClosedInBetween(t *testing.T) {
	m, n, s := connections(t, streamed, remote.Options{})
	for range 5 {
		asks(t, m)
	}
	if n.Load() != 1 {
		t.Errorf("%d connections for 5 requests, want 1", n.Load())
	}
	s.CloseClientConnections()
	for range 2 {
		asks(t, m)
	}
	if n.Load() != 2 {
		t.Errorf("%d connections in all, want 2", n.Load())
	}
}

// A kept connection that the server closes at the next request is no failure
// of the server, unless something of an answer has come.
func TestClosedAtTheNextRequest(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var requests atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for first := true; ; first = false {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					io.Copy(io.Discard, req.Body)
					requests.Add(1)
					if !first {
						return
					}
					body := oneWord + theEnd
					fmt.Fprintf(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				}
			}()
		}
	}()
	m, err := remote.New(remote.Options{Name: "far", BaseURL: "http://" + l.Addr().String() + "/v1"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	asks(t, m)
	asks(t, m)
	if requests.Load() != 3 {
		t.Errorf("%d requests came, want 3: one was put again", requests.Load())
	}
}

// No more than MaxConns requests are with the server. The next one waits, or
// leaves when its context ends.
func TestMostConnections(t *testing.T) {
	var now, most atomic.Int32
	m, _, _ := connections(t, func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(20 * time.Millisecond)
		now.Add(-1)
		streamed(w, r)
	}, remote.Options{MaxConns: 2})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { asks(t, m) })
	}
	wg.Wait()
	if most.Load() > 2 {
		t.Errorf("%d requests at once, want 2 at most", most.Load())
	}
	block := make(chan struct{})
	m, _, _ = connections(t, func(w http.ResponseWriter, r *http.Request) { <-block; streamed(w, r) }, remote.Options{MaxConns: 1})
	wg.Go(func() { asks(t, m) })
	time.Sleep(20 * time.Millisecond)
	why := errors.New("no longer wanted")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	if _, err := chattest.Collect(m.Chat(ctx, ask()), 1); !errors.Is(err, why) {
		t.Errorf("a request that waited ended with %v, want %v", err, why)
	}
	close(block)
	wg.Wait()
}

// Whoever leaves an answer, or whose context ends in a silence of the server,
// ends the connection at once.
func TestLeavingEndsTheConnection(t *testing.T) {
	for name, leave := range map[string]func(ctx context.Context, cancel func(), m *remote.Model){
		"left": func(ctx context.Context, _ func(), m *remote.Model) {
			for range m.Chat(ctx, ask()) {
				break
			}
		},
		"ended": func(ctx context.Context, cancel func(), m *remote.Model) {
			for range m.Chat(ctx, ask()) {
				cancel()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			gone := make(chan struct{})
			m, _, _ := connections(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, oneWord)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				close(gone)
			}, remote.Options{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			leave(ctx, cancel, m)
			select {
			case <-gone:
			case <-time.After(10 * time.Second):
				t.Error("the server still answers")
			}
		})
	}
}

// A header without end is not read to its end.
func TestEndlessHeader(t *testing.T) {
	m, _, _ := connections(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		streamed(w, nil)
	}, remote.Options{})
	_, err := chattest.Collect(m.Chat(t.Context(), ask()), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.BadBackend {
		t.Errorf("got %v, want a failure of the backend", err)
	}
}

// An answer that nobody reads before its end is asked for as a whole, and one
// of a worker of ours is not. A server may stream all the same.
func TestWholeAnswers(t *testing.T) {
	const whole = `{"choices":[{"index":0,"message":{"role":"assistant","content":"你好"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`
	var stubborn bool
	var asked struct {
		Stream  bool
		Options *struct{} `json:"stream_options"`
	}
	serve := func(w http.ResponseWriter, r *http.Request) {
		asked.Stream, asked.Options = false, nil
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		if asked.Stream || stubborn {
			streamed(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		io.WriteString(w, whole)
	}
	req := ask()
	req.Whole = true
	m, n, _ := connections(t, serve, remote.Options{})
	for range 2 {
		got, err := chattest.Collect(m.Chat(t.Context(), req), 1)
		if err != nil || asked.Stream || asked.Options != nil || got.Text[0] != "你好" || got.Usage.CompletionTokens != 2 {
			t.Errorf("got %+v, %v; asked for %+v", got, err, asked)
		}
	}
	if n.Load() != 1 {
		t.Errorf("%d connections, want 1", n.Load())
	}
	stubborn = true
	if got, err := chattest.Collect(m.Chat(t.Context(), req), 1); err != nil || got.Text[0] != "hi" {
		t.Errorf("of a server that streams: got %+v, %v", got, err)
	}
	worker, _, _ := connections(t, serve, remote.Options{Inside: []byte("secret")})
	if _, err := chattest.Collect(worker.Chat(t.Context(), req), 1); err != nil || !asked.Stream {
		t.Errorf("a worker was asked for %+v: %v", asked, err)
	}
}

// What is no whole answer is a failure of the server, in its words where it has
// some.
func TestBrokenWholeAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON":         `{"choices":`,
		"no end":          `{"choices":[{"index":0,"message":{"content":"x"}}]}`,
		"a choice more":   `{"choices":[{"index":1,"message":{"content":"x"},"finish_reason":"stop"}]}`,
		"an error":        `{"error":{"message":"out of luck"}}`,
		"no choice":       `{"choices":[]}`,
		"a broken choice": `{"choices":[{"index":0,"message":{"content":["x"]},"finish_reason":"stop"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			m, _, _ := connections(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, body)
			}, remote.Options{})
			req := ask()
			req.Whole = true
			_, err := chattest.Collect(m.Chat(t.Context(), req), 1)
			if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.BadBackend {
				t.Errorf("got %v, want a failure of the backend", err)
			}
		})
	}
}

// Events that have come together are a burst, and before each silence it is
// told to be over.
func TestBursts(t *testing.T) {
	next := make(chan struct{})
	m, _, _ := connections(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, oneWord+oneWord+oneWord)
		w.(http.Flusher).Flush()
		<-next
		io.WriteString(w, oneWord+theEnd)
	}, remote.Options{})
	var told []string
	req := ask()
	req.Burst = func(more bool) {
		if told = append(told, fmt.Sprint(more)); !more && strings.Count(strings.Join(told, " "), "hi") == 3 {
			close(next)
		}
	}
	for ev, err := range m.Chat(t.Context(), req) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Text != "" {
			told = append(told, ev.Text)
		}
	}
	if got, want := strings.Join(told, " "), "true hi hi hi false true hi"; !strings.HasPrefix(got, want) || told[len(told)-1] != "false" {
		t.Errorf("got %s, want %s ... false", got, want)
	}
}
