package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bendi/config"
	"bendi/models"
)

// A mirror is an upstream that says which version of the configuration it was
// asked by: the header's, and the model's.
func mirror(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Model    string
			Messages []struct{ Content string }
		}
		if json.NewDecoder(r.Body).Decode(&req) != nil || len(req.Messages) == 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		send := func(text, finish string) {
			fmt.Fprintf(w, "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":%s}]}\n\n", text, finish)
			w.(http.Flusher).Flush()
		}
		send("<header "+r.Header.Get("X-Version")+">", "null")
		if pieces, slow := strings.CutPrefix(req.Messages[0].Content, "slowly "); slow {
			n, _ := strconv.Atoi(pieces)
			for range n {
				send(".", "null")
				time.Sleep(10 * time.Millisecond)
			}
		}
		send("<model "+req.Model+">", "null")
		send("", `"stop"`)
		io.WriteString(w, "data: {\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(s.Close)
	return s
}

const loadKey, otherKey = "key-of-the-load-0123456789", "key-of-another-0123456789"

// versioned is a configuration which says its version in three places. What is
// in more comes at its end.
func versioned(upstream string, v int, more string) string {
	return fmt.Sprintf(`access:
  keys: [{name: load, key: "${LOAD_KEY}", admin: true}]
models:
  here: {path: here.gguf, context: 2048}
lexicons: []
routes:
  - {path: /v1/chat, models: [{id: chat, tiers: [[up/m]]}]}
backends:
  up: {url: "%s/v1", zone: inside, headers: {X-Version: "${V%d}"}, models: {m: "%d"}, probe: "off"}
filters:
  default:
    label: {text: "AI生成<label %d>", position: end}
%s`, upstream, v, v, v, more)
}

// A household is an estate that a test writes the configuration of.
type household struct {
	*estate
	file   string
	log    *lockedText
	server *httptest.Server
}

// waits returns how many houses have guests, or had.
func (h *household) waits() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.guests)
}

// len returns how many things there are.
func (s *stock[D, T]) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.items)
}

func (h *household) write(t *testing.T, text string) {
	t.Helper()
	next := h.file + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, h.file); err != nil {
		t.Fatal(err)
	}
}

func newHousehold(t *testing.T, text string) *household {
	t.Helper()
	h := &household{file: filepath.Join(t.TempDir(), "bendi.yaml"), log: new(lockedText)}
	h.write(t, text)
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	src := &source{options: config.Options{File: h.file, Home: t.TempDir(), LookupEnv: func(name string) (string, bool) {
		switch {
		case name == "LOAD_KEY":
			return loadKey, true
		case name == "OTHER_KEY":
			return otherKey, true
		case regexp.MustCompile(`^V\d+$`).MatchString(name):
			return name[1:], true
		}
		return "", false
	}}}
	cfg, _, err := src.read()
	if err != nil {
		t.Fatal(err)
	}
	level := new(slog.LevelVar)
	h.estate = newEstate(newGround(models.Home{Dir: t.TempDir()}, newLog("text", level, h.log)), src, level)
	if err := h.found(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	h.server = httptest.NewServer(h)
	t.Cleanup(func() {
		h.server.Close()
		h.estate.close()
	})
	return h
}

var marks = regexp.MustCompile(`<(header|model|label) (\d+)>`)

// ask asks for a streamed answer, which has to be whole. It returns its status,
// and the versions in it.
func (h *household) ask(path, key, words string) (status int, versions []int, err error) {
	body, _ := json.Marshal(map[string]any{"stream": true, "messages": []any{map[string]any{"role": "user", "content": words}}})
	req, err := http.NewRequest(http.MethodPost, h.server.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := h.server.Client().Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, nil, fmt.Errorf("%s: %s", resp.Status, text)
	}
	var text strings.Builder
	done := false
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if done = done || data == "[DONE]"; !ok || done {
			continue
		}
		var chunk struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil || strings.HasPrefix(data, `{"error"`) {
			return resp.StatusCode, nil, fmt.Errorf("the stream has %s (%v)", data, err)
		}
		for _, c := range chunk.Choices {
			text.WriteString(c.Delta.Content)
		}
	}
	for _, m := range marks.FindAllStringSubmatch(text.String(), -1) {
		v, _ := strconv.Atoi(m[2])
		versions = append(versions, v)
	}
	if !done || len(versions) < 2 {
		return resp.StatusCode, versions, fmt.Errorf("the answer is cut short: %q", text.String())
	}
	return resp.StatusCode, versions, nil
}

