package openaicompat_test

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bendi/access"
	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/openaicompat"
)

// heard keeps the last request, and waits in a queue of 12 before it answers.
type heard struct {
	chattest.Script
	last *chat.Request
}

func (h *heard) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	h.last = req
	return func(yield func(chat.Event, error) bool) {
		if req.Waiting != nil {
			for _, position := range []int{9, 5} {
				req.Waiting(position, 12)
				time.Sleep(20 * time.Second)
			}
			req.Waiting(0, 0)
			time.Sleep(25 * time.Second) // and not 20, which would end with a comment at the same moment
		}
		h.Script.Chat(ctx, req)(yield)
	}
}

// named takes the name of a key for its secret.
type named struct{}

func (named) Needed() bool { return true }

func (named) Check(_ context.Context, secret string) (access.Identity, error) {
	return access.Identity{Name: secret, Admin: secret == "operator", Priority: map[string]int{"shop": 2, "batch": -4}[secret]}, nil
}

// Who asks, and how urgently, is up to the key and the route. Headers that say
// so are believed inside alone, and a body can only lower its own priority.
func TestPrincipalAndPriority(t *testing.T) {
	tests := []struct {
		name      string
		inside    bool
		key       string
		headers   map[string]string
		body      string
		principal string
		priority  int
		status    int
	}{
		{"the key", false, "shop", nil, "", "shop", 3, 200},
		{"another key", false, "batch", nil, "", "batch", -3, 200},
		{"headers of a client", false, "shop", map[string]string{"X-Bendi-Principal": "boss", "X-Bendi-Priority": "10"}, "", "shop", 3, 200},
		{"later by the body", false, "shop", nil, `,"priority":4`, "shop", -1, 200},
		{"very late", false, "shop", nil, `,"priority":2000000000`, "shop", -10, 200},
		{"not later", false, "shop", nil, `,"priority":0`, "shop", 3, 200},
		{"sooner by the body", false, "shop", nil, `,"priority":-1`, "", 0, 400},
		{"nonsense in the body", false, "shop", nil, `,"priority":"high"`, "", 0, 400},
		{"inside", true, "", map[string]string{"X-Bendi-Principal": "7f3c", "X-Bendi-Priority": "-4"}, `,"priority":5`, "7f3c", -4, 200},
		{"inside, beyond the bounds", true, "", map[string]string{"X-Bendi-Priority": "99"}, "", "", 10, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			model := &heard{Script: "你\n"}
			o := openaicompat.Options{
				Routes: []openaicompat.Route{{Path: "/v1/chat", Model: model, Priority: 1}},
				Inside: tt.inside,
			}
			if tt.key != "" {
				o.Keys = named{}
			}
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat", strings.NewReader(`{"messages":[{"role":"user","content":"你好"}]`+tt.body+`}`))
			req.Header.Set("Authorization", "Bearer "+tt.key)
			for name, value := range tt.headers {
				req.Header.Set(name, value)
			}
			rec := httptest.NewRecorder()
			openaicompat.New(o).ServeHTTP(rec, req)
			if rec.Code != tt.status {
				t.Fatalf("status %d: %s", rec.Code, rec.Body)
			}
			if rec.Code == 200 && (model.last.Principal != tt.principal || model.last.Priority != tt.priority) {
				t.Errorf("principal %q, priority %d, want %q, %d", model.last.Principal, model.last.Priority, tt.principal, tt.priority)
			}
			if rec.Code != 200 && !strings.Contains(rec.Body.String(), `"param":"priority"`) {
				t.Errorf("the field is not named: %s", rec.Body)
			}
		})
	}
}

// Whoever waits reads its place in the comments; a gateway reads each at once.
func TestQueueInComments(t *testing.T) {
	for _, inside := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := openaicompat.New(openaicompat.Options{
				Routes: []openaicompat.Route{{Path: "/v1/chat", Model: &heard{Script: "你\n"}}}, Inside: inside,
			})
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat", strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"你好"}]}`))
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			body, _ := io.ReadAll(rec.Body)
			var comments []string
			for line := range strings.Lines(string(body)) {
				if strings.HasPrefix(line, ":") {
					comments = append(comments, strings.TrimSpace(line[1:]))
				}
			}
			got, want := strings.Join(comments, ", "), "queue 9 of 12, queue 5 of 12, keep-alive, keep-alive"
			if inside {
				want = "queue 9 of 12, queue 9 of 12, queue 5 of 12, queue 5 of 12, queue 0 of 0, keep-alive"
			}
			if got != want {
				t.Errorf("inside %v, the comments are %s; want %s", inside, got, want)
			}
		})
	}
}
