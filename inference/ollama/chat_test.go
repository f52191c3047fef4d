package ollama

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
)

func TestContract(t *testing.T) {
	for _, version := range []string{oldest, exact} {
		t.Run(version, func(t *testing.T) {
			f := newFake()
			f.version, f.pause = version, 2*time.Millisecond
			chattest.Contract(t, serve(t, f), ask)
		})
	}
	t.Run("over a unix socket", func(t *testing.T) {
		f := newFake()
		chattest.Contract(t, dial(t, Config{Name: "near", Socket: overSocket(t, f)}), ask)
	})
	t.Run("three choices", func(t *testing.T) {
		f := newFake()
		f.pause = 2 * time.Millisecond
		chattest.Contract(t, serve(t, f), func() *chat.Request {
			req := ask()
			req.N = 3
			return req
		})
	})
}

func TestAnAnswer(t *testing.T) {
	f := newFake()
	f.show = strings.Replace(showChat, `"tools"`, `"tools","thinking"`, 1)
	f.script = []string{
		`{"message":{"content":"","thinking":"嗯"},"done":false}`,
		`{"message":{"content":"天气"},"done":false}`,
		`{"message":{"content":"","tool_calls":[{"function":{"name":"weather","arguments":{"z":12345678901234567890,"a":"北京"}}},{"function":{"index":1,"name":"time","arguments":{}}}]},"done":false}`,
	}
	req := ask()
	req.Tools = []chat.Tool{{Name: "weather"}, {Name: "time"}}
	var got []string
	ids := map[string]bool{}
	for ev, err := range serve(t, f).Chat(t.Context(), req) {
		if err != nil {
			t.Fatal(err)
		}
		s := fmt.Sprintf("%d %q %q %s", ev.Choice, ev.Reasoning, ev.Text, ev.Finish)
		if c := ev.ToolCall; c != nil {
			s = fmt.Sprintf("call %d %s %s", c.Index, c.Name, c.Arguments)
			if !strings.HasPrefix(c.ID, "call_") || ids[c.ID] {
				t.Errorf("the id is %q", c.ID)
			}
			ids[c.ID] = true
		}
		if ev.Usage != nil {
			s = fmt.Sprintf("usage %+v", *ev.Usage)
		}
		got = append(got, s)
	}
	want := []string{
		`0 "嗯" "" `, `0 "" "天气" `,
		`call 0 weather {"z":12345678901234567890,"a":"北京"}`, `call 1 time {}`,
		`0 "" "" tool_calls`, `usage {PromptTokens:7 CachedTokens:0 CompletionTokens:3 ReasoningTokens:0 Partial:false}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if b := f.asked()[0]; b.Think != true || b.Shift || b.Truncate || b.Options["num_ctx"] != 2048.0 {
		t.Errorf("asked with think %v, shift %v, truncate %v, options %v", b.Think, b.Shift, b.Truncate, b.Options)
	}

	t.Run("one call at most", func(t *testing.T) {
		req.ParallelToolCalls = new(false)
		calls := 0
		for ev, err := range serve(t, f).Chat(t.Context(), req) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.ToolCall != nil {
				calls++
			}
		}
		if calls != 1 {
			t.Errorf("%d calls", calls)
		}
	})
}

// Each fault has the kind that routers and clients act on, and says what
// happened; none is ever taken for a whole answer.
func TestFaults(t *testing.T) {
	const begun, end = `{"message":{"content":"Hel"},"done":false}`, `{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":1}`
	chatOf := func(h http.HandlerFunc) http.Handler {
		f := newFake()
		f.version, f.chat = exact, h
		return f
	}
	with := func(path string, h http.HandlerFunc) http.Handler {
		f := newFake()
		f.other[path] = h
		return f
	}
	const asJSON = "application/json"
	tests := []struct {
		name  string
		h     http.Handler
		kind  chat.Kind
		code  string
		words string
	}{
		{"ends before the end", chatOf(ndjson(begun)), chat.BadBackend, "", "broke off"},
		{"says nothing at all", chatOf(ndjson()), chat.BadBackend, "", "broke off"},
		{"half a line", chatOf(ndjson(begun, end[:40])), chat.BadBackend, "", "not of its protocol"},
		{"no JSON", chatOf(ndjson(begun, "<html>canary</html>")), chat.BadBackend, "", "not of its protocol"},
		{"fails in mid-answer", chatOf(ndjson(begun, `{"error":"an error was encountered while running the model: CUDA error"}`)), chat.BadBackend, "", "CUDA error"},
		{"too long, told in the stream", chatOf(ndjson(`{"error":"the input length exceeds the context length","status":400}`)), chat.Invalid, chat.CodeContextLength, "than the window holds"},
		{"connection cut in mid-answer", chatOf(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, begun+"\n")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}), chat.BadBackend, "", "broke off"},
		{"an endless line", chatOf(func(w http.ResponseWriter, r *http.Request) {
			for range maxLine>>20 + 1 {
				if _, err := io.WriteString(w, strings.Repeat("x", 1<<20)); err != nil {
					return
				}
			}
		}), chat.BadBackend, "", "a line of more than 16777216 bytes"},
		{"a load instead of an answer", chatOf(ndjson(strings.Replace(end, "stop", "load", 1))), chat.BadBackend, "", "loaded the model"},
		{"an end without a reason", chatOf(ndjson(strings.Replace(end, `"stop"`, `""`, 1))), chat.BadBackend, "", "none of stop and length"},
		{"prompt of a whole window", chatOf(ndjson(strings.Replace(end, `_count":7`, `_count":2048`, 1))), chat.Invalid, chat.CodeContextLength, "2048"},
		{"answered elsewhere", chatOf(ndjson(`{"remote_host":"https://ollama.com","message":{"content":"Hel"}}`)), chat.Forbidden, "", "on the internet"},
		{"a proxy's page", plainly(200, "text/html", "<html>canary</html>"), chat.BadBackend, "", `not Ollama: status 200 with the content type "text/html"`},
		{"a proxy's failure", plainly(502, "text/html", "<html>canary</html>"), chat.Unavailable, "", "status 502"},
		{"a redirect", http.RedirectHandler("http://127.0.0.1:1/canary", http.StatusFound), chat.BadBackend, "", "not Ollama: status 302"},
		{"another server", plainly(404, "text/plain", "404 page not found"), chat.BadBackend, "", "not Ollama"},
		{"no such model", with("/api/show", plainly(404, asJSON, `{"error":"model 'tiny' not found"}`)), chat.NotFound, chat.CodeModelNotFound, "`ollama pull tiny`"},
		{"its model has gone since", chatOf(plainly(404, asJSON, `{"error":"model \"tiny\" not found, try pulling it first"}`)), chat.NotFound, chat.CodeModelNotFound, "`ollama pull tiny`"},
		{"queue full", chatOf(plainly(503, asJSON, `{"error":"server busy, please try again.  maximum pending requests exceeded"}`)), chat.Unavailable, "", "busy"},
		{"no memory", chatOf(plainly(500, asJSON, `{"error":"model requires more system memory (5.6 GiB) than is available (3.3 GiB)"}`)), chat.BadBackend, "", "5.6 GiB"},
		{"refused host", plainly(403, asJSON, ``), chat.BadBackend, "", "OLLAMA_HOST"},
		{"llama-server's overflow", chatOf(plainly(400, asJSON, `{"error":"{\"error\":{\"code\":400,\"message\":\"request (8889 tokens) exceeds\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":8889,\"n_ctx\":4096}}"}`)), chat.Invalid, chat.CodeContextLength, "the messages have 8889 tokens and the window holds 4096"},
		{"0.30's overflow", chatOf(plainly(400, asJSON, `{"error":"the prompt is longer than the context length currently available to the model; shorten it"}`)), chat.Invalid, chat.CodeContextLength, "raise 'context'"},
		{"any other no", chatOf(plainly(400, asJSON, `{"error":"invalid options:\n num_foo"}`)), chat.Invalid, "", "invalid options"},
		{"a gzip bomb", func() http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				w.Header().Set("Content-Type", asJSON)
				io.WriteString(w, "\x1f\x8b")
			})
		}(), chat.BadBackend, "", "packed"},
		{"a call without a name", chatOf(ndjson(`{"message":{"tool_calls":[{"function":{"arguments":{}}}]}}`)), chat.BadBackend, "", "without a name"},
		{"arguments that are none", chatOf(ndjson(`{"message":{"tool_calls":[{"function":{"name":"f","arguments":"x"}}]}}`)), chat.BadBackend, "", "no object"},
		{"counts nothing", func() http.Handler {
			f := newFake()
			f.other["/api/chat"] = ndjson(`{"message":{"content":""},"done":true,"done_reason":"length"}`)
			return f
		}(), chat.BadBackend, "", "update it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := chattest.Collect(serve(t, tt.h).Chat(t.Context(), ask()), 1)
			e, ok := errors.AsType[*chat.Error](err)
			if !ok || e.Kind != tt.kind || e.Code != tt.code || !strings.Contains(e.Msg, tt.words) {
				t.Fatalf("got %v (%+v), want %v %q with %q", err, e, tt.kind, tt.code, tt.words)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error shows a page: %v", err)
			}
		})
	}

	t.Run("nobody there", func(t *testing.T) {
		m := dial(t, Config{Name: "near", URL: "http://127.0.0.1:1"})
		_, err := chattest.Collect(m.Chat(t.Context(), ask()), 1)
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Unavailable || !strings.Contains(e.Msg, "`ollama serve`") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no such socket", func(t *testing.T) {
		m := dial(t, Config{Name: "near", Socket: "/nowhere/s"})
		if e, ok := errors.AsType[*chat.Error](m.Probe(t.Context())); !ok || e.Kind != chat.Unavailable {
			t.Errorf("got %v", e)
		}
	})
}

