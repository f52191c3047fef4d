package router_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"bendi/chat"
	"bendi/inference/remote"
	"bendi/openaicompat"
	"bendi/router"
	"io"
	"log/slog"
	"strings"
)

func TestScratch(t *testing.T) {
	say := func(w http.ResponseWriter, s string) { fmt.Fprintf(w, "data: %s\n\n", s); w.(http.Flusher).Flush() }
	mode := "ok"
	gone := make(chan struct{}, 10)
	a := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch mode {
		case "503":
			w.WriteHeader(503)
			return
		case "401":
			w.WriteHeader(401)
			io.WriteString(w, `{"error":{"message":"bad key sk-123"}}`)
			return
		case "html":
			io.WriteString(w, "<html>")
			return
		case "429":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		say(w, `{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`)
		if mode == "hang" {
			<-r.Context().Done()
			gone <- struct{}{}
			return
		}
		if mode == "cutrole" { return }
		say(w, `{"choices":[{"index":0,"delta":{"content":"A1"}}]}`)
		if mode == "cut" { return }
		say(w, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
		say(w, `[DONE]`)
	}))
	defer a.Close()
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		say(w, `{"choices":[{"index":0,"delta":{"content":"B1"}}]}`)
		say(w, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
		say(w, `[DONE]`)
	}))
	defer b.Close()
	back := func(name, url string) *router.Backend {
		m, err := remote.New(remote.Options{Name: name, BaseURL: url})
		if err != nil { t.Fatal(err) }
		return router.NewBackend(router.BackendOptions{Name: name, Model: m, FirstToken: time.Second})
	}
	p, err := router.NewPool(router.PoolOptions{ModelInfo: chat.ModelInfo{ID: "m"}, Tiers: [][]*router.Backend{{back("a", a.URL+"/v1")}, {back("b", b.URL+"/v1")}}, Egress: router.Egress{Route: router.Allowed},
		Observe: func(s router.Step) { t.Logf("   %s %s %s %v %v", s.What, s.Reason, s.Backend, s.Took, s.Err) }})
	if err != nil { t.Fatal(err) }
	r, err := router.New([]router.Offer{{ModelInfo: chat.ModelInfo{ID: "m"}, Model: p}}, "", nil)
	if err != nil { t.Fatal(err) }
	srv := httptest.NewServer(openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: r}}, Log: slog.New(slog.DiscardHandler)}))
	defer srv.Close()
	for _, m := range []string{"ok", "503", "401", "html", "429", "hang", "cutrole", "cut"} {
		mode = m
		for _, stream := range []bool{false, true} {
			t.Log(m, stream)
			res, err := http.Post(srv.URL+"/v1/chat/completions", "application/json", strings.NewReader(fmt.Sprintf(`{"stream":%v,"messages":[{"role":"user","content":"hi"}]}`, stream)))
			if err != nil { t.Fatal(err) }
			body, err := io.ReadAll(res.Body)
			t.Log("  =>", res.StatusCode, res.Header.Get("X-Bendi-Backend"), res.Header.Get("Retry-After"), strings.ReplaceAll(string(body), "\n\n", "|"), err)
			if m == "429" { time.Sleep(1100*time.Millisecond) }
		}
	}
}
