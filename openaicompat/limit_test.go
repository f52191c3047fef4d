package openaicompat_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"bendi/access"
	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/openaicompat"
	"bendi/openaicompat/wire"
)

// A tally is a Limiter that keeps what was set aside and what was taken.
type tally struct {
	mu            sync.Mutex
	reserved      []int64
	settled       []int64
	err           error
	route, asking string
}

func (l *tally) Reserve(_ context.Context, who access.Identity, route string, tokens int64) (openaicompat.Allowance, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.route, l.asking = route, who.Name
	if l.err != nil {
		return nil, l.err
	}
	l.reserved = append(l.reserved, tokens)
	return l, nil
}

func (l *tally) Standing() access.Standing {
	return access.Standing{Requests: access.Left{Limit: 60, Remaining: 59, Reset: 61 * time.Second}, Tokens: access.Left{Limit: 1000, Remaining: 400, Reset: 1500 * time.Millisecond}}
}

func (l *tally) Settle(tokens int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled = append(l.settled, tokens)
}

// small is a model of a window of 100 tokens, which can whatever there is.
type small struct {
	chattest.Script
	chattest.Gifts
}

func (small) Models() []chat.ModelInfo            { return []chat.ModelInfo{{ID: "small", Context: 100}} }
func (small) Resolve(name string) (string, error) { return "small", nil }

type judge struct{}

func (judge) Moderate(_ context.Context, texts []string) (string, []string, []wire.Judgement, error) {
	return "lexicons", nil, make([]wire.Judgement, len(texts)), nil
}

// Every endpoint that makes work sets a request aside before the work, and
// settles it once when that is done, however it went.
func TestEveryRequestIsCounted(t *testing.T) {
	const chats = `{"messages":[{"role":"user","content":"你好"}]`
	tests := []struct {
		name, path, body string
		script           chattest.Script
		status           int
		reserved, taken  int64
	}{
		{"a chat", "/v1/chat", chats + `}`, "好\n!finish stop\n!usage 7 3\n", 200, 100, 10},
		{"a stream", "/v1/chat/completions", chats + `,"stream":true}`, "好\n!finish stop\n!usage 7 3\n", 200, 100, 10},
		{"with a bound", "/v1/chat", chats + `,"max_tokens":5,"n":2}`, "好\n!finish stop\n!choice 1\n!finish stop\n!usage 7 3\n", 200, 110, 10},
		{"a message", "/v1/messages", chats + `,"model":"small","max_tokens":5}`, "好\n!finish stop\n!usage 7 3\n", 200, 100, 10},
		{"a prompt", "/v1/completions", `{"prompt":"a","max_tokens":5}`, "好\n!finish stop\n!usage 7 3\n", 200, 100, 10},
		{"two prompts", "/v1/completions", `{"prompt":["a","b"],"max_tokens":5}`, "好\n!finish stop\n!usage 7 3\n", 200, 210, 20},
		{"a failure of ours", "/v1/chat", chats + `}`, "!fail unavailable later\n", 503, 100, 0},
		{"a failure within", "/v1/chat", chats + `,"stream":true}`, "好\n吗\n!fail unavailable later\n", 200, 100, 102},
		{"a backend that tells nonsense", "/v1/chat", chats + `}`, "好\n!finish stop\n!usage -5 3\n", 200, 100, 3},
		{"embeddings", "/v1/embeddings", `{"input":"ab"}`, "", 200, 14, 2},
		{"rerank", "/v1/rerank", `{"query":"ab","documents":["c","d"]}`, "", 200, 40, 6},
		{"tokenize", "/v1/tokenize", `{"content":"ab"}`, "", 200, 0, 0},
		{"count_tokens", "/v1/messages/count_tokens", `{"model":"small","messages":[{"role":"user","content":"a"}]}`, "", 200, 0, 0},
		{"moderations", "/v1/moderations", `{"input":"ab"}`, "", 200, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := new(tally)
			h := openaicompat.New(openaicompat.Options{
				Routes: []openaicompat.Route{{Path: "/v1/chat", Model: small{Script: tt.script}, Moderator: judge{}}}, Limits: l, Keys: named{},
			})
			rec := post(t, h, tt.path, tt.body, "shop")
			if rec.Code != tt.status {
				t.Fatalf("status %d: %s", rec.Code, rec.Body)
			}
			if len(l.reserved) != 1 || len(l.settled) != 1 || l.route != "/v1/chat" || l.asking != "shop" {
				t.Fatalf("set aside %v, settled %v, of %s on %s", l.reserved, l.settled, l.asking, l.route)
			}
			if l.reserved[0] != tt.reserved || l.settled[0] != tt.taken {
				t.Errorf("%d tokens were set aside and %d taken, want %d and %d", l.reserved[0], l.settled[0], tt.reserved, tt.taken)
			}
			prefix := "X-Ratelimit-Limit-Requests"
			if strings.HasPrefix(tt.path, "/v1/messages") {
				prefix = "Anthropic-Ratelimit-Requests-Limit"
			}
			if rec.Header().Get(prefix) != "60" {
				t.Errorf("what is left is not told: %v", rec.Header())
			}
		})
	}
}

