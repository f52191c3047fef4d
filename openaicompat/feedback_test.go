package openaicompat_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/openaicompat"
)

// A box keeps feedback.
type box struct{ got []openaicompat.Feedback }

func (b *box) Take(_ string, f *openaicompat.Feedback) error {
	if f.ID == "unknown" {
		return chat.Errorf(chat.NotFound, "no such answer")
	}
	b.got = append(b.got, *f)
	return nil
}

func TestFeedback(t *testing.T) {
	b := new(box)
	h := openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat/pro", Model: chattest.Script("hi")}}, Feedback: b})
	tests := []struct {
		path, body string
		status     int
		want       string // part of the response
	}{
		{"/v1/feedback", `{"id":"a","score":0.5}`, 200, `"counted":true`},
		{"/v1/chat/pro/feedback", `{"request_id":"b","tags":["x"]}`, 200, `"counted":true`},
		{"/v1/feedback", `{"id":"unknown","score":1}`, 404, "no such answer"},
		{"/v1/feedback", `{"id":"a","request_id":"b"}`, 400, "two answers"},
		{"/v1/feedback", `{"id":1}`, 400, "JSON object"},
		{"/v1/feedback", ``, 400, "JSON object"},
	}
	for _, tt := range tests {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, tt.path, strings.NewReader(tt.body)))
		text, _ := io.ReadAll(rec.Result().Body)
		if rec.Code != tt.status || !strings.Contains(string(text), tt.want) {
			t.Errorf("%s %s: %d %s, want %d with %s", tt.path, tt.body, rec.Code, text, tt.status, tt.want)
		}
	}
	if len(b.got) != 2 || b.got[0].ID != "a" || *b.got[0].Score != 0.5 || b.got[1].ID != "b" {
		t.Errorf("taken: %+v", b.got)
	}
	none := httptest.NewRecorder()
	openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: chattest.Script("hi")}}}).
		ServeHTTP(none, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/feedback", strings.NewReader("{}")))
	if none.Code != http.StatusNotFound {
		t.Errorf("without anybody to take it: %d", none.Code)
	}
}
