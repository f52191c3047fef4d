package openaicompat_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/openaicompat"
)

// bursts is a Model whose events come in bursts, and which fails in the midst of
// the last where it is told to.
type bursts struct {
	of   []int
	fail bool
}

func (m bursts) Chat(_ context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		for _, n := range m.of {
			req.Burst(true)
			for range n {
				if !yield(chat.Event{Text: "x"}, nil) {
					return
				}
			}
			if m.fail {
				yield(chat.Event{}, chat.Errorf(chat.BadBackend, "broken"))
				return
			}
			req.Burst(false)
		}
		if yield(chat.Event{Finish: chat.Stop}, nil) {
			yield(chat.Event{Usage: &chat.Usage{}}, nil)
		}
	}
}

// A recorder keeps what was written between one flush and the next.
type recorder struct {
	*httptest.ResponseRecorder
	sent []string
	at   int
}

func (r *recorder) Flush() {
	all := r.Body.String()
	r.sent = append(r.sent, all[r.at:])
	r.at = len(all)
}

// What comes together goes out together, all of it and in order, whatever ends
// the burst.
func TestBursts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		model bursts
		want  []int // pieces of each flush
		end   string
	}{
		{"two bursts", bursts{of: []int{3, 2}}, []int{3, 2, 0, 0}, "data: [DONE]\n\n"},
		{"alone", bursts{of: []int{1, 1}}, []int{1, 1, 0, 0}, "data: [DONE]\n\n"},
		{"a failure", bursts{of: []int{4}, fail: true}, []int{4, 0}, `"broken","type":"backend_error"`},
		{"more than is held", bursts{of: []int{1000}}, nil, "data: [DONE]\n\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: tt.model}}})
			w := &recorder{ResponseRecorder: httptest.NewRecorder()}
			body := `{"messages":[{"role":"user","content":"hi"}],"stream":true}`
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat/completions", strings.NewReader(body)))
			var got []int
			pieces := 0
			for _, s := range w.sent {
				got = append(got, strings.Count(s, `"content":"x"`))
				pieces += got[len(got)-1]
			}
			want := 0
			for _, n := range tt.model.of {
				want += n
			}
			if pieces != want || tt.want != nil && len(got) != len(tt.want) || tt.want == nil && len(got) < 3 {
				t.Fatalf("the flushes have %v pieces, want %v", got, tt.want)
			}
			for i, n := range tt.want {
				if got[i] != n {
					t.Errorf("the flushes have %v pieces, want %v", got, tt.want)
				}
			}
			if last := w.sent[len(w.sent)-1]; !strings.Contains(last, tt.end) {
				t.Errorf("the last that is sent is %q, want %q", last, tt.end)
			}
		})
	}
}
