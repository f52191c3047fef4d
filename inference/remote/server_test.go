package remote_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"bendi/chat"
	"bendi/inference/remote"
	"bendi/openaicompat/wire"
)

func ask() *chat.Request {
	return &chat.Request{ID: "req-1", Model: "tiny", N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "你好")}}
}

// serve returns a Model of a server with the handler.
func serve(t *testing.T, h http.HandlerFunc, change ...func(*remote.Options)) *remote.Model {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	o := remote.Options{Name: "far", BaseURL: server.URL + "/v1"}
	for _, f := range change {
		f(&o)
	}
	return dial(t, o)
}

func dial(t *testing.T, o remote.Options) *remote.Model {
	t.Helper()
	m, err := remote.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// modelled answers as a server over m does.
func modelled(m chat.Model) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		call, err := wire.DecodeRequest(body)
		if err != nil {
			status, text := wire.EncodeError(err, "")
			w.WriteHeader(status)
			w.Write(text)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		s := wire.Stream{Head: wire.Head{ID: "chatcmpl-1", Model: call.Request.Model}, IncludeUsage: call.IncludeUsage}
		for ev, err := range m.Chat(r.Context(), call.Request) {
			if err != nil {
				w.Write(wire.ErrorFrame(err, ""))
				return
			}
			w.Write(s.Frames(ev))
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, wire.Done)
	}
}

// recorded plays the bytes of a stream.
func recorded(stream string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		io.WriteString(w, stream)
	}
}

// stalled sends the bytes and then nothing until the client leaves, which it
// reports on gone.
func stalled(stream string, gone chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the server would not notice the client's end
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, stream)
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			gone <- struct{}{}
		case <-time.After(10 * time.Second):
		}
	}
}

// overSocket serves h on a unix socket and returns its path.
func overSocket(t *testing.T, h http.Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	server.Start()
	t.Cleanup(server.Close)
	return path
}