// A mutation of a configuration: what becomes of its text, and whether that can
// be put in force. Where nobody knows, it is about being one or the other.
type mutation struct {
	name   string
	may    string // "yes", "no", "perhaps"
	change func(luck *rand.Rand, text string) string
}

var mutations = []mutation{
	{"a new version", "yes", func(_ *rand.Rand, text string) string { return text }},
	{"one more route", "yes", func(_ *rand.Rand, text string) string {
		return strings.Replace(text, "backends:", "  - {path: /v1/more, models: [up/m], filter: default}\nbackends:", 1)
	}},
	{"one more key", "yes", func(_ *rand.Rand, text string) string {
		return strings.Replace(text, "keys: [", `keys: [{name: other, key: "${OTHER_KEY}"}, `, 1)
	}},
	{"one more backend", "yes", func(luck *rand.Rand, text string) string {
		return strings.Replace(text, "filters:", fmt.Sprintf("  b%d: {url: \"http://127.0.0.1:1/v1\", zone: inside, models: {x: {}}}\nfilters:", luck.IntN(100)), 1)
	}},
	{"another limit", "yes", func(luck *rand.Rand, text string) string {
		return text + fmt.Sprintf("server: {max_body: %dKiB, keep_alive: %ds}\n", 100+luck.IntN(1000), 5+luck.IntN(20))
	}},
	{"another log level", "yes", func(_ *rand.Rand, text string) string { return text + "log: {level: warn}\n" }},
	{"a privacy rule", "yes", func(_ *rand.Rand, text string) string { return text + "    privacy: {phone: mask}\n" }},
	{"an unknown key", "no", func(_ *rand.Rand, text string) string { return text + "bogus: true\n" }},
	{"no YAML", "no", func(_ *rand.Rand, text string) string { return text + "  - }{\n" }},
	{"a model that is not there", "no", func(_ *rand.Rand, text string) string {
		return strings.Replace(text, "models: [{id: chat", "models: [here, {id: chat", 1)
	}},
	{"a lexicon that is not there", "no", func(_ *rand.Rand, text string) string {
		return strings.Replace(text, "lexicons: []", "lexicons: [{path: nowhere.txt}]", 1)
	}},
	{"a target that is not there", "no", func(_ *rand.Rand, text string) string { return strings.Replace(text, "up/m", "up/n", 1) }},
	{"a secret that is not there", "no", func(_ *rand.Rand, text string) string { return strings.Replace(text, "${LOAD_KEY}", "${NO_KEY}", 1) }},
	{"a certificate that is not there", "no", func(_ *rand.Rand, text string) string {
		return strings.Replace(text, "probe: ", "ca_file: nowhere.pem, probe: ", 1)
	}},
	{"a part of the file", "perhaps", func(luck *rand.Rand, text string) string {
		least := strings.Index(text, "models:")
		return text[:least+luck.IntN(len(text)-least)]
	}},
	{"a byte that is another", "perhaps", func(luck *rand.Rand, text string) string {
		b := []byte(text)
		b[strings.Index(text, "filters:")+luck.IntN(len(text)-strings.Index(text, "filters:"))] = byte(32 + luck.IntN(95))
		return string(b)
	}},
}

