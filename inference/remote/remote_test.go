package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/inference/remote"
	"bendi/internal/badserver"
	"bendi/openaicompat"
)

const script = chattest.Script("你\n好\n!sleep 1ms\n。\n")

// Both ends of the protocol are ours here.
func TestContractWithOurServer(t *testing.T) {
	served := openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: script}}})
	t.Run("over TCP", func(t *testing.T) {
		chattest.Contract(t, serve(t, served.ServeHTTP), ask)
	})
	t.Run("over a unix socket", func(t *testing.T) {
		chattest.Contract(t, dial(t, remote.Options{Name: "near", Socket: overSocket(t, served)}), ask)
	})
}

func TestContract(t *testing.T) {
	chattest.Contract(t, serve(t, modelled(script)), ask)
}

func TestContractOfALongAnswer(t *testing.T) {
	long := chattest.Script(strings.Repeat("字\n!sleep 2ms\n", 100))
	chattest.Contract(t, serve(t, modelled(long)), ask)
}

func TestSeveralChoices(t *testing.T) {
	two := chattest.Script("!choice 1\nb\n!choice 0\na\n!finish stop\n!choice 1\n!finish length\n!usage 7 2\n")
	req := ask()
	req.N = 2
	a, err := chattest.Collect(serve(t, modelled(two)).Chat(t.Context(), req), 2)
	if err != nil {
		t.Fatal(err)
	}
	if a.Text[0] != "a" || a.Text[1] != "b" || a.Finish[0] != chat.Stop || a.Finish[1] != chat.Length || a.Usage != (chat.Usage{PromptTokens: 7, CompletionTokens: 2}) {
		t.Errorf("got %+v", a)
	}
}

