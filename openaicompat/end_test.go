package openaicompat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/openaicompat"
)

// A modelFunc is a Model of one function.
type modelFunc func(context.Context, *chat.Request) iter.Seq2[chat.Event, error]

func (f modelFunc) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return f(ctx, req)
}

// endless answers until it is stopped, and tells why it was.
func endless(stopped chan<- error, pause time.Duration) modelFunc {
	return func(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
		return func(yield func(chat.Event, error) bool) {
			defer func() { stopped <- context.Cause(ctx) }()
			for yield(chat.Event{Text: strings.Repeat("好", 1000)}, nil) {
				select {
				case <-time.After(pause):
				case <-ctx.Done():
					yield(chat.Event{}, context.Cause(ctx))
					return
				}
			}
		}
	}
}

// A logbook is a log that may be read.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// line waits for the log's one line.
func (l *logbook) line(t *testing.T) map[string]any {
	t.Helper()
	for range 100 {
		l.mu.Lock()
		text := bytes.TrimSpace(l.buf.Bytes())
		l.mu.Unlock()
		if len(text) == 0 {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		var line map[string]any
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatalf("not one line: %s", text)
		}
		return line
	}
	t.Fatal("nothing was logged")
	return nil
}

const (
	hello       = `{"messages":[{"role":"user","content":"你好"}]}`
	helloStream = `{"stream":true,"messages":[{"role":"user","content":"你好"}]}`
)

func only(m chat.Model) []openaicompat.Route {
	return []openaicompat.Route{{Path: "/v1/chat", Model: m}}
}

// A client that leaves ends the context of its model within a second, and is
// no error.
func TestClientLeaves(t *testing.T) {
	for name, body := range map[string]string{"stream": helloStream, "whole": hello} {
		t.Run(name, func(t *testing.T) {
			var log logbook
			stopped := make(chan error, 1)
			srv := httptest.NewServer(openaicompat.New(openaicompat.Options{Routes: only(endless(stopped, time.Millisecond)), Log: log.logger()}))
			defer srv.Close()
			ctx, leave := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, leave)
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/v1/chat", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if res, err := srv.Client().Do(req); err == nil {
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			select {
			case <-stopped:
			case <-time.After(time.Second):
				t.Fatal("a second later the model still goes on")
			}
			if line := log.line(t); line["status"] != 499.0 || line["level"] != "INFO" || line["err"] != nil {
				t.Errorf("logged as %v", line)
			}
		})
	}
}

// A client that reads nothing has left, when the time to write is over.
func TestClientReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		stopped := make(chan error, 1)
		client := serve(t, openaicompat.New(openaicompat.Options{Routes: only(endless(stopped, time.Second)), Log: log.logger(), WriteTimeout: 30 * time.Second}))
		start := time.Now()
		res, err := client.Post("http://bendi.test/v1/chat", "", strings.NewReader(helloStream))
		if err != nil {
			t.Fatal(err)
		}
		<-stopped
		if d := time.Since(start); d < 30*time.Second || d > time.Minute {
			t.Errorf("the model was stopped after %v", d)
		}
		if line := log.line(t); line["status"] != 499.0 {
			t.Errorf("logged as %v", line)
		}
		res.Body.Close()
	})
}

// A connection serves on after the limit of its last write.
func TestWriteLimitEndsWithTheResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &engine{"好\n"}
		client := serve(t, openaicompat.New(openaicompat.Options{Routes: e.routes(t)}))
		for range 3 {
			res, err := client.Post("http://bendi.test/v1/chat", "", strings.NewReader(helloStream))
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(res.Body); err != nil || !strings.HasSuffix(string(text), "data: [DONE]\n\n") {
				t.Fatalf("%s, %v", text, err)
			}
			res.Body.Close()
			time.Sleep(80 * time.Second) // less than the client keeps connections
		}
	})
}

// An announced model says when it is asked.
type announced struct {
	chat.Model
	asked chan struct{}
}

func (m announced) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	close(m.asked)
	return m.Model.Chat(ctx, req)
}