// Whatever becomes of the configuration while requests are answered, none is
// lost, each is answered by one configuration from beginning to end, which was
// in force when it came or came into force meanwhile, and nothing is left of
// those that were.
func TestReloadUnderLoad(t *testing.T) {
	const rounds = 200
	upstream := mirror(t)
	h := newHousehold(t, versioned(upstream.URL, 0, ""))
	if _, _, err := h.ask("/v1/chat", loadKey, "hello"); err != nil {
		t.Fatal(err)
	}
	before, files := runtime.NumGoroutine(), openFiles(t)

	var inForce, offered, answers atomic.Int64
	var load sync.WaitGroup
	stop := make(chan struct{})
	for i := range 6 {
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				words, least := "hello", inForce.Load()
				if i == 0 {
					words = "slowly 50"
				}
				_, versions, err := h.ask("/v1/chat", loadKey, words)
				most := offered.Load()
				if err != nil {
					t.Errorf("request %d of client %d: %v", n, i, err)
					return
				}
				if answers.Add(1); len(slices.Compact(slices.Clone(versions))) != 1 || int64(versions[0]) < least || int64(versions[0]) > most {
					t.Errorf("an answer is of the versions %d, and %d to %d were in force", versions, least, most)
				}
			}
		})
	}

	luck := rand.New(rand.NewPCG(7, 11))
	taken, refused := 0, 0
	for v := 1; v <= rounds && !t.Failed(); v++ {
		m := mutations[luck.IntN(len(mutations))]
		text := m.change(luck, versioned(upstream.URL, v, ""))
		h.write(t, text)
		was := h.current()
		offered.Store(int64(v))
		r, err := h.reload(t.Context())
		switch {
		case err != nil && m.may == "yes", err == nil && m.may == "no":
			t.Errorf("round %d, %s: %+v, %v", v, m.name, r, err)
		case err != nil && h.current() != was:
			t.Errorf("round %d, %s: it was refused, and something else is in force", v, m.name)
		case err != nil:
			refused++
		case m.may == "yes" && (h.current() == was || len(r.Changes) == 0):
			t.Errorf("round %d, %s: nothing has changed", v, m.name)
		case m.may == "yes":
			inForce.Store(int64(v))
			taken++
		}
	}
	close(stop)
	load.Wait()
	t.Logf("%d answers while %d configurations were taken and %d refused", answers.Load(), taken, refused)
	if taken < rounds/4 || refused < rounds/4 {
		t.Errorf("%d were taken and %d refused of %d: too few to tell", taken, refused, rounds)
	}

	h.write(t, versioned(upstream.URL, 0, ""))
	if _, err := h.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.server.Client().CloseIdleConnections()
	eventually(t, "what is left of other configurations ends", func() bool {
		return h.waits() <= 1 && h.about.servers.len() == 1 && h.about.backends.len() == 1 && runtime.NumGoroutine() <= before+3 && openFiles(t) <= files+3
	}, func() string {
		return fmt.Sprintf("servers %d, backends %d, want one of each; goroutines %d, were %d; files %d, were %d",
			h.about.servers.len(), h.about.backends.len(), runtime.NumGoroutine(), before, openFiles(t), files)
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(all)
}

func eventually(t *testing.T, what string, ok func() bool, else_ func() string) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("%s: not within 20 s: %s", what, else_())
		}
	}
}

// An answer goes on by the configuration that it began with. A key that is taken
// away is refused from then on, and what runs by it ends or not, as is said.
func TestReloadWhileAnswering(t *testing.T) {
	for _, policy := range []string{"cut", "finish"} {
		t.Run(policy, func(t *testing.T) { reloadWhileAnswering(t, policy) })
	}
}

func reloadWhileAnswering(t *testing.T, policy string) {
	upstream := mirror(t)
	with := func(v int, key string) string {
		return strings.Replace(versioned(upstream.URL, v, ""), "  keys: [", "  on_revoke: "+policy+"\n  keys: ["+key, 1)
	}
	h := newHousehold(t, with(1, `{name: other, key: "${OTHER_KEY}"}, `))
	first := h.current()
	type end struct {
		versions []int
		err      error
	}
	answer := func(key string) chan end {
		ended := make(chan end, 1)
		go func() {
			_, versions, err := h.ask("/v1/chat", key, "slowly 100")
			ended <- end{versions, err}
		}()
		return ended
	}
	other, load := answer(otherKey), answer(loadKey)
	eventually(t, "the requests come", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.guests[first] == 2 }, func() string { return "" })

	h.write(t, with(2, ""))
	r, err := h.reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(r.Changes), "[backend up changed filter default changed key other removed]"; got != want {
		t.Errorf("changes: %s, want %s", got, want)
	}
	if status, _, _ := h.ask("/v1/chat", otherKey, "hello"); status != http.StatusUnauthorized {
		t.Errorf("a key that was taken away: %d", status)
	}
	if _, versions, err := h.ask("/v1/chat", loadKey, "hello"); err != nil || !slices.Equal(versions, []int{2, 2, 2}) {
		t.Errorf("a new request: %v, %v", versions, err)
	}
	whole := func(e end) bool { return e.err == nil && slices.Equal(e.versions, []int{1, 1, 1}) }
	if e := <-load; !whole(e) {
		t.Errorf("the answer that had begun: %v, %v", e.versions, e.err)
	}
	switch e := <-other; {
	case policy == "finish" && !whole(e):
		t.Errorf("what had begun by the key that was taken away: %v, %v", e.versions, e.err)
	case policy == "cut" && (e.err == nil || !strings.Contains(e.err.Error(), "revoked_api_key")):
		t.Errorf("what ran by the key that was taken away goes on: %v, %v", e.versions, e.err)
	}
}

