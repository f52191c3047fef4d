package ollama

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bendi/chat"
)

// A fake is an Ollama server without models: it makes prompts fit as the real
// one does, and answers with a script.
type fake struct {
	version string
	show    string   // answer of /api/show
	script  []string // lines of an answer, before the last
	reason  string   // of its end
	pause   time.Duration
	chat    http.HandlerFunc // instead of all that
	other   map[string]http.HandlerFunc

	mu   sync.Mutex
	asks []chatBody // of /api/chat
}

const (
	showChat = `{"details":{"family":"llama"},"template":"<|{{ .Role }}|>{{ .Content }}<|end|>","model_info":{"general.architecture":"llama","llama.context_length":2048,"llama.embedding_length":4},"capabilities":["completion","tools"]}`
	oldest   = "0.9.6"
	exact    = "0.12.6"
)

func newFake() *fake {
	return &fake{version: oldest, show: showChat, script: []string{
		`{"model":"m","message":{"role":"assistant","content":"你"},"done":false}`,
		`{"model":"m","message":{"role":"assistant","content":"好"},"done":false}`,
		`{"model":"m","message":{"role":"assistant","content":"。"},"done":false}`,
	}, reason: "stop", other: map[string]http.HandlerFunc{}}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.other[r.URL.Path]; h != nil {
		h(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch r.URL.Path {
	case "/api/version":
		fmt.Fprintf(w, `{"version":%q}`, f.version)
	case "/api/show":
		io.WriteString(w, f.show)
	case "/api/chat":
		var b chatBody
		if err := json.Unmarshal(body, &b); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":%q}`, err.Error())
			return
		}
		f.mu.Lock()
		f.asks = append(f.asks, b)
		f.mu.Unlock()
		f.answer(w, r, b)
	default:
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "404 page not found")
	}
}

// tokens of a message, with what a template writes around it.
func tokens(t turn) int { return (len("<||><|end|>") + len(t.Role) + len(t.Content) + 2) / 3 }

func sum(all []turn) (n int) {
	for _, t := range all {
		n += tokens(t)
	}
	return n
}

// kept returns what an old server leaves of the messages, as server/prompt.go
// of 0.9.6 has it, and how many tokens of that the engine leaves.
func kept(all []turn, window int) ([]turn, int) {
	n := len(all) - 1
	var system []turn
	for i := n - 1; i >= 0; i-- {
		system = nil
		for _, t := range all[:i] {
			if t.Role == "system" {
				system = append(system, t)
			}
		}
		if sum(system)+sum(all[i:]) > window {
			break
		}
		n = i
	}
	rest := append(system, all[n:]...)
	return rest, min(sum(rest), window)
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request, b chatBody) {
	window := int(b.Options["num_ctx"].(float64))
	limit := int(b.Options["num_predict"].(float64))
	prompt := sum(b.Messages)
	if f.version == oldest {
		_, prompt = kept(b.Messages, window)
	} else if prompt > window {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":"the input length exceeds the context length"}`)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	if f.chat != nil && limit != 1 {
		f.chat(w, r)
		return
	}
	script, reason := f.script, f.reason
	if limit == 1 {
		script, reason = script[:min(1, len(script))], "length"
	}
	for _, l := range script {
		io.WriteString(w, l+"\n")
		w.(http.Flusher).Flush()
		select {
		case <-time.After(f.pause):
		case <-r.Context().Done():
			return
		}
	}
	fmt.Fprintf(w, `{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":%q,"prompt_eval_count":%d,"eval_count":%d}`+"\n", reason, prompt, len(script))
}

// asked returns the requests for answers, without those that counted.
func (f *fake) asked() (all []chatBody) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.asks {
		if b.Options["num_predict"] != 1.0 {
			all = append(all, b)
		}
	}
	return all
}

// serve returns a Model of a server with the handler.
func serve(t *testing.T, h http.Handler, change ...func(*Config)) *Model {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c := Config{Name: "near", URL: server.URL}
	for _, f := range change {
		f(&c)
	}
	return dial(t, c)
}

func dial(t *testing.T, c Config) *Model {
	t.Helper()
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// overSocket serves h on a unix socket and returns its path.
func overSocket(t *testing.T, h http.Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	server.Start()
	t.Cleanup(server.Close)
	return path
}

func ask() *chat.Request {
	return &chat.Request{ID: "req-1", Model: "tiny", N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "你好")}}
}

// plainly answers every path with a status, a content type and a body.
func plainly(status int, media, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// ndjson plays the lines of a stream.
func ndjson(all ...string) http.HandlerFunc {
	return plainly(http.StatusOK, "application/x-ndjson", strings.Join(all, "\n"))
}
