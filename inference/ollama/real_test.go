//go:build unix

package ollama

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"bendi/chat"
	"bendi/chat/chattest"
)

// binary names the variable that has the path of an ollama program. Without it
// the tests against a real server are skipped; docs/ollama.md tells how to build
// one.
const binary = "BENDI_OLLAMA"

var update = flag.Bool("update", false, "record the answers in testdata anew; needs "+binary)

const demo = "../../models/demo/bendi-demo-q8_0.gguf"

// chatML is the demo model's template in Ollama's words, with tools, which the
// model knows nothing of.
const chatML = `{{ if .Tools }}{{ .Tools }}
{{ end }}{{ range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}{{ range .ToolCalls }}<tool_call>{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}</tool_call>{{ end }}<|im_end|>
{{ end }}<|im_start|>assistant
`

// start starts an Ollama server of its own with the demo model in it, and
// returns its URL.
func start(t *testing.T) string {
	t.Helper()
	program := os.Getenv(binary)
	if program == "" {
		t.Skipf("%s does not name an ollama program", binary)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	cmd := exec.Command(program, "serve")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "OLLAMA_MODELS=" + filepath.Join(dir, "models"), "OLLAMA_HOST=" + address,
		"OLLAMA_NUM_PARALLEL=2", "OLLAMA_DEBUG=1", "OLLAMA_NOPRUNE=1",
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with its runners
		cmd.Wait()
		if t.Failed() {
			text := log.String()
			t.Logf("the server's log ends with:\n%s", text[max(0, len(text)-8000):])
		}
	})
	base := "http://" + address
	m := dial(t, Config{Name: "real", URL: base})
	for deadline := time.Now().Add(time.Minute); m.Probe(t.Context()) != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server is not there after a minute")
		}
	}
	install(t, base)
	return base
}

// install puts the demo model into a server.
func install(t *testing.T, base string) {
	t.Helper()
	file, err := os.ReadFile(demo)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	create, _ := json.Marshal(map[string]any{
		"model": "bendi-demo", "files": map[string]string{"bendi-demo.gguf": digest}, "template": chatML,
		"parameters": map[string]any{"stop": []string{"<|im_end|>"}, "temperature": 0, "num_thread": 1}, "stream": false,
	})
	for path, body := range map[string][]byte{"/api/blobs/" + digest: file} {
		post(t, base+path, body)
	}
	post(t, base+"/api/create", create)
}

func post(t *testing.T, url string, body []byte) {
	t.Helper()
	res, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode >= 300 {
		t.Fatalf("%s: %s: %s", url, res.Status, text)
	}
}

func said(text string) *chat.Request {
	return &chat.Request{Model: "bendi-demo", N: 1, MaxTokens: 64, Messages: []chat.Message{chat.TextMessage(chat.User, text)}}
}