func post(t *testing.T, h http.Handler, path, body, key string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+key)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

// A client that leaves is charged its prompt at the most, and the pieces that it
// was told; one that is over a limit, or sends nonsense, nothing.
func TestCharges(t *testing.T) {
	const body = `{"messages":[{"role":"user","content":"a"}],"stream":true,"max_tokens":50}`
	l := new(tally)
	h := openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: small{Script: "a\nb\n!wait\n"}}}, Limits: l})
	srv := httptest.NewServer(h)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/v1/chat", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1)
	res.Body.Read(buf)
	time.Sleep(50 * time.Millisecond)
	cancel()
	res.Body.Close()
	srv.Close() // waits for the handler
	if len(l.settled) != 1 || l.settled[0] != 102 {
		t.Errorf("a client that left was charged %v, want 100 of its prompt and 2 pieces", l.settled)
	}
	post(t, h, "/v1/chat", `{`, "")
	if len(l.reserved) != 1 {
		t.Error("nonsense was counted")
	}
}

func TestOverALimit(t *testing.T) {
	const body = `{"model":"small","max_tokens":5,"messages":[{"role":"user","content":"a"}]}`
	tests := []struct {
		name    string
		err     error
		status  int
		code    string
		headers map[string]string
	}{
		{"for a while", &access.Exceeded{Subject: "key shop", What: "tokens per minute", Limit: 100, Used: 90, Asked: 20, Retry: 2500 * time.Millisecond,
			Standing: access.Standing{Tokens: access.Left{Limit: 100, Remaining: 10, Reset: 90 * time.Second}}}, 429, "rate_limit_exceeded",
			map[string]string{"Retry-After": "3", "X-Ratelimit-Limit-Tokens": "100", "X-Ratelimit-Remaining-Tokens": "10", "X-Ratelimit-Reset-Tokens": "1m30s", "X-Should-Retry": ""}},
		{"for ever", &access.Exceeded{Subject: "key shop", What: "tokens per minute", Limit: 100, Asked: 200}, 429, "rate_limit_exceeded",
			map[string]string{"Retry-After": "", "X-Should-Retry": "false"}},
		{"nobody counts", errors.New("redis is at 10.0.0.1"), 503, "limits_unavailable", map[string]string{"Retry-After": "1"}},
	}
	for _, tt := range tests {
		for _, path := range []string{"/v1/chat", "/v1/messages", "/v1/embeddings", "/v1/rerank", "/v1/tokenize", "/v1/moderations"} {
			t.Run(tt.name+path, func(t *testing.T) {
				h := openaicompat.New(openaicompat.Options{
					Routes: []openaicompat.Route{{Path: "/v1/chat", Model: small{Script: "!panic\n"}, Moderator: judge{}}}, Limits: &tally{err: tt.err},
				})
				body := body
				if _, after, _ := strings.Cut(path, "/v1/"); !strings.Contains("chat messages", after) {
					body = `{"input":"a","query":"a","documents":["b"],"content":"a"}`
				}
				rec := post(t, h, path, body, "")
				if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.code) || strings.Contains(rec.Body.String(), "10.0.0.1") {
					t.Errorf("status %d: %s", rec.Code, rec.Body)
				}
				for name, want := range tt.headers {
					if path == "/v1/messages" {
						name = strings.NewReplacer("X-Ratelimit-Limit-Tokens", "Anthropic-Ratelimit-Tokens-Limit", "X-Ratelimit-Remaining-Tokens", "Anthropic-Ratelimit-Tokens-Remaining").Replace(name)
					}
					if got := rec.Header().Get(name); got != want && !strings.HasPrefix(name, "X-Ratelimit-Reset") {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
			})
		}
	}
}

// scoped lets anybody in, with what they may use.
type scoped struct{ access.Scopes }

func (scoped) Needed() bool { return true }

func (s scoped) Check(context.Context, string) (access.Identity, error) {
	return access.Identity{Name: "shop", Scopes: s.Scopes, Inside: true}, nil
}

// revoking lets anybody in, until a key is revoked.
type revoking struct {
	scoped
	revoked context.Context
}

func (r revoking) Enter(who access.Identity, end func(error)) (leave func()) {
	stop := context.AfterFunc(r.revoked, func() {
		end(&access.Refusal{Code: "revoked_api_key", Text: "The key of " + who.Name + " was revoked."})
	})
	return func() { stop() }
}

// pair offers two models, and answers with the name of the one that is asked.
type pair struct{ chattest.Gifts }

func (pair) Models() []chat.ModelInfo { return []chat.ModelInfo{{ID: "a"}, {ID: "b"}} }

func (pair) Resolve(name string) (string, error) {
	switch name {
	case "":
		return "a", nil
	case "a", "b":
		return name, nil
	case "alias":
		return "b", nil
	}
	return "", &chat.Error{Kind: chat.NotFound, Code: chat.CodeModelNotFound, Msg: "there are a and b"}
}

func (pair) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	if !req.Inside {
		return chat.Fail(errors.New("not inside"))
	}
	return chattest.Script("I am "+req.Model+"\n").Chat(ctx, req)
}

