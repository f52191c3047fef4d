package ollama

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ollama/ollama/api"

	"bendi/chat"
	"bendi/chat/chattest"
)

// apiTool is what the server reads a tool into.
type apiTool = api.Tool

// embedding answers /api/embed as the real one does: a text of as many tokens
// as bytes, without cutting.
func embedding(window int, asks *[]api.EmbedRequest) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req api.EmbedRequest
		json.NewDecoder(r.Body).Decode(&req)
		if asks != nil {
			*asks = append(*asks, req)
		}
		w.Header().Set("Content-Type", "application/json")
		var out api.EmbedResponse
		for _, in := range req.Input.([]any) {
			text := in.(string)
			if len(text) > window {
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, `{"error":"input length exceeds maximum context length"}`)
				return
			}
			out.Embeddings = append(out.Embeddings, []float32{float32(len(text)), 1, 0, 0})
			out.PromptEvalCount += len(text)
		}
		json.NewEncoder(w).Encode(out)
	}
}

const showEmbed = `{"model_info":{"general.architecture":"bert","bert.context_length":64,"bert.embedding_length":4},"capabilities":["embedding"]}`

func TestEmbed(t *testing.T) {
	var asks []api.EmbedRequest
	f := newFake()
	f.show = showEmbed
	f.other["/api/embed"] = embedding(64, nil)
	m := serve(t, f)
	chattest.EmbedderContract(t, m, func() *chat.EmbedRequest {
		return &chat.EmbedRequest{Model: "e", Inputs: []chat.Input{{Text: "猫"}, {Text: "a longer text"}}}
	})

	f.other["/api/embed"] = embedding(64, &asks)
	out, err := m.Embed(t.Context(), &chat.EmbedRequest{Model: "e", Inputs: []chat.Input{{Text: "a"}, {Text: strings.Repeat("x", 62)}, {Text: "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	if out.Usage.PromptTokens != 64 || len(asks) != 2 || asks[1].Truncate == nil || *asks[1].Truncate || asks[1].Options["num_ctx"] != 64.0 || asks[1].Options["num_batch"] != 64.0 {
		t.Errorf("usage %+v, asked %+v", out.Usage, asks)
	}

	for name, tt := range map[string]struct {
		req   chat.EmbedRequest
		param string
		code  string
	}{
		"too long":                        {chat.EmbedRequest{Inputs: []chat.Input{{Text: "a"}, {Text: strings.Repeat("x", 65)}}}, "input[1]", chat.CodeContextLength},
		"too long with its marks":         {chat.EmbedRequest{Inputs: []chat.Input{{Text: "a"}, {Text: strings.Repeat("x", 63)}}}, "input[1]", chat.CodeContextLength},
		"tokens":                          {chat.EmbedRequest{Inputs: []chat.Input{{Tokens: []int{1}}}}, "input[0]", chat.CodeUnsupported},
		"fewer dimensions":                {chat.EmbedRequest{Inputs: []chat.Input{{Text: "a"}}, Dimensions: 2}, "dimensions", chat.CodeUnsupported},
		"as many dimensions as there are": {chat.EmbedRequest{Inputs: []chat.Input{{Text: "a"}}, Dimensions: 4}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tt.req.Model = "e"
			_, err := m.Embed(t.Context(), &tt.req)
			e, _ := errors.AsType[*chat.Error](err)
			if (err == nil) != (tt.param == "") || err != nil && (e == nil || e.Param != tt.param || e.Code != tt.code) {
				t.Errorf("got %v, want %q", err, tt.param)
			}
		})
	}

	for name, body := range map[string]string{
		"too few":             `{"embeddings":[[1,0]],"prompt_eval_count":2}`,
		"of different length": `{"embeddings":[[1,0],[1]],"prompt_eval_count":2}`,
		"without a direction": `{"embeddings":[[0,0],[1,0]],"prompt_eval_count":2}`,
		"no JSON":             `<html>canary</html>`,
	} {
		t.Run(name, func(t *testing.T) {
			f.other["/api/embed"] = plainly(200, "application/json", body)
			_, err := m.Embed(t.Context(), &chat.EmbedRequest{Model: "e", Inputs: []chat.Input{{Text: "a"}, {Text: "b"}}})
			if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.BadBackend || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestModels(t *testing.T) {
	f := newFake()
	f.other["/api/tags"] = plainly(200, "application/json", `{"models":[
		{"name":"qwen3:8b","modified_at":"2026-01-02T03:04:05Z"},{"name":"tiny:latest","modified_at":"2026-01-02T03:04:06Z"},
		{"name":"gpt-oss:120b-cloud"},{"name":"far:latest","remote_host":"https://ollama.com"}]}`)
	f.other["/api/ps"] = plainly(200, "application/json", `{"models":[{"name":"tiny:latest"}]}`)
	m := serve(t, f)
	if got := m.Models(); len(got) != 0 {
		t.Errorf("before anything is known: %+v", got)
	}
	if err := m.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := "[{qwen3:8b 1767323045 local 2048 unloaded} {tiny:latest 1767323046 local 2048 loaded}]"
	if got := fmt.Sprint(m.Models()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	m = serve(t, f, func(c *Config) {
		c.Models = []Offer{{ID: "small", Model: "tiny", Context: 512}, {Model: "gone"}}
	})
	if got := fmt.Sprint(m.Models()); got != "[{small 0 local 512 } {gone 0 local 0 }]" {
		t.Errorf("as configured: %s", got)
	}
	if err := m.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(m.Models()); got != "[{small 1767323046 local 512 loaded} {gone 0 local 0 failed}]" {
		t.Errorf("got %s", got)
	}

	for _, name := range []string{"tiny", "", "small "} {
		req := ask()
		req.Model = name
		_, err := chattest.Collect(m.Chat(t.Context(), req), 1)
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Code != chat.CodeModelNotFound {
			t.Errorf("%q: got %v", name, err)
		}
	}
	for _, name := range []string{"x:cloud", "gpt-oss:120b-cloud"} {
		req := ask()
		req.Model = name
		_, err := chattest.Collect(serve(t, f).Chat(t.Context(), req), 1)
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Forbidden {
			t.Errorf("%q: got %v", name, err)
		}
	}
	if len(f.asks) != 0 {
		t.Errorf("asked %d times", len(f.asks))
	}
}

func TestProbe(t *testing.T) {
	var paths []string
	f := newFake()
	m := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.Method+" "+r.URL.Path)
		f.ServeHTTP(w, r)
	}))
	if err := m.Probe(t.Context()); err != nil || fmt.Sprint(paths) != "[GET /api/version]" {
		t.Errorf("%v after %v", err, paths)
	}
	if err := serve(t, plainly(200, "application/json", `{}`)).Probe(t.Context()); err == nil {
		t.Error("another server passes for Ollama")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("too late")
	cancel(cause)
	if err := m.Probe(ctx); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

func TestPull(t *testing.T) {
	steps := []string{
		`{"status":"pulling manifest"}`,
		`{"status":"pulling a","digest":"sha256:a","total":100,"completed":40}`,
		`{"status":"pulling b","digest":"sha256:b","total":10}`,
		`{"status":"pulling a","digest":"sha256:a","total":100,"completed":100}`,
		`{"status":"success"}`,
	}
	f := newFake()
	f.other["/api/pull"] = ndjson(steps...)
	var got []Progress
	if err := serve(t, f).Pull(t.Context(), "qwen3:8b", func(p Progress) { got = append(got, p) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 5 || got[2] != (Progress{"pulling b", "sha256:b", 0, 10, 40, 110}) || got[4] != (Progress{"success", "", 0, 0, 100, 110}) {
		t.Errorf("got %+v", got)
	}

	t.Run("broken off", func(t *testing.T) {
		f.other["/api/pull"] = ndjson(steps[:4]...)
		err := serve(t, f).Pull(t.Context(), "qwen3:8b", nil)
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.BadBackend || !strings.Contains(e.Msg, "pull it again") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no such model", func(t *testing.T) {
		f.other["/api/pull"] = ndjson(steps[0], `{"error":"pull model manifest: file does not exist"}`)
		err := serve(t, f).Pull(t.Context(), "qwen3:8b", nil)
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.NotFound {
			t.Errorf("got %v", err)
		}
	})
	t.Run("given up", func(t *testing.T) {
		gone, cause := make(chan struct{}, 1), errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		f.other["/api/pull"] = func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/x-ndjson")
			io.WriteString(w, steps[0]+"\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			gone <- struct{}{}
		}
		if err := serve(t, f).Pull(ctx, "qwen3:8b", func(Progress) { cancel(cause) }); !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
		select {
		case <-gone:
		case <-time.After(time.Second):
			t.Error("the server still pulls, after 1 s")
		}
	})
	for name, fine := range map[string]bool{
		"qwen3": true, "qwen3:8b": true, "hf.co/a/b:Q4_K_M": true, "modelscope.cn/a/b": true,
		"": false, "a b": false, "http://hf.co/a/b": false, "127.0.0.1/a/b": false, "169.254.169.254/a/b": false, "localhost/a/b": false,
		"2130706433/a/b": false, "0x7f.1/a/b": false, "registry.local/a/b": false, "hf.co:8443/a/b": false, "x:cloud": false, "[::1]/a/b": false,
	} {
		if err := pullable(name); (err == nil) != fine {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, tt := range map[string]struct {
		c    Config
		keys string
	}{
		"nothing":                    {Config{}, ""},
		"all":                        {Config{URL: "https://llm.example:11434/ollama", Key: "k", Context: 8192, KeepAlive: new(-time.Second), Models: []Offer{{ID: "a", Model: "qwen3:8b", Context: 64}, {Model: "x/y:z"}}}, ""},
		"a URL of OpenAI's protocol": {Config{URL: "http://127.0.0.1:11434/v1"}, "url"},
		"no URL":                     {Config{URL: "127.0.0.1:11434"}, "url"},
		"a key in it":                {Config{URL: "http://canary@x"}, "url"},
		"the internet":               {Config{URL: "https://ollama.com"}, "url"},
		"a socket":                   {Config{Socket: "s"}, "socket"},
		"a long socket":              {Config{Socket: "/" + strings.Repeat("s", 103)}, "socket"},
		"everything": {Config{URL: "x", Context: 1, IdleTimeout: -1, MaxConns: -1, Models: []Offer{{}, {ID: "a", Model: "a b"}, {ID: "a", Model: "b", Context: 1 << 30}, {Model: "x:cloud"}}},
			"url models[0].model models[1].model models[2].id models[2].context models[3].model context idle_timeout max_conns"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.c.Validate()
			var keys []string
			if err != nil {
				for line := range strings.Lines(err.Error()) {
					key, _, _ := strings.Cut(line, ": ")
					keys = append(keys, key)
				}
				if strings.Contains(err.Error(), "canary") {
					t.Errorf("the error shows the key: %v", err)
				}
			}
			if got := strings.Join(keys, " "); got != tt.keys {
				t.Errorf("got %q, want %q: %v", got, tt.keys, err)
			}
			if _, again := New(tt.c); (again == nil) != (err == nil) {
				t.Errorf("New: %v", again)
			}
		})
	}
}

// The environment decides nothing, and a key goes to the server alone.
func TestTheEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("OLLAMA_HOST", "127.0.0.1:1")
	t.Setenv("OLLAMA_AUTH", "1")
	var keys []string
	f := newFake()
	m := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Authorization"))
		f.ServeHTTP(w, r)
	}), func(c *Config) { c.Key = "k" })
	if err := m.Probe(t.Context()); err != nil || fmt.Sprint(keys) != "[Bearer k]" {
		t.Errorf("%v with %q", err, keys)
	}
	if m.client.Transport.(*http.Transport).Proxy != nil {
		t.Error("there is a proxy that nobody asked for")
	}
}
