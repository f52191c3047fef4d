package openaicompat_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/openaicompat"
)

// Only those may have something done who are said to, and no web page can
// make a browser on this machine ask for it.
func TestWhoMayAct(t *testing.T) {
	type header map[string]string
	asJSON := func(h header) header {
		if h == nil {
			h = header{}
		}
		if h["Content-Type"] == "" {
			h["Content-Type"] = "application/json"
		}
		return h
	}
	tests := []struct {
		name    string
		keys    bool
		host    string
		headers header
		status  int
	}{
		{"no keys, on this machine", false, "127.0.0.1:8080", asJSON(nil), 200},
		{"by name", false, "localhost:8080", asJSON(nil), 200},
		{"IPv6", false, "[::1]:8080", asJSON(nil), 200},
		{"a page", false, "127.0.0.1:8080", asJSON(header{"Origin": "https://evil.example"}), 403},
		{"a page of a browser that sends no Origin", false, "127.0.0.1:8080", asJSON(header{"Sec-Fetch-Site": "cross-site"}), 403},
		{"a name that was made to mean this machine", false, "evil.example:8080", asJSON(nil), 403},
		{"a form", false, "127.0.0.1:8080", header{"Content-Type": "text/plain"}, 400},
		{"a key that may", true, "bendi.example", header{"Authorization": "Bearer operator"}, 200},
		{"a key that may not", true, "127.0.0.1:8080", header{"Authorization": "Bearer shop"}, 403},
		{"no key", true, "127.0.0.1:8080", nil, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			done := ""
			o := openaicompat.Options{
				Actions: []openaicompat.Action{{Method: http.MethodPost, Path: "/admin/do", Do: func(_ context.Context, body []byte) (any, error) {
					in, err := openaicompat.DecodeAction[struct{ What string }](body)
					if err != nil {
						return nil, err
					}
					done = in.What
					return map[string]string{"done": in.What}, nil
				}}},
			}
			if tt.keys {
				o.Keys = named{}
			}
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/admin/do", strings.NewReader(`{"what":"it"}`))
			req.Host = tt.host
			for name, value := range tt.headers {
				req.Header.Set(name, value)
			}
			rec := httptest.NewRecorder()
			openaicompat.New(o).ServeHTTP(rec, req)
			if rec.Code != tt.status || (done == "it") != (tt.status == 200) {
				t.Errorf("status %d, want %d, done %q: %s", rec.Code, tt.status, done, rec.Body)
			}
		})
	}
	o := openaicompat.Options{Actions: []openaicompat.Action{{Method: http.MethodGet, Path: "/admin/do", Do: func(context.Context, []byte) (any, error) {
		return nil, chat.Errorf(chat.Conflict, "not now")
	}}}}
	rec := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/admin/do", nil)
	req.Host = "127.0.0.1"
	openaicompat.New(o).ServeHTTP(rec, req)
	if rec.Code != http.StatusConflict || !strings.Contains(rec.Body.String(), "not now") {
		t.Errorf("an action that fails: status %d: %s", rec.Code, rec.Body)
	}
}

// A body with what an action does not know is refused rather than half believed,
// and of its values the error tells nothing.
func TestDecodeAction(t *testing.T) {
	type order struct {
		Name  string `json:"name"`
		Limit int    `json:"limit"`
	}
	tests := []struct{ name, body, says string }{
		{"whole", `{"name":"a","limit":1}`, ""},
		{"a misspelt field", `{"name":"a","limits":1}`, `unknown field "limits"`},
		{"a wrong type", `{"name":"a","limit":"words of theirs"}`, `"limit" cannot be a string`},
		{"two bodies", `{"name":"a"}{"name":"b"}`, "no JSON that fits"},
		{"nothing", ``, "no JSON that fits"},
	}
	for _, tt := range tests {
		_, err := openaicompat.DecodeAction[order]([]byte(tt.body))
		e, _ := errors.AsType[*chat.Error](err)
		switch {
		case tt.says == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.says != "" && (e == nil || e.Kind != chat.Invalid || !strings.Contains(e.Msg, tt.says) || strings.Contains(e.Msg, "words")):
			t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.says)
		}
	}
}

// A body that could be read in two ways is refused, wherever in it that is.
func TestAmbiguousActions(t *testing.T) {
	type in struct {
		Name   string
		Admin  bool
		Limits struct{ Concurrent int }
		Labels map[string]string
	}
	for body, ok := range map[string]bool{
		`{"name":"a","admin":false}`:                   true,
		`{"name":"a","labels":{"a":"1","b":"2"}}`:      true,
		`{"name":"a","labels":{"a":"1","A":"2"}}`:      true,
		`{"name":"a","name":"b"}`:                      false,
		`{"name":"a","label\u017f":{},"labels":{}}`:    false,
		`{"admin":false,"Admin":true}`:                 false,
		`{"limits":{"concurrent":1,"concurrent":900}}`: false,
		`{"labels":{"a":"1","a":"2"}}`:                 false,
		`{} {}`:                                        false,
		``:                                             false,
	} {
		_, err := openaicompat.DecodeAction[in]([]byte(body))
		if (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}
