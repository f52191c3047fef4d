package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Words that must be nowhere but where they are meant for.
const (
	canaryKey     = "sk-canary-client-0123456789abcdef"
	canaryAdmin   = "sk-canary-admin-0123456789abcdef"
	canaryBackend = "sk-canary-backend-0123456789"
	canaryPrompt  = "canary-prompt-鹦鹉"
	canaryAnswer  = "canary-answer-鹦鹉"
	canarySession = "canary-session"
)

// Every request is one record, whatever came of it, and no secret nor a word of
// anybody is in a record, the log, the metrics, or an error.
func TestAudit(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), "fail 500"):
			http.Error(w, fmt.Sprintf(`{"error":{"message":%q,"type":"server_error","code":null}}`, canaryAnswer+canaryBackend), 500)
		case strings.Contains(string(body), "fail 401"):
			http.Error(w, fmt.Sprintf(`{"error":{"message":"Incorrect API key: %s","code":"invalid_api_key"}}`, canaryBackend), http.StatusUnauthorized)
		case strings.Contains(string(body), "break off"):
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", canaryAnswer)
		default:
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":\"stop\"}]}\n\n", canaryAnswer)
			io.WriteString(w, "data: {\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\ndata: [DONE]\n\n")
		}
	}))
	t.Cleanup(upstream.Close)
	data := t.TempDir()
	config := writeFile(t, "bendi.yaml", fmt.Sprintf(`
data: %q
log: {level: debug}
server: {max_body: 20KiB}
models:
  bendi-demo: {path: %q, context: 2048, slots: 2, threads: 1}
backends:
  cloud: {url: %q, zone: outside, key: "${CANARY_BACKEND}", models: {large: {}}, breaker: {failures: 100}}
routes:
  - path: /v1/chat
    models: [bendi-demo, cloud/large]
    egress: masked
access:
  keys:
    - {name: shop, key: "${CANARY_KEY}"}
    - {name: boss, key: "${CANARY_ADMIN}", admin: true}
ledger: {when_full: block, sync: each, prices: {cloud/large: {prompt: 1000, completion: 2000}}}
`, data, demo(t, demoModel), upstream.URL+"/v1"))
	cmd := bendiIn(t, t.TempDir(), "serve", "--listen", "127.0.0.1:0", "--config", config)
	cmd.Env = append(cmd.Env, "CANARY_BACKEND="+canaryBackend, "CANARY_KEY="+canaryKey, "CANARY_ADMIN="+canaryAdmin)
	s := started(t, cmd)
	s.ready(t)

	var errors strings.Builder
	ask := func(method, path, key, body string, want int) {
		t.Helper()
		status, header, text := s.do(t, method, path, key, "", body)
		if status != want {
			t.Errorf("%s %s: status %d, want %d: %s", method, path, status, want, text)
		}
		if status != http.StatusOK {
			errors.WriteString(text)
			fmt.Fprintln(&errors, header)
		}
	}
	chat := func(model, words string) string {
		return fmt.Sprintf(`{"model":%q,"max_tokens":2,"session_id":%q,"messages":[{"role":"user","content":%q}]}`, model, canarySession, words+canaryPrompt)
	}
	asked := 0
	for _, tt := range []struct {
		method, path, key, body string
		want                    int
	}{
		{"POST", "/v1/chat", canaryKey, chat("cloud/large", "hello"), 200},
		{"POST", "/v1/chat", canaryKey, chat("bendi-demo", "hello"), 200},
		{"POST", "/v1/chat", canaryKey, chat("cloud/large", "fail 500"), 502},
		{"POST", "/v1/chat", canaryKey, chat("cloud/large", "fail 401"), 502},
		{"POST", "/v1/chat", canaryKey, chat("cloud/large", "break off"), 502},
		{"POST", "/v1/chat", "", chat("", ""), 401},
		{"POST", "/v1/chat", canaryPromptKey, chat("", ""), 401},
		{"POST", "/v1/chat", canaryKey, canaryPrompt, 400},
		{"POST", "/v1/chat", canaryKey, `{"` + canaryPrompt + `":1,"messages":"` + canaryPrompt + `"}`, 400},
		{"POST", "/v1/chat", canaryKey, chat(canaryPrompt, ""), 404},
		{"POST", "/v1/chat", canaryKey, chat("bendi-demo", strings.Repeat("词", 9000)), 413},
		{"POST", "/v1/chat", canaryKey, chat("bendi-demo", strings.Repeat("词", 3000)), 400},
		{"GET", "/" + canaryAnswer, canaryKey, "", 404},
		{"POST", "/v1/embeddings", canaryKey, `{"model":"cloud/large","input":"` + canaryPrompt + `"}`, 502},
		{"POST", "/v1/moderations", canaryKey, `{"input":"` + canaryPrompt + `"}`, 200},
		{"GET", "/v1/models", canaryKey, "", 200},
		{"GET", "/v1/sessions", canaryKey, "", 200},
		{"POST", "/admin/reload", canaryKey, "{}", 403},
		{"POST", "/admin/reload", canaryAdmin, "{}", 200},
		{"GET", "/metrics", "", "", 401},
		{"GET", "/admin/usage?by=colour", canaryAdmin, "", 400},
		{"GET", "/admin/usage?by=key&format=csv", canaryAdmin, "", 200},
	} {
		asked++
		ask(tt.method, tt.path, tt.key, tt.body, tt.want)
	}
	_, _, page := s.do(t, http.MethodGet, "/metrics", canaryAdmin, "", "")
	if !strings.Contains(page, "bendi_ledger_failing 0") || !strings.Contains(page, "bendi_ledger_lost_total 0") {
		t.Errorf("the metrics do not tell of the ledger")
	}

	type record struct {
		Key, Operation, Model, Zone, Outcome, Code, Lexicons string
		Status                                               int
		Prompt                                               int `json:"prompt_tokens"`
		Sent                                                 []struct{ Backend, Zone, SHA256 string }
	}
	var records []record
	eventually(t, 10*time.Second, "all records", func() bool {
		r := run(t, "", "audit", "query", "-o", "json", "--config", config0(t, data))
		return r.code == 0 && json.Unmarshal([]byte(r.stdout), &records) == nil && len(records) >= asked
	})
	if len(records) != asked {
		t.Errorf("%d records of %d requests", len(records), asked)
	}
	if r := records[0]; r.Key != "shop" || r.Operation != "chat" || r.Zone != "outside" || r.Outcome != "success" || r.Prompt != 3 || r.Lexicons == "" ||
		len(r.Sent) != 1 || r.Sent[0].Zone != "outside" || len(r.Sent[0].SHA256) != 64 {
		t.Errorf("the first record is %+v", r)
	}
	if r := records[1]; r.Zone != "inside" || len(r.Sent) != 0 {
		t.Errorf("the second record is %+v", r)
	}
	if i := slices.IndexFunc(records, func(r record) bool { return r.Operation == "admin/reload" && r.Key == "boss" }); i < 0 {
		t.Error("there is no record of the reload")
	}
	run(t, "", "audit", "verify", "--config", config0(t, data)).want(t, 0, "whole: ", "head ")
	run(t, "", "usage", "--by", "key,model", "--config", config0(t, data)).want(t, 0, "shop", "cloud/large")
	s.signal(t, syscall.SIGTERM)
	s.exit(t, 30*time.Second)

	seen := map[string]string{"the log": s.stderr.String() + s.stdout.String(), "the metrics": page, "error bodies": errors.String()}
	files, _ := filepath.Glob(filepath.Join(data, "ledger", "*"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		seen[file] = string(text)
	}
	for where, text := range seen {
		for _, canary := range []string{canaryKey, canaryAdmin, canaryBackend, canaryPrompt, canaryAnswer, canarySession, canaryPromptKey} {
			if where == "the log" && canary == canaryAnswer {
				text = strings.ReplaceAll(text, "path=/"+canaryAnswer, "") // the path that was asked for
			}
			if where == "error bodies" && (canary == canaryPrompt || canary == canaryAnswer) {
				continue // clients may be told their own words, and what a backend says to them
			}
			if i := strings.Index(text, canary); i >= 0 {
				t.Errorf("%q is in %s: ...%s...", canary, where, text[max(0, i-200):min(len(text), i+100)])
			}
		}
	}

	// One byte of a record is changed.
	file := files[slices.IndexFunc(files, func(f string) bool { return strings.HasSuffix(f, ".jsonl") })]
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text[strings.Index(string(text), `"shop"`)+1] = 'S'
	os.WriteFile(file, text, 0o600)
	run(t, "", "audit", "verify", "--config", config0(t, data)).want(t, 3, filepath.Base(file)+":2: its hash is not that of its text", "NOT WHOLE")
}