func TestReal(t *testing.T) {
	base := start(t)
	m := dial(t, Config{Name: "real", URL: base, Context: 2048})

	t.Run("contract", func(t *testing.T) {
		chattest.Contract(t, m, func() *chat.Request { return said("你好，请介绍一下你自己") })
	})
	t.Run("two choices", func(t *testing.T) {
		chattest.Contract(t, m, func() *chat.Request {
			req := said("你好，请介绍一下你自己")
			req.N = 2
			return req
		})
	})
	collect := func(t *testing.T, req *chat.Request) *chattest.Answer {
		t.Helper()
		a, err := chattest.Collect(m.Chat(t.Context(), req), req.N)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	t.Run("length", func(t *testing.T) {
		req := said("你好")
		req.MaxTokens = 3
		if a := collect(t, req); a.Finish[0] != chat.Length || a.Usage.CompletionTokens != 3 || a.Usage.PromptTokens < 5 {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("stop", func(t *testing.T) {
		whole := collect(t, said("你好"))
		runes := []rune(whole.Text[0])
		if whole.Finish[0] != chat.Stop || len(runes) < 4 {
			t.Fatalf("got %+v", whole)
		}
		req := said("你好")
		req.Stop = []string{string(runes[3])}
		if a := collect(t, req); a.Finish[0] != chat.Stop || a.Text[0] != strings.SplitN(whole.Text[0], req.Stop[0], 2)[0] {
			t.Errorf("got %+v of %+v", a, whole)
		}
	})
	t.Run("seed", func(t *testing.T) {
		req := said("写一首诗")
		req.Sampling.Seed, req.Sampling.Temperature, req.Sampling.TopP, req.Sampling.TopK = new(int64(7)), new(2.0), new(1.0), new(0)
		first := collect(t, req)
		if again := collect(t, req); again.Text[0] != first.Text[0] {
			t.Errorf("%q and %q", first.Text[0], again.Text[0])
		}
		req.Sampling.Seed = new(int64(8))
		if other := collect(t, req); other.Text[0] == first.Text[0] {
			t.Errorf("another seed, and again %q", first.Text[0])
		}
	})
	t.Run("schema", func(t *testing.T) {
		req := said("你好")
		req.Format = &chat.Format{Type: "json_schema", Schema: json.RawMessage(`{"type":"object","properties":{"mood":{"enum":["glad","sad"]}},"required":["mood"],"additionalProperties":false}`)}
		var got struct{ Mood string }
		if a := collect(t, req); json.Unmarshal([]byte(a.Text[0]), &got) != nil || got.Mood != "glad" && got.Mood != "sad" {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("tools", func(t *testing.T) {
		req := said("你好")
		req.Tools = []chat.Tool{{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object","properties":{"o":{"anyOf":[{"type":"string"},{"type":"object","properties":{"a":{}}}]},"p":true}}`)}}
		req.Messages = append(req.Messages, chat.Message{Role: chat.Assistant, ToolCalls: []chat.ToolCall{{ID: "1", Name: "f", Arguments: `{"o":"x"}`}}},
			chat.Message{Role: chat.ToolRole, ToolCallID: "1", Content: []chat.Part{{Kind: chat.TextPart, Text: "y"}}})
		collect(t, req)
	})
	t.Run("embeddings", func(t *testing.T) {
		chattest.EmbedderContract(t, m, func() *chat.EmbedRequest {
			return &chat.EmbedRequest{Model: "bendi-demo", Inputs: []chat.Input{{Text: "你好"}, {Text: "怎么退货？"}}}
		})
	})
	t.Run("models", func(t *testing.T) {
		if err := m.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all := m.Models(); len(all) != 1 || all[0].ID != "bendi-demo:latest" || all[0].Context != 2048 || all[0].State != "loaded" {
			t.Errorf("got %+v", all)
		}
	})
	t.Run("not installed", func(t *testing.T) {
		req := said("你好")
		req.Model = "nothing"
		_, err := chattest.Collect(m.Chat(t.Context(), req), 1)
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Code != chat.CodeModelNotFound || !strings.Contains(e.Msg, "`ollama pull nothing`") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cancellation frees the server", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		req := said("写一首很长的诗")
		req.MaxTokens, req.Sampling.Temperature, req.Sampling.TopK, req.Sampling.TopP = 0, new(2.0), new(0), new(1.0)
		for range m.Chat(ctx, req) {
			cancel()
		}
		cancel()
		begun := time.Now()
		collect(t, said("你好"))
		t.Logf("the next answer took %v", time.Since(begun))
	})
	t.Run("nothing is left out", func(t *testing.T) { nothingIsLeftOut(t, base) })
}

// nothingIsLeftOut compares what a large window counts with what a small one
// answers to: exactly the conversations that fit.
func nothingIsLeftOut(t *testing.T, base string) {
	const window = 256
	large := dial(t, Config{Name: "real", URL: base, Context: 2048})
	small := dial(t, Config{Name: "real", URL: base, Context: window})
	conversation := func(i int) *chat.Request {
		req := said("问题")
		req.MaxTokens = 2
		var all []chat.Message
		if i%3 == 0 {
			all = append(all, chat.TextMessage(chat.System, "你是助手。"))
		}
		for n := range 1 + i%5 {
			all = append(all, chat.TextMessage([]chat.Role{chat.User, chat.Assistant}[n%2], strings.Repeat("你好，世界。", 1+(i*7+n*5)%17)))
		}
		req.Messages = append(all, chat.TextMessage(chat.User, strings.Repeat("问", 1+i*3)))
		return req
	}
	const n = 30
	tokens := make([]int, n)
	for i := range n {
		a, err := chattest.Collect(large.Chat(t.Context(), conversation(i)), 1)
		if err != nil {
			t.Fatal(err)
		}
		tokens[i] = a.Usage.PromptTokens
	}
	fits := 0
	for i := range n {
		a, err := chattest.Collect(small.Chat(t.Context(), conversation(i)), 1)
		e, ok := errors.AsType[*chat.Error](err)
		switch refused := ok && e.Code == chat.CodeContextLength; {
		case (err == nil) != (tokens[i] < window) || err != nil && !refused:
			t.Errorf("conversation %d of %d tokens: %v", i, tokens[i], err)
		case err == nil && a.Usage.PromptTokens != tokens[i]:
			t.Errorf("conversation %d of %d tokens: answered to %d", i, tokens[i], a.Usage.PromptTokens)
		case err == nil:
			fits++
		}
	}
	t.Logf("%d of %d conversations fitted; tokens %v", fits, n, tokens)

	// This is what all of it is for: asked as its manual says, the server
	// answers to a part of the messages as if all were well.
	for i := range n {
		if tokens[i] <= window {
			continue
		}
		all, err := messages(conversation(i).Messages, facts{})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := whole[line](t.Context(), small, http.MethodPost, "/api/chat", "bendi-demo", map[string]any{
			"model": "bendi-demo", "messages": all, "stream": false, "options": map[string]any{"num_ctx": window, "num_predict": 2},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("of the %d tokens of conversation %d the server read %d, and said %q", tokens[i], i, answer.PromptEvalCount, answer.DoneReason)
		break
	}

	// An answer that could go on for ever ends where the window does.
	req := conversation(1)
	req.MaxTokens, req.Sampling.Temperature, req.Sampling.TopK, req.Sampling.TopP, req.Sampling.Seed = 0, new(2.0), new(0), new(1.0), new(int64(1))
	a, err := chattest.Collect(small.Chat(t.Context(), req), 1)
	if err != nil || a.Usage.PromptTokens+a.Usage.CompletionTokens > window {
		t.Errorf("%+v, %v", a, err)
	}
}

// recordings are requests whose answers lie in testdata, as a real server gave
// them.
var recordings = map[string]func() *chat.Request{
	"stop": func() *chat.Request { return said("你好") },
	"length": func() *chat.Request {
		req := said("你好")
		req.MaxTokens = 5
		return req
	},
	"schema": func() *chat.Request {
		req := said("你好")
		req.Format = &chat.Format{Type: "json_schema", Schema: json.RawMessage(`{"type":"object","properties":{"mood":{"enum":["glad","sad"]}},"required":["mood"],"additionalProperties":false}`)}
		return req
	},
	"missing": func() *chat.Request {
		req := said("你好")
		req.Model = "nothing"
		return req
	},
}

// A real server's bytes become these events, whatever else changes.
func TestRecordings(t *testing.T) {
	if *update {
		record(t, start(t))
	}
	for name, ask := range recordings {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name+".txtar")
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string][]byte{}
			for _, f := range archive.Files {
				files[f.Name] = f.Data
			}
			got := play(serve(t, replay(files)), t.Context(), ask())
			if *update {
				archive.Files = append(archive.Files, txtar.File{Name: "events", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(files["events"]) {
				t.Errorf("got\n%s\nwant\n%s", got, files["events"])
			}
		})
	}
}

// play writes the events of an answer down.
func play(m *Model, ctx context.Context, req *chat.Request) string {
	var b strings.Builder
	for ev, err := range m.Chat(ctx, req) {
		switch {
		case err != nil:
			e, _ := errors.AsType[*chat.Error](err)
			fmt.Fprintf(&b, "error %v %s: %v\n", e.Kind, e.Code, err)
		case ev.Usage != nil:
			fmt.Fprintf(&b, "usage %d %d\n", ev.Usage.PromptTokens, ev.Usage.CompletionTokens)
		case ev.Finish != "":
			fmt.Fprintf(&b, "finish %s\n", ev.Finish)
		default:
			fmt.Fprintf(&b, "text %q\n", ev.Text)
		}
	}
	return b.String()
}

// replay answers with what was recorded: a file for each status and path.
func replay(files map[string][]byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for _, status := range []int{200, 400, 404, 500} {
			for _, media := range []string{"application/json", "application/x-ndjson"} {
				if body, ok := files[fmt.Sprintf("%d %s %s", status, media, r.URL.Path)]; ok {
					plainly(status, media, string(body))(w, r)
					return
				}
			}
		}
		w.WriteHeader(http.StatusTeapot)
	})
}

// record asks a real server, and writes down what it says.
func record(t *testing.T, base string) {
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range recordings {
		var mu sync.Mutex
		said := map[string][]byte{}
		proxy := httputil.NewSingleHostReverseProxy(target)
		proxy.ModifyResponse = func(res *http.Response) error {
			body, err := io.ReadAll(res.Body)
			if err != nil {
				return err
			}
			media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
			mu.Lock()
			said[fmt.Sprintf("%d %s %s", res.StatusCode, media, res.Request.URL.Path)] = body
			mu.Unlock()
			res.Body = io.NopCloser(bytes.NewReader(body))
			return nil
		}
		server := httptest.NewServer(proxy)
		play(dial(t, Config{Name: "near", URL: server.URL}), t.Context(), ask())
		server.Close()
		archive := &txtar.Archive{Comment: []byte("As Ollama 0.9.6 answered with the demo model; see TestRecordings.\n")}
		for _, path := range []string{"/api/version", "/api/show", "/api/chat"} {
			for key, body := range said {
				if strings.HasSuffix(key, path) {
					if path == "/api/show" && bytes.Contains(body, []byte(`"tensors"`)) {
						body = slim(t, body)
					}
					archive.Files = append(archive.Files, txtar.File{Name: key, Data: body})
				}
			}
		}
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("testdata", name+".txtar"), txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// slim takes from an answer of /api/show what nobody reads and is long, or is
// of the machine that it was recorded on.
func slim(t *testing.T, body []byte) []byte {
	all, err := members(body)
	if err != nil {
		t.Fatal(err)
	}
	var kept []member
	for _, m := range all {
		switch m.name {
		case "tensors", "modelfile", "license", "modified_at", "details":
		default:
			kept = append(kept, m)
		}
	}
	return append(join(kept), '\n')
}