// A server that shuts down tells its clients, before a stream begins and after.
func TestShutdown(t *testing.T) {
	down := &chat.Error{Kind: chat.Unavailable, Code: chat.CodeShuttingDown, Msg: "The server is shutting down.", RetryAfter: 1500 * time.Millisecond}
	for _, tt := range []struct {
		name, script, body string
		status             int
		want               string
	}{
		{"in a stream", "Hel\n!wait\n", helloStream, 200, "data: {\"error\":{\"message\":\"The server is shutting down.\",\"type\":\"unavailable_error\",\"param\":null,\"code\":\"shutting_down\"}}\n\n"},
		{"before a stream", "!wait\n", helloStream, 503, "{\"error\":{\"message\":\"The server is shutting down.\",\"type\":\"unavailable_error\",\"param\":null,\"code\":\"shutting_down\"}}\n"},
		{"not streamed", "Hel\n!wait\n", hello, 503, "{\"error\":{\"message\":\"The server is shutting down.\",\"type\":\"unavailable_error\",\"param\":null,\"code\":\"shutting_down\"}}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, shut := context.WithCancelCause(t.Context())
			asked := make(chan struct{})
			srv := httptest.NewUnstartedServer(openaicompat.New(openaicompat.Options{Routes: only(announced{chattest.Script(tt.script), asked})}))
			srv.Config.BaseContext = func(net.Listener) context.Context { return ctx }
			srv.Start()
			defer srv.Close()
			if tt.status == 503 {
				go func() {
					<-asked
					shut(down)
				}()
			}
			res, err := srv.Client().Post(srv.URL+"/v1/chat", "", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			shut(down) // the stream has begun, or it is down already
			text, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tt.status || !strings.HasSuffix(string(text), tt.want) {
				t.Errorf("got %d, %v\n%s", res.StatusCode, err, text)
			}
			if retry := res.Header.Get("Retry-After"); tt.status == 503 && retry != "2" {
				t.Errorf("Retry-After is %q", retry)
			}
		})
	}
}

// The log tells names, numbers and times, and nothing that anybody wrote.
func TestLogLine(t *testing.T) {
	for _, tt := range []struct {
		name, script, body string
		want               map[string]any
	}{
		{"a stream", "secret\n!finish length\n!usage 7 2\n", helloStream, map[string]any{
			"level": "INFO", "status": 200.0, "method": "POST", "path": "/v1/chat", "route": "/v1/chat", "backend": "engine-1", "model": "bendi-demo",
			"prompt_tokens": 7.0, "completion_tokens": 2.0, "finish": "length", "stream": true, "request": "shop-1", "key": "shop"}},
		{"a failure of ours", "secret\n!fail bad-backend it died\n", helloStream, map[string]any{
			"level": "ERROR", "status": 200.0, "err": "it died", "backend": "engine-1"}},
		{"a failure of theirs that took its time", "secret\n!fail invalid too long\n", helloStream, map[string]any{
			"level": "INFO", "status": 200.0}},
		{"a failure of theirs", "", `{"messages":[{"role":"secret","content":"secret"}]}`, map[string]any{
			"level": "INFO", "status": 400.0, "finish": nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log logbook
			e := &engine{chattest.Script(tt.script)}
			h := openaicompat.New(openaicompat.Options{Routes: e.routes(t), Log: log.logger(), Keys: keys{"sk-secret": "shop"}})
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat?secret", strings.NewReader(tt.body))
			req.Header.Set("X-Request-Id", "shop-1")
			req.Header.Set("Authorization", "Bearer sk-secret")
			h.ServeHTTP(httptest.NewRecorder(), req)
			line := log.line(t)
			for name, want := range tt.want {
				if line[name] != want {
					t.Errorf("%s is %v, want %v", name, line[name], want)
				}
			}
			delete(line, "err") // names the role, as it should
			text, err := json.Marshal(line)
			if err != nil || bytes.Contains(text, []byte("secret")) {
				t.Errorf("the log knows too much: %s", text)
			}
		})
	}
}

func TestPanicIsLoggedWithItsStack(t *testing.T) {
	var log logbook
	h := openaicompat.New(openaicompat.Options{Routes: only(chattest.Script("!panic\n")), Log: log.logger()})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat", strings.NewReader(hello)))
	if line := log.line(t); line["level"] != "ERROR" || !strings.Contains(line["err"].(string), "script.go") {
		t.Errorf("logged as %v", line)
	}
}