// Words are kept of the routes that are named, as the filter let them pass, in
// files that nobody else can read, and nowhere else; the ledger is whole without.
func TestWordsAreKeptWhereWanted(t *testing.T) {
	data := t.TempDir()
	file := writeFile(t, "bendi.yaml", fmt.Sprintf(`
data: %q
models:
  bendi-demo: {path: %q, context: 2048, slots: 2, threads: 1}
routes:
  - {path: /v1/chat, models: [bendi-demo]}
  - {path: /v1/other, models: [bendi-demo]}
filters: {default: {privacy: {phone: mask, id_card: block}}}
ledger: {text: {routes: [/v1/chat]}}
`, data, demo(t, demoModel)))
	s := started(t, bendiIn(t, t.TempDir(), "serve", "--listen", "127.0.0.1:0", "--config", file))
	s.ready(t)
	if out := s.stdout.String(); !strings.Contains(out, "warning  the words of requests and answers of /v1/chat are kept in "+filepath.Join(data, "ledger-text")) {
		t.Errorf("it does not say that words are kept%v", s)
	}
	ids := make(map[string]string)
	for name, tt := range map[string]struct {
		path, words string
		want        int
	}{
		"kept":    {"/v1/chat", canaryPrompt + " 13800138000", 200},
		"refused": {"/v1/chat", canarySession + " 身份证110101199003070011", 400},
		"other":   {"/v1/other", canaryAnswer, 200},
	} {
		status, header, body := s.do(t, http.MethodPost, tt.path, "", "", question(tt.words, `"max_tokens":3`))
		if status != tt.want {
			t.Errorf("%s: %d %s", name, status, body)
		}
		ids[name] = header.Get("X-Request-Id")
	}
	text := func(name string) result { return run(t, "", "audit", "text", ids[name], "--config", file) }
	eventually(t, 10*time.Second, "the words are kept", func() bool { return text("kept").code == 0 && text("refused").code == 0 })
	text("kept").want(t, 0, "user: "+canaryPrompt+" ***", "answer: ")
	text("refused").want(t, 0, "no whole answer")
	text("other").want(t, 3, "no words are kept of that id")
	run(t, "", "doctor", "--config", file).want(t, 0, "warn  ledger", "are kept in")
	s.signal(t, syscall.SIGTERM)
	s.exit(t, 30*time.Second)
	run(t, "", "audit", "verify", "--dir", filepath.Join(data, "ledger-text"), "--config", file).want(t, 0, "whole: ")

	filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, _ := d.Info()
		text, _ := os.ReadFile(path)
		words := strings.Contains(path, "ledger-text")
		for _, canary := range []string{canaryPrompt, canaryAnswer, canarySession, "13800138000", "110101199003070011"} {
			if strings.Contains(string(text), canary) && !(words && canary == canaryPrompt) {
				t.Errorf("%q is in %s", canary, path)
			}
		}
		if words && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return nil
	})
	os.RemoveAll(filepath.Join(data, "ledger-text"))
	run(t, "", "audit", "verify", "--config", file).want(t, 0, "whole: ")
}

