package openaicompat_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bendi/access"
	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/openaicompat"
	"bendi/openaicompat/wire"
)

// book has one session, of a key.
type book struct{ owner openaicompat.Owner }

func (b book) List(_ context.Context, o openaicompat.Owner, after string, limit int) ([]wire.SessionInfo, string, error) {
	if o != b.owner || after != "" {
		return nil, "", nil
	}
	return []wire.SessionInfo{{ID: "trip", Used: time.Unix(7, 0), Expires: time.Unix(9, 0), Bytes: limit}}, "more", nil
}

func (b book) Get(_ context.Context, o openaicompat.Owner, id string) (wire.SessionInfo, []wire.SessionTurn, []chat.Message, error) {
	if o != b.owner || id != "trip" {
		return wire.SessionInfo{}, nil, nil, openaicompat.NoSession()
	}
	said := []chat.Message{chat.TextMessage(chat.User, "hi")}
	return wire.SessionInfo{ID: id, Used: time.Unix(7, 0)}, []wire.SessionTurn{{ID: "t1", Time: time.Unix(6, 0), Model: "m", Interrupted: true, Messages: said}}, said, nil
}

func (b book) Delete(_ context.Context, o openaicompat.Owner, id string) (bool, error) {
	return o == b.owner && id == "trip", nil
}

func (b book) DeleteAll(_ context.Context, o openaicompat.Owner) (int, error) {
	if o == b.owner {
		return 1, nil
	}
	return 0, nil
}

// names takes the name of a key for its secret.
type names struct{}

func (names) Needed() bool { return true }

func (names) Check(_ context.Context, secret string) (access.Identity, error) {
	return access.Identity{Name: secret, Admin: secret == "root"}, nil
}

func TestSessions(t *testing.T) {
	const trip = `{"object":"session","id":"trip","used_at":7,"bytes":0,"turns":[{"id":"t1","created_at":6,"model":"m","interrupted":true,"messages":[{"role":"user","content":"hi"}]}]}`
	none := `"code":"session_not_found"`
	tests := []struct {
		title, key, call string
		status           int
		want             string
	}{
		{"a list", "shop", "GET /v1/sessions", 200, `{"object":"list","data":[{"object":"session","id":"trip","used_at":7,"expires_at":9,"bytes":20}],"has_more":true,"next":"more"}`},
		{"the rest of it", "shop", "GET /v1/sessions?after=more", 200, `{"object":"list","data":[],"has_more":false}`},
		{"a part", "shop", "GET /v1/sessions?limit=2", 200, `"bytes":2`},
		{"no part", "shop", "GET /v1/sessions?limit=101", 400, `"param":"limit"`},
		{"a session", "shop", "GET /v1/sessions/trip", 200, trip},
		{"an export", "shop", "GET /v1/sessions/trip/export", 200, `{"messages":[{"role":"user","content":"hi"}]}`},
		{"another's", "thief", "GET /v1/sessions/trip", 404, none},
		{"another's export", "thief", "GET /v1/sessions/trip/export", 404, none},
		{"another's, deleted", "thief", "DELETE /v1/sessions/trip", 404, none},
		{"another's, by name", "thief", "GET /v1/sessions/trip?key=shop", 403, "admin: true"},
		{"one's own, by name", "shop", "GET /v1/sessions/trip?key=shop", 200, trip},
		{"a key's, for the operator", "root", "GET /v1/sessions/trip?key=shop", 200, trip},
		{"a user's", "shop", "GET /v1/sessions/trip?user=anna", 404, none},
		{"nobody's", "", "GET /v1/sessions", 401, "invalid_api_key"},
		{"deleted", "shop", "DELETE /v1/sessions/trip", 200, `{"object":"session.deleted","deleted":1}`},
		{"all deleted", "shop", "DELETE /v1/sessions", 200, `{"object":"session.deleted","deleted":1}`},
		{"all of nothing deleted", "thief", "DELETE /v1/sessions", 200, `{"object":"session.deleted","deleted":0}`},
	}
	h := openaicompat.New(openaicompat.Options{
		Routes: []openaicompat.Route{{Path: "/v1/chat", Model: chattest.Script("x\n")}}, Keys: names{},
		Sessions: book{openaicompat.Owner{Principal: "shop"}},
	})
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			method, path, _ := strings.Cut(tt.call, " ")
			r := httptest.NewRequest(method, path, nil)
			if tt.key != "" {
				r.Header.Set("Authorization", "Bearer "+tt.key)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if body := strings.TrimSpace(w.Body.String()); w.Code != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%d %s\nwant %d %s", w.Code, body, tt.status, tt.want)
			}
		})
	}
}

// Without keys a web page may not read what others have said.
func TestSessionsAreNotForWebPages(t *testing.T) {
	h := openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: chattest.Script("x\n")}}, Sessions: book{}})
	for header, want := range map[string]int{"": 200, "Origin": 403, "Sec-Fetch-Site": 403} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/v1/sessions/trip", nil)
		if header != "" {
			r.Header.Set(header, "http://evil.example")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("with %q: %d, want %d", header, w.Code, want)
		}
	}
}

// told is a model whose memory tells of itself.
type told struct{ chat.Memory }

func (m told) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		first := true
		for ev, err := range chattest.Script("x\n").Chat(ctx, req) {
			if first && err == nil {
				ev.Memory, first = &m.Memory, false
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

func TestSessionHeader(t *testing.T) {
	for want, m := range map[string]chat.Memory{
		"kept=0":                    {},
		"kept=4;left_out=2":         {Kept: 4, LeftOut: 2},
		"kept=4;left_out=2;summary": {Kept: 4, LeftOut: 2, Summarised: true},
		"stateless":                 {Stateless: true},
		"kept=1;lost":               {Kept: 1, Lost: true},
	} {
		for _, stream := range []bool{false, true} {
			h := openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: told{m}}}})
			r := httptest.NewRequest(http.MethodPost, "/v1/chat", strings.NewReader(fmt.Sprintf(`{"stream":%v,"messages":[{"role":"user","content":"q"}]}`, stream)))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			io.Copy(io.Discard, w.Body)
			if got := w.Header().Get("X-Bendi-Session"); got != want {
				t.Errorf("stream %v: %q, want %q", stream, got, want)
			}
		}
	}
}