// A line may be as long as a tool call's arguments make it.
func TestALongLine(t *testing.T) {
	long := strings.Repeat("长", 1<<20)
	f := newFake()
	f.script = []string{`{"message":{"content":"` + long + `"},"done":false}`}
	a, err := chattest.Collect(serve(t, f).Chat(t.Context(), ask()), 1)
	if err != nil || a.Text[0] != long {
		t.Errorf("got %v", err)
	}
}

// stalled begins an answer and then waits until the client leaves, which it
// reports on gone.
func stalled(gone chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"message":{"content":"Hel"},"done":false}`+"\n")
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			gone <- struct{}{}
		case <-time.After(10 * time.Second):
		}
	}
}

// The server learns within a second that nobody listens any more, for each
// choice, and no goroutine is left.
func TestLeavingReachesTheServer(t *testing.T) {
	for _, n := range []int{1, 3} {
		gone := make(chan struct{}, n)
		f := newFake()
		var begun atomic.Int32
		f.chat = func(w http.ResponseWriter, r *http.Request) {
			begun.Add(1)
			for int(begun.Load())%n != 0 && r.Context().Err() == nil {
				time.Sleep(time.Millisecond) // nobody leaves before all are asked
			}
			stalled(gone)(w, r)
		}
		m := serve(t, f)
		req := ask()
		req.N = n
		leave := map[string]func(){
			"loop left": func() {
				for range m.Chat(t.Context(), req) {
					break
				}
			},
			"context ended": func() {
				cause := errors.New("enough")
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				var last error
				for _, err := range m.Chat(ctx, req) {
					last = err
					time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
				}
				if !errors.Is(last, cause) {
					t.Errorf("got %v", last)
				}
			},
		}
		for name, leave := range leave {
			t.Run(fmt.Sprintf("%s, %d choices", name, n), func(t *testing.T) {
				m.Close()
				time.Sleep(20 * time.Millisecond)
				before := runtime.NumGoroutine()
				leave()
				limit := time.After(time.Second)
				for range n {
					select {
					case <-gone:
					case <-limit:
						t.Fatal("the server still thinks that somebody listens, after 1 s")
					}
				}
				m.Close()
				for deadline := time.Now().Add(2 * time.Second); runtime.NumGoroutine() > before+1; time.Sleep(10 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
					}
				}
			})
		}
	}
}

func TestSilence(t *testing.T) {
	f := newFake()
	f.chat = stalled(make(chan struct{}, 1))
	m := serve(t, f, func(c *Config) { c.IdleTimeout = 50 * time.Millisecond })
	_, err := chattest.Collect(m.Chat(t.Context(), ask()), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Timeout {
		t.Errorf("got %v", err)
	}

	t.Run("a slow consumer is none", func(t *testing.T) {
		m := serve(t, newFake(), func(c *Config) { c.IdleTimeout = 50 * time.Millisecond })
		for _, err := range m.Chat(t.Context(), ask()) {
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

func TestChoicesHaveSeedsOfTheirOwn(t *testing.T) {
	f := newFake()
	req := ask()
	req.N, req.Sampling.Seed = 3, new(int64(7))
	a, err := chattest.Collect(serve(t, f).Chat(t.Context(), req), 3)
	if err != nil {
		t.Fatal(err)
	}
	seeds := map[any]bool{}
	for _, b := range f.asked() {
		seeds[b.Options["seed"]] = true
	}
	if len(seeds) != 3 || !seeds[7.0] || !seeds[8.0] || !seeds[9.0] {
		t.Errorf("the seeds were %v", seeds)
	}
	if a.Usage.PromptTokens != 7 || a.Usage.CompletionTokens != 9 {
		t.Errorf("the usage is %+v", a.Usage)
	}
}

func TestAChoiceThatFailsEndsTheOthers(t *testing.T) {
	var n atomic.Int32
	gone := make(chan struct{}, 3)
	f := newFake()
	f.chat = func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 3 {
			io.WriteString(w, `{"error":"out of memory"}`)
			return
		}
		stalled(gone)(w, r)
	}
	req := ask()
	req.N = 3
	_, err := chattest.Collect(serve(t, f).Chat(t.Context(), req), 3)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.BadBackend {
		t.Errorf("got %v", err)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	addresses := map[string]bool{}
	f := newFake()
	f.version = exact
	m := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addresses[r.RemoteAddr] = true
		f.ServeHTTP(w, r)
	}))
	for range 10 {
		if _, err := chattest.Collect(m.Chat(t.Context(), ask()), 1); err != nil {
			t.Fatal(err)
		}
	}
	if len(addresses) != 1 {
		t.Errorf("requests one after the other took %d connections", len(addresses))
	}
}