// While the disk is full, requests are refused before they are answered, and
// once it is not any more they are answered again, without a new start.
func TestAuditOnAFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk takes root")
	}
	data := t.TempDir()
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("mounting a small disk: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(data, syscall.MNT_DETACH) })
	s := start(t, fmt.Sprintf(`
data: %q
models:
  bendi-demo: {path: %q, context: 2048, slots: 2, threads: 1}
routes:
  - path: /v1/chat
    models: [bendi-demo]
sessions: {store: off}
ledger: {when_full: block}
`, data, demo(t, demoModel))).ready(t)
	filler := filepath.Join(data, "filler")
	for size := 256 << 10; size >= 512; { // all that there is
		f, err := os.OpenFile(filler, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
		f.Close()
	}
	answered := 0
	ask := func() (int, completion) {
		status, c := s.ask(t, "/v1/chat", question("你好", `"max_tokens":1`))
		if status == http.StatusOK {
			answered++
		}
		return status, c
	}
	eventually(t, 20*time.Second, "a refusal", func() bool {
		status, c := ask()
		return status == http.StatusServiceUnavailable && string(c.Error.Code) == `"audit_unavailable"`
	})
	if s.readyz() != http.StatusOK {
		t.Errorf("/readyz is %d", s.readyz())
	}
	os.Remove(filler)
	eventually(t, 20*time.Second, "an answer", func() bool { status, _ := ask(); return status == http.StatusOK })
	s.signal(t, syscall.SIGTERM)
	s.exit(t, 30*time.Second)
	run(t, "", "audit", "verify", "--config", config0(t, data)).want(t, 0, "whole: ", "requests were refused")
	var records []struct{ Outcome string }
	r := run(t, "", "audit", "query", "-o", "json", "--limit", "0", "--outcome", "success", "--operation", "chat", "--config", config0(t, data))
	if json.Unmarshal([]byte(r.stdout), &records) != nil || len(records) != answered {
		t.Errorf("%d records of %d answers", len(records), answered)
	}
}

// canaryPromptKey is a wrong key.
const canaryPromptKey = "sk-canary-wrong-0123456789abcdef"

// config0 is a configuration that has the folder alone.
func config0(t *testing.T, data string) string {
	return writeFile(t, "data.yaml", fmt.Sprintf("data: %q\nmodels:\n  bendi-demo: {path: %q, context: 2048}\nroutes:\n  - path: /v1/chat\n    models: [bendi-demo]\n", data, demo(t, demoModel)))
}