// The operator's address goes by its own name beside those of the server, and the
// server does not.
func TestNameOfTheOperatorsAddress(t *testing.T) {
	h := newHousehold(t, versioned(mirror(t).URL, 1, "server: {hosts: [api.example], admin_listen: \"box.lan:8081\"}"))
	for _, tt := range []struct {
		host  string
		serve http.HandlerFunc
		want  int
	}{
		{"box.lan:8081", h.serveOperator, 200}, {"api.example", h.serveOperator, 200}, {"evil.example", h.serveOperator, 421},
		{"box.lan:8081", h.ServeHTTP, 421}, {"api.example", h.ServeHTTP, 200},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil)
		req.Host = tt.host
		rec := httptest.NewRecorder()
		tt.serve(rec, req)
		if rec.Code != tt.want {
			t.Errorf("%s: %d, want %d", tt.host, rec.Code, tt.want)
		}
	}
}

// A hundred streams go on through reloads in quick succession, asked for from
// several sides at once.
func TestStreamsOutliveReloads(t *testing.T) {
	upstream := mirror(t)
	h := newHousehold(t, versioned(upstream.URL, 1, ""))
	var streams, reloads sync.WaitGroup
	for range 100 {
		streams.Go(func() {
			_, versions, err := h.ask("/v1/chat", loadKey, "slowly 100")
			if err != nil || len(versions) != 3 || len(slices.Compact(versions)) != 1 {
				t.Errorf("a stream: %v, %v", versions, err)
			}
		})
	}
	for v := 2; v <= 12; v++ {
		h.write(t, versioned(upstream.URL, v, ""))
		for range 3 {
			reloads.Go(func() {
				if _, err := h.reload(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(50 * time.Millisecond)
	}
	reloads.Wait()
	streams.Wait()
	if _, versions, err := h.ask("/v1/chat", loadKey, "hello"); err != nil || !slices.Equal(versions, []int{12, 12, 12}) {
		t.Errorf("at the end: %v, %v", versions, err)
	}
}

// What has not changed keeps what was learnt about it.
func TestReloadKeepsWhatHasNotChanged(t *testing.T) {
	upstream := mirror(t)
	h := newHousehold(t, versioned(upstream.URL, 1, ""))
	was := h.current()
	h.write(t, versioned(upstream.URL, 1, "server: {keep_alive: 9s}\n"))
	r, err := h.reload(t.Context())
	if err != nil || fmt.Sprint(r.Changes) != "[setting server.keep_alive changed]" {
		t.Fatalf("%+v, %v", r, err)
	}
	now := h.current()
	if was.around.known["up/m"] == nil || was.around.known["up/m"] != now.around.known["up/m"] || was.around.servers["up"] != now.around.servers["up"] {
		t.Error("the backend is another, and so are its breaker and its connections")
	}
	h.write(t, strings.Replace(versioned(upstream.URL, 1, ""), "probe:", "weight: 3, probe:", 1))
	if _, err := h.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if next := h.current(); next.around.known["up/m"] == now.around.known["up/m"] || next.around.servers["up"] != now.around.servers["up"] {
		t.Error("with another weight the backend is the same, or the connections are others")
	}
	if r, err := h.reload(t.Context()); err != nil || len(r.Changes) != 0 || r.Changes == nil {
		t.Errorf("nothing has changed: %+v, %v", r, err)
	}
}

// What a running server keeps is told by name, and counts when the rest is
// judged: one that other machines reach and that loses its last key lets nobody in.
func TestReloadKeepsTheAddress(t *testing.T) {
	upstream := mirror(t)
	h := newHousehold(t, "listen: 0.0.0.0:8080\n"+versioned(upstream.URL, 1, ""))
	more := "listen: 127.0.0.1:9090\ndata: elsewhere\nlog: {format: json, level: debug}\n"
	h.write(t, more+versioned(upstream.URL, 2, ""))
	r, err := h.reload(t.Context())
	if err != nil || !slices.Equal(r.Restart, []string{"listen", "data", "log.format"}) {
		t.Fatalf("%+v, %v", r, err)
	}
	if h.level.Level() != slog.LevelDebug || h.current().cfg.Listen != "0.0.0.0:8080" {
		t.Errorf("the level is %v, the address %s", h.level.Level(), h.current().cfg.Listen)
	}
	h.write(t, more+strings.Replace(versioned(upstream.URL, 3, ""), `{name: load, key: "${LOAD_KEY}", admin: true}`, "", 1))
	if _, err = h.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	door := h.current().door
	if who, err := door.Check(t.Context(), ""); !door.Needed() || err == nil {
		t.Errorf("without a key: open to %+v", who)
	}
}

// Files that change are noticed: the configuration, and what it names.
func TestReloadByItself(t *testing.T) {
	upstream := mirror(t)
	h := newHousehold(t, versioned(upstream.URL, 1, ""))
	dir := filepath.Dir(h.file)
	ctx, cancel := context.WithCancel(t.Context())
	ask := make(chan os.Signal, 1)
	h.every = 20 * time.Millisecond
	var watched sync.WaitGroup
	watched.Go(func() { h.watch(ctx, ask) })
	defer watched.Wait()
	defer cancel()
	wait := func(what string, words ...string) {
		t.Helper()
		eventually(t, what, func() bool {
			return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(h.log.String(), w) })
		}, h.log.String)
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	put("secret", otherKey)
	keyed := strings.Replace(versioned(upstream.URL, 1, ""), "keys: [", "keys: [{name: filed, key_file: secret}, ", 1)
	h.write(t, keyed)
	wait("a changed file", `changes="key filed added"`)
	put("secret", otherKey+"-2")
	wait("a changed key", `changes="key filed changed"`)
	if status, _, _ := h.ask("/v1/chat", otherKey, "hello"); status != http.StatusUnauthorized {
		t.Errorf("the key that was replaced: %d", status)
	}
	put("words.yaml", "name: shop\nwords: {\n")
	h.write(t, strings.Replace(keyed, "lexicons: []", "lexicons: [{path: words.yaml}]", 1))
	wait("a fault", "was not taken; everything stays as it is", "words.yaml:")
	put("words.yaml", shopWords)
	wait("a lexicon that is mended", `changes="lexicons changed"`)
	if err := os.Truncate(h.file, 0); err != nil {
		t.Fatal(err)
	}
	wait("a file that is empty", "bendi.yaml is empty: fill it")
	if err := os.Remove(h.file); err != nil {
		t.Fatal(err)
	}
	wait("a file that is gone", "bendi.yaml is gone: put it back")
	h.write(t, keyed)
	ask <- os.Interrupt
	eventually(t, "a signal", func() bool { return strings.Count(h.log.String(), `changes="lexicons changed"`) == 2 }, h.log.String)
}

// The operator asks for a reload, and hears what came of it.
func TestReloadAction(t *testing.T) {
	upstream := mirror(t)
	h := newHousehold(t, versioned(upstream.URL, 1, ""))
	t.Setenv("BENDI_API_KEY", loadKey)
	run := func() (string, error) {
		p, stdout := english()
		cmd := p.reloadCommand()
		cmd.SetArgs([]string{"--server", h.server.URL})
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		err := cmd.Execute()
		return stdout.String(), err
	}
	if out, err := run(); err != nil || out != "nothing has changed\n" {
		t.Errorf("%q, %v", out, err)
	}
	h.write(t, versioned(upstream.URL, 2, "listen: 127.0.0.1:1\n"))
	if out, err := run(); err != nil || out != "backend up changed\nfilter default changed\nneeds a restart, and stays as it was: listen\n" {
		t.Errorf("%q, %v", out, err)
	}
	h.write(t, versioned(upstream.URL, 3, "bogus: 1\n"))
	_, err := run()
	if exit, ok := errors.AsType[exitError](err); !ok || exit.code != exitUsage || !strings.Contains(err.Error(), "400 Bad Request") || !strings.Contains(err.Error(), "bogus: unknown key") {
		t.Errorf("a wrong configuration: %v", err)
	}
	h.write(t, strings.Replace(versioned(upstream.URL, 3, ""), "models: [{id: chat", "models: [here, {id: chat", 1))
	if _, err = run(); err == nil || !strings.Contains(err.Error(), "409 Conflict") || !strings.Contains(err.Error(), "there is no file") {
		t.Errorf("a model that is not there: %v", err)
	}
	t.Setenv("BENDI_API_KEY", "somebody-elses-0123456789")
	if _, err = run(); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without a key: %v", err)
	}
}