// A body that does not say how long it is may not be too long either, and the
// client gets to read so over a real network.
func TestTooLargeBodies(t *testing.T) {
	srv := httptest.NewServer(openaicompat.New(openaicompat.Options{Routes: only(chattest.Script("好\n"))}))
	defer srv.Close()
	large := strings.Repeat("a", 10<<20)
	for name, body := range map[string]io.Reader{"by its header": strings.NewReader(large), "by its length": io.MultiReader(strings.NewReader(large))} {
		res, err := srv.Client().Post(srv.URL+"/v1/chat", "", body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 413 || !strings.Contains(string(text), "8388608") {
			t.Errorf("%s: %d %s", name, res.StatusCode, text)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	h := openaicompat.New(openaicompat.Options{Routes: only(chattest.Script("好\n"))})
	for given, kept := range map[string]bool{
		"shop-1_A.b":               true,
		strings.Repeat("x", 128):   true,
		strings.Repeat("x", 129):   false,
		"":                         false,
		"a b":                      false,
		"a\x7fb":                   false,
		"é":                        false,
		`"},"level":"ERROR","x":"`: false,
	} {
		rec := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/no/such/path", nil)
		req.Header.Set("X-Request-Id", given)
		h.ServeHTTP(rec, req)
		got := rec.Header().Get("X-Request-Id")
		if (got == given) != kept || !kept && !strings.HasPrefix(got, "req_") {
			t.Errorf("%q became %q", given, got)
		}
	}
}

// Of two routes that share a path the first has it, and a base URL that two
// routes share lists the models of both.
func TestRoutesThatShare(t *testing.T) {
	listed := func(ids ...string) chat.Model {
		m := listedModel{Script: chattest.Script(ids[0])}
		for _, id := range ids {
			m.models = append(m.models, chat.ModelInfo{ID: id})
		}
		return m
	}
	h := openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{
		{Path: "/v1/chat", Model: listed("a", "b")},
		{Path: "/v1/", Model: listed("b", "c")},
		{Path: "/", Model: listed("d")},
	}})
	for _, tt := range []struct{ method, path, want string }{
		{"POST", "/v1/chat/completions", `"content":"a"`},
		{"POST", "/v1/completions", `"content":"b"`},
		{"POST", "/v1", `"content":"b"`},
		{"POST", "/chat/completions", `"content":"d"`},
		{"GET", "/models", `"data":[{"id":"d","object":"model","created":0,"owned_by":""}]`},
		{"GET", "/v1/models", `"data":[{"id":"a","object":"model","created":0,"owned_by":""},{"id":"b","object":"model","created":0,"owned_by":""},{"id":"c","object":"model","created":0,"owned_by":""}]`},
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, strings.NewReader(hello)))
		if !strings.Contains(rec.Body.String(), tt.want) {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, rec.Code, rec.Body)
		}
	}
}

type listedModel struct {
	chattest.Script
	models []chat.ModelInfo
}

func (m listedModel) Models() []chat.ModelInfo { return m.models }

// Many streams at once, some of whose clients leave, end in one of the ways
// that are allowed.
func TestManyStreams(t *testing.T) {
	e := &engine{"一\n!sleep 2ms\n二\n!sleep 2ms\n三\n"}
	srv := httptest.NewServer(openaicompat.New(openaicompat.Options{Routes: e.routes(t), KeepAlive: time.Millisecond}))
	defer srv.Close()
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/v1/chat", strings.NewReader(helloStream))
			res, err := srv.Client().Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if i%4 == 0 {
				return
			}
			text, err := io.ReadAll(res.Body)
			if err != nil || strings.Count(string(text), "[DONE]") != 1 || strings.Contains(string(text), `"error"`) {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
	wg.Wait()
}

// BenchmarkStream reports what it costs to write a stream to a client over a
// real connection.
func BenchmarkStream(b *testing.B) {
	const events = 1000
	m := modelFunc(func(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
		return func(yield func(chat.Event, error) bool) {
			for range events {
				if !yield(chat.Event{Text: "你好"}, nil) {
					return
				}
			}
			yield(chat.Event{Finish: chat.Stop, Usage: &chat.Usage{}}, nil)
		}
	})
	srv := httptest.NewServer(openaicompat.New(openaicompat.Options{Routes: only(m)}))
	defer srv.Close()
	buf := bufio.NewReaderSize(nil, 64<<10)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		res, err := srv.Client().Post(srv.URL+"/v1/chat", "", strings.NewReader(helloStream))
		if err != nil {
			b.Fatal(err)
		}
		buf.Reset(res.Body)
		for {
			if _, err := buf.ReadSlice('\n'); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		res.Body.Close()
		n += events
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
}
