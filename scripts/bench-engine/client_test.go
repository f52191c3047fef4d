package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What a client counts in a stream of ours or of llama-server's.
func TestAsk(t *testing.T) {
	const (
		ours = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null}

data: {"choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}

: keep-alive

data: {"choices":[{"index":0,"delta":{"content":"\"b"}}],"usage":null}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}],"usage":null}

data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}}}

data: [DONE]

`
		other = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}

data: {"choices":[{"index":0,"delta":{"content":"a"}}]}

data: {"choices":[],"usage":{"completion_tokens":1,"prompt_tokens":9},"timings":{"cache_n":5,"prompt_n":4}}

data: [DONE]

`
	)
	tests := []struct {
		name, stream           string
		status                 int
		leave                  int
		tokens, cached, pieces int
		complete, refused      bool
		fault                  string
	}{
		{"ours", ours, 200, 0, 3, 4, 2, true, false, ""},
		{"llama-server's", other, 200, 0, 1, 5, 1, true, false, ""},
		{"left after the first token", ours, 200, 1, 1, 0, 1, false, false, ""},
		{"cut short", strings.TrimSuffix(ours, "data: [DONE]\n\n"), 200, 0, 3, 4, 2, false, false, "ended after 2 pieces"},
		{"an error inside", "data: {\"error\":{\"message\":\"no\"}}\n\n", 200, 0, 0, 0, 0, false, false, `"no"`},
		{"refused", `{"error":{"message":"busy"}}`, 503, 0, 0, 0, 0, false, true, "503"},
		{"broken", `{"error":{"message":"oh"}}`, 500, 0, 0, 0, 0, false, false, "500"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.stream)
			}))
			defer srv.Close()
			s := &server{base: srv.URL, client: srv.Client()}
			a := s.ask(t.Context(), request{user: "x", tokens: 3, leave: tt.leave})
			if a.tokens != tt.tokens || a.cached != tt.cached || a.complete() != tt.complete || a.refused() != tt.refused {
				t.Errorf("tokens %d, cached %d, complete %v, refused %v; want %d, %d, %v, %v",
					a.tokens, a.cached, a.complete(), a.refused(), tt.tokens, tt.cached, tt.complete, tt.refused)
			}
			if got := len(a.gaps); got != max(tt.pieces-1, 0) {
				t.Errorf("%d gaps, want one less than %d pieces", got, tt.pieces)
			}
			if (tt.fault == "") != (a.err == nil) || a.err != nil && !strings.Contains(a.err.Error(), tt.fault) {
				t.Errorf("error %v, want one with %q", a.err, tt.fault)
			}
		})
	}
}

// A request that is late counts from when it was due.
func TestEvery(t *testing.T) {
	const slow = 30 * time.Millisecond
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(slow)
		io.WriteString(w, "data: [DONE]\n\n")
	}))
	defer srv.Close()
	s := &server{base: srv.URL, client: srv.Client()}
	l := s.every(t.Context(), time.Millisecond, make([]request, 20))
	for i, a := range l.answers {
		if !a.complete() || a.took < slow {
			t.Errorf("request %d: complete %v after %v, want %v at least", i, a.complete(), a.took, slow)
		}
	}
	if l.took > 20*slow {
		t.Errorf("%v: the requests waited for each other", l.took)
	}
}