// For a key there is what it may use, and nothing else.
func TestScopesOfKeys(t *testing.T) {
	onlyB := access.Scopes{Routes: []string{"/v1/chat"}, Models: []string{"b"}}
	tests := []struct {
		name   string
		scopes access.Scopes
		method string
		path   string
		model  string
		status int
		want   string
	}{
		{"a model that it may use", onlyB, "POST", "/v1/chat", "b", 200, "I am b"},
		{"its alias", onlyB, "POST", "/v1/chat", "alias", 200, "I am b"},
		{"none named", onlyB, "POST", "/v1/chat", "", 200, "I am b"},
		{"another", onlyB, "POST", "/v1/chat", "a", 404, "there are: b."},
		{"one that there is not", onlyB, "POST", "/v1/chat", "c", 404, "there are: b."},
		{"another, of embeddings", onlyB, "POST", "/v1/embeddings", "a", 404, "model_not_found"},
		{"another route", onlyB, "POST", "/v1/chat/pro", "b", 403, "may not use the route /v1/chat/pro"},
		{"another route's embeddings", onlyB, "POST", "/v1/chat/pro/embeddings", "b", 403, "may not use the route"},
		{"no model at all", access.Scopes{Models: []string{}}, "POST", "/v1/chat", "", 403, "may use no model"},
		{"the list", onlyB, "GET", "/v1/models", "", 200, `[{"id":"b",`},
		{"one of the list", onlyB, "GET", "/v1/models/b", "", 200, `"id":"b"`},
		{"one that is not in it", onlyB, "GET", "/v1/models/a", "", 404, "model_not_found"},
		{"the list of another route", onlyB, "GET", "/v1/chat/pro/models", "", 200, `"data":[]`},
		{"everything", access.Scopes{}, "GET", "/v1/models", "", 200, `{"id":"a",`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := openaicompat.New(openaicompat.Options{
				Routes: []openaicompat.Route{{Path: "/v1/chat", Model: pair{}}, {Path: "/v1/chat/pro", Model: pair{}}}, Keys: scoped{tt.scopes},
			})
			body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"a"}],"input":"a"}`, tt.model)
			req := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, strings.NewReader(body))
			req.Header.Set("Authorization", "Bearer x")
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.want) {
				t.Errorf("status %d, want %d and %s: %s", rec.Code, tt.status, tt.want, rec.Body)
			}
		})
	}
}

// A key that is revoked ends what runs for it.
func TestRevokedWithin(t *testing.T) {
	revoked, revoke := context.WithCancel(t.Context())
	h := openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: chattest.Script("a\n!wait\n")}}, Keys: revoking{revoked: revoked}})
	time.AfterFunc(50*time.Millisecond, revoke)
	rec := post(t, h, "/v1/chat", `{"stream":true,"messages":[{"role":"user","content":"a"}]}`, "x")
	if body := rec.Body.String(); !strings.Contains(body, "revoked_api_key") || strings.Contains(body, "[DONE]") {
		t.Errorf("the stream ended with %s", body)
	}
}