func TestWhatTheServerSees(t *testing.T) {
	var got *http.Request
	var body []byte
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		got = r
		modelled(script)(w, r)
	}, func(o *remote.Options) { o.Key = "sk-canary" })
	if _, err := chattest.Collect(m.Chat(t.Context(), ask()), 1); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"X-Request-Id": "req-1", "Authorization": "Bearer sk-canary", "Content-Type": "application/json",
		"Accept": "text/event-stream", "Accept-Encoding": "", "Idempotency-Key": "",
	}
	for name, value := range want {
		if got.Header.Get(name) != value {
			t.Errorf("%s: got %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if got.Method != "POST" || got.URL.Path != "/v1/chat/completions" {
		t.Errorf("got %s %s", got.Method, got.URL.Path)
	}
	if !strings.Contains(string(body), `"stream":true`) || !strings.Contains(string(body), `"include_usage":true`) {
		t.Errorf("the body does not ask for a stream with its usage: %s", body)
	}
}

const (
	hello = `data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}` + "\n\n"
	end   = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	usage = `data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}` + "\n\n"
	done  = "data: [DONE]\n\n"
)

// Each stream is whole, and says the same however the server words it.
func TestWholeStreams(t *testing.T) {
	tests := []struct {
		name, stream string
		usage        chat.Usage
	}{
		{"usage last", hello + end + usage + done, chat.Usage{PromptTokens: 7, CompletionTokens: 3}},
		{"usage with the finish", hello + `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}` + "\n\n" + done,
			chat.Usage{PromptTokens: 7, CompletionTokens: 3}},
		{"usage with every chunk", `data: {"choices":[{"index":0,"delta":{"content":"Hel"}}],"usage":{"prompt_tokens":7,"completion_tokens":1}}` + "\n\n" + end + usage + done,
			chat.Usage{PromptTokens: 7, CompletionTokens: 3}},
		{"no usage", hello + end + done, chat.Usage{CompletionTokens: 1}},
		{"negative usage", hello + end + `data: {"choices":[],"usage":{"prompt_tokens":-7,"completion_tokens":3}}` + "\n\n" + done, chat.Usage{CompletionTokens: 3}},
		{"comments and other fields", ": ping\n\nevent: x\nid: 1\nretry: 5\n" + hello + ":\n" + end + usage + done, chat.Usage{PromptTokens: 7, CompletionTokens: 3}},
		{"CRLF, no space, a mark of byte order", "\uFEFF" + strings.NewReplacer("\n", "\r\n", "data: ", "data:").Replace(hello+end+usage+done), chat.Usage{PromptTokens: 7, CompletionTokens: 3}},
		{"CR alone", strings.ReplaceAll(hello+end+usage+done, "\n", "\r"), chat.Usage{PromptTokens: 7, CompletionTokens: 3}},
		{"anything after the end", hello + end + usage + done + hello + "garbage", chat.Usage{PromptTokens: 7, CompletionTokens: 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := chattest.Collect(serve(t, recorded(tt.stream)).Chat(t.Context(), ask()), 1)
			if err != nil {
				t.Fatal(err)
			}
			if a.Text[0] != "Hel" || a.Finish[0] != chat.Stop || a.Usage != tt.usage {
				t.Errorf("got %+v, want usage %+v", a, tt.usage)
			}
		})
	}
}

func TestOneLongEvent(t *testing.T) {
	long := strings.Repeat("x", 4<<20)
	stream := `data: {"choices":[{"index":0,"delta":{"content":"` + long + `"}}]}` + "\n\n" + end + done
	a, err := chattest.Collect(serve(t, recorded(stream)).Chat(t.Context(), ask()), 1)
	if err != nil {
		t.Fatal(err)
	}
	if a.Text[0] != long {
		t.Errorf("got %d bytes, want %d", len(a.Text[0]), len(long))
	}
}

// reply returns a handler for one response that is no stream.
func reply(status int, header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for line := range strings.Lines(header) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestFailures(t *testing.T) {
	const jsonType = "Content-Type: application/json"
	tests := []struct {
		name   string
		server http.HandlerFunc
		kind   chat.Kind
		says   string // part of the message to the client
		cause  error
	}{
		{"cut before the finish", recorded(hello), chat.BadBackend, "broke off", io.ErrUnexpectedEOF},
		{"cut after the finish", recorded(hello + end), chat.BadBackend, "broke off", io.ErrUnexpectedEOF},
		{"cut after the usage", recorded(hello + end + usage), chat.BadBackend, "broke off", io.ErrUnexpectedEOF},
		{"cut within the last line", recorded(hello + end + usage + "data: [DONE]"), chat.BadBackend, "broke off", io.ErrUnexpectedEOF},
		{"empty", recorded(""), chat.BadBackend, "broke off", io.ErrUnexpectedEOF},
		{"done without a finish", recorded(hello + done), chat.BadBackend, "not finished choice 0 of 1", nil},
		{"text after the finish", recorded(end + hello + done), chat.BadBackend, "went on with choice 0", nil},
		{"a choice that nobody asked for", recorded(strings.Replace(hello, `"index":0`, `"index":1`, 1) + done), chat.BadBackend, "choice 1", nil},
		{"an event that is not JSON", recorded("data: <html>\n\n"), chat.BadBackend, "", nil},
		{"an event without end", recorded("data: " + strings.Repeat("x", 17<<20)), chat.BadBackend, "broke off", nil},
		{"connection reset", func(w http.ResponseWriter, r *http.Request) {
			recorded(hello)(w, r)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, chat.BadBackend, "broke off", io.ErrUnexpectedEOF},
		{"closed before an answer", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
			chat.BadBackend, "broke off", io.ErrUnexpectedEOF},
		{"error within the stream", recorded(hello + `data: {"error":{"message":"overloaded, wait","type":"unavailable_error","code":"engine_failed"}}` + "\n\n"),
			chat.Unavailable, "overloaded, wait", nil},
		{"key refused within the stream", recorded(`data: {"error":{"message":"bad key sk-canary","type":"authentication_error"}}` + "\n\n"),
			chat.BadBackend, "refused the key", nil},
		{"200 with HTML", reply(200, "Content-Type: text/html; charset=utf-8", "<html>"), chat.BadBackend, `"text/html"`, nil},
		{"200 with a JSON error", reply(200, jsonType, `{"error":{"message":"no GPU","type":"invalid_request_error"}}`), chat.BadBackend, "no GPU", nil},
		{"200 with JSON", reply(200, jsonType, `{"choices":[]}`), chat.BadBackend, `"application/json"`, nil},
		{"200 with nothing", reply(200, "", ""), chat.BadBackend, "content type \"\"", nil},
		{"200 squeezed", reply(200, "Content-Type: text/event-stream\nContent-Encoding: gzip", "\x1f\x8b"), chat.BadBackend, "gzip", nil},
		{"400", reply(400, jsonType, `{"error":{"message":"too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`), chat.Invalid, "too long", nil},
		{"401", reply(401, jsonType, `{"error":{"message":"Incorrect API key provided: sk-canary"}}`), chat.BadBackend, "refused the key", nil},
		{"403", reply(403, "", "sk-canary"), chat.BadBackend, "refused the key", nil},
		{"404", reply(404, jsonType, `{"error":{"message":"no model tiny","code":"model_not_found"}}`), chat.NotFound, "no model tiny", nil},
		{"429", reply(429, jsonType, `{"error":{"message":"slow down"}}`), chat.RateLimited, "slow down", nil},
		{"500", reply(500, "", "panic at sk-canary"), chat.BadBackend, "500", nil},
		{"503", reply(503, jsonType, `{"error":{"message":"full"}}`), chat.Unavailable, "full", nil},
		{"a redirect is not followed", reply(307, "Location: /elsewhere", ""), chat.BadBackend, "307", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int32
			m := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				io.Copy(io.Discard, r.Body)
				tt.server(w, r)
			}, func(o *remote.Options) { o.Key = "sk-canary" })
			_, err := chattest.Collect(m.Chat(t.Context(), ask()), 1)
			e, ok := errors.AsType[*chat.Error](err)
			if !ok {
				t.Fatalf("the error is %v, not a *chat.Error", err)
			}
			if e.Kind != tt.kind || !strings.Contains(e.Msg, tt.says) {
				t.Errorf("got %v %q, want %v with %q", e.Kind, e.Msg, tt.kind, tt.says)
			}
			if tt.cause != nil && !errors.Is(err, tt.cause) {
				t.Errorf("%v does not wrap %v", err, tt.cause)
			}
			if !strings.HasPrefix(err.Error(), "backend far: ") {
				t.Errorf("%q does not name the backend", err)
			}
			if strings.Contains(err.Error(), "sk-canary") {
				t.Errorf("the error holds the key: %v", err)
			}
			if asked.Load() != 1 {
				t.Errorf("the server was asked %d times", asked.Load())
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	tests := []struct {
		name  string
		o     remote.Options
		cause error
	}{
		{"connection refused", remote.Options{BaseURL: "http://" + l.Addr().String() + "/v1"}, syscall.ECONNREFUSED},
		{"no socket", remote.Options{Socket: filepath.Join(t.TempDir(), "none")}, os.ErrNotExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := chattest.Collect(dial(t, tt.o).Chat(t.Context(), ask()), 1)
			if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Unavailable || !errors.Is(err, tt.cause) {
				t.Errorf("got %v, want unavailable with %v", err, tt.cause)
			}
		})
	}
}

func TestUntrustedCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(modelled(script))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // or it reports the handshake
	server.StartTLS()
	defer server.Close()
	_, err := chattest.Collect(dial(t, remote.Options{BaseURL: server.URL}).Chat(t.Context(), ask()), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestRetryAfterIsPassedOn(t *testing.T) {
	tests := []struct {
		header   string
		min, max time.Duration
	}{
		{"2", 2 * time.Second, 2 * time.Second},
		{"-5", 0, 0},
		{"soon", 0, 0},
		{"", 0, 0},
		{"1000000000", time.Hour, time.Hour},
		{time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat), 25 * time.Second, 30 * time.Second},
	}
	for _, tt := range tests {
		_, err := chattest.Collect(serve(t, reply(503, "Retry-After: "+tt.header, "")).Chat(t.Context(), ask()), 1)
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.RetryAfter < tt.min || e.RetryAfter > tt.max {
			t.Errorf("Retry-After %q: got %+v", tt.header, err)
		}
	}
}

func TestSilenceTimesOut(t *testing.T) {
	gone := make(chan struct{}, 1)
	m := serve(t, stalled(hello, gone), func(o *remote.Options) { o.IdleTimeout = 100 * time.Millisecond })
	_, err := chattest.Collect(m.Chat(t.Context(), ask()), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Timeout || !strings.Contains(e.Msg, "100ms") {
		t.Errorf("got %v, want a timeout", err)
	}
	within(t, gone)
}

func TestCommentsKeepASlowAnswerAlive(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		recorded("")(w, r)
		for range 6 {
			io.WriteString(w, ": keep-alive\n\n")
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
		}
		io.WriteString(w, hello+end+usage+done)
	}, func(o *remote.Options) { o.IdleTimeout = 200 * time.Millisecond })
	if _, err := chattest.Collect(m.Chat(t.Context(), ask()), 1); err != nil {
		t.Error(err)
	}
}

func TestASlowConsumerIsNoSilence(t *testing.T) {
	m := serve(t, recorded(hello+end+usage+done), func(o *remote.Options) { o.IdleTimeout = 50 * time.Millisecond })
	for _, err := range m.Chat(t.Context(), ask()) {
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// The server learns within a second that nobody listens any more, wherever
// the answer stands.
func TestLeavingReachesTheServer(t *testing.T) {
	t.Run("loop left", func(t *testing.T) {
		gone := make(chan struct{}, 1)
		for range serve(t, stalled(hello, gone)).Chat(t.Context(), ask()) {
			break
		}
		within(t, gone)
	})
	t.Run("context ended in mid-answer", func(t *testing.T) {
		gone, cause := make(chan struct{}, 1), errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var last error
		for _, err := range serve(t, stalled(hello, gone)).Chat(ctx, ask()) {
			last = err
			cancel(cause)
		}
		if !errors.Is(last, cause) {
			t.Errorf("got %v", last)
		}
		within(t, gone)
	})
	t.Run("context ended before the answer", func(t *testing.T) {
		gone, cause := make(chan struct{}, 1), errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		m := serve(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			cancel(cause)
			<-r.Context().Done()
			gone <- struct{}{}
		})
		if _, err := chattest.Collect(m.Chat(ctx, ask()), 1); !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
		within(t, gone)
	})
}

func within(t *testing.T, gone <-chan struct{}) {
	t.Helper()
	select {
	case <-gone:
	case <-time.After(time.Second):
		t.Error("the server still thinks that somebody listens, after 1 s")
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var fresh atomic.Int32
	server := httptest.NewUnstartedServer(modelled(script))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			fresh.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	m := dial(t, remote.Options{Name: "far", BaseURL: server.URL})
	for range 10 {
		if _, err := chattest.Collect(m.Chat(t.Context(), ask()), 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := fresh.Load(); n != 1 {
		t.Errorf("10 requests one after the other took %d connections", n)
	}
}

// A server that closes its idle connection just as it is used again costs the
// client no error.
func TestAStaleConnectionIsReplaced(t *testing.T) {
	var conns, answered atomic.Int32
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				c.Read(buf)
				stream := hello + end + usage + done
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: "+strconv.Itoa(len(stream))+"\r\n\r\n"+stream)
				answered.Add(1)
				c.Read(buf) // the next request, which gets no answer
			}()
		}
	}()
	m := dial(t, remote.Options{Name: "far", BaseURL: "http://" + l.Addr().String()})
	for range 5 {
		if _, err := chattest.Collect(m.Chat(t.Context(), ask()), 1); err != nil {
			t.Fatal(err)
		}
	}
	if conns.Load() != 5 || answered.Load() != 5 {
		t.Errorf("%d connections, %d answers", conns.Load(), answered.Load())
	}
}

func TestBadURLs(t *testing.T) {
	for _, u := range []string{"", "localhost:8080", "ftp://x/v1", "http://", "http://sk-canary@x/v1", "http://x/v1?key=sk-canary", "http://x/%zz"} {
		m, err := remote.New(remote.Options{Name: "far", BaseURL: u})
		if err == nil {
			t.Errorf("%q: got %v, want an error", u, m)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

// A server that says 500 may have failed of the request itself, which router is
// told; one behind which something failed has not. An error whose text does not
// come is one by its status, and another protocol is no stream.
func TestErrorsWithoutText(t *testing.T) {
	tests := []struct {
		name   string
		script badserver.Script
		kind   chat.Kind
		wait   time.Duration
		deadly bool
	}{
		{"500", badserver.Script{badserver.Whole(500, "no")}, chat.BadBackend, 0, true},
		{"502", badserver.Script{badserver.Whole(502, "no")}, chat.BadBackend, 0, false},
		{"503 and silence", badserver.Script{badserver.Head(503, "Content-Length: 100", "Retry-After: 7"), badserver.Stall}, chat.Unavailable, 7 * time.Second, false},
		{"another protocol", badserver.Script{badserver.Head(101, "Connection: Upgrade", "Upgrade: websocket"), badserver.Stall}, chat.BadBackend, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := badserver.Listen(func(*badserver.Call) badserver.Script { return tt.script })
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			m := dial(t, remote.Options{Name: "far", BaseURL: "http://" + s.Addr() + "/v1"})
			_, err = chattest.Collect(m.Chat(t.Context(), ask()), 1)
			e, ok := errors.AsType[*chat.Error](err)
			if !ok || e.Kind != tt.kind || e.RetryAfter != tt.wait {
				t.Errorf("got %v, want %v and a wait of %v", err, tt.kind, tt.wait)
			}
			d, ok := errors.AsType[interface {
				error
				Deadly() bool
			}](err)
			if got := ok && d.Deadly(); got != tt.deadly {
				t.Errorf("deadly: %v, want %v", got, tt.deadly)
			}
		})
	}
}
