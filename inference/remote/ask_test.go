package remote_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bendi/chat"
	"bendi/inference/remote"
)

func TestNames(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/v1/models" || r.Header.Get("X-Org") != "ours" || r.Header.Get("Authorization") != "Bearer k" {
			t.Errorf("got %s %s %v", r.Method, r.URL.Path, r.Header)
		}
		io.WriteString(w, `{"object":"list","data":[{"id":"a"},{"id":"b"}]}`)
	}, func(o *remote.Options) { o.Headers, o.Key = map[string]string{"X-Org": "ours"}, "k" })
	names, err := m.Names(t.Context())
	if err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("got %q, %v", names, err)
	}
	if err := m.Probe(t.Context(), "models"); err != nil {
		t.Error(err)
	}
}

func TestProbesThatFail(t *testing.T) {
	for _, tt := range []struct {
		status int
		kind   chat.Kind
		code   string
	}{
		{401, chat.BadBackend, "backend_auth"},
		{403, chat.BadBackend, "backend_auth"},
		{500, chat.BadBackend, ""},
		{503, chat.Unavailable, ""},
	} {
		m := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(tt.status)
			io.WriteString(w, `{"error":{"message":"key sk-123"}}`)
		})
		err := m.Probe(t.Context(), "models")
		e, ok := errors.AsType[*chat.Error](err)
		if !ok || e.Kind != tt.kind || e.Code != tt.code || tt.code != "" && strings.Contains(err.Error(), "sk-123") {
			t.Errorf("%d: got %v", tt.status, err)
		}
	}
	m := dial(t, remote.Options{Name: "x", BaseURL: "http://127.0.0.1:1/v1"})
	if e, ok := errors.AsType[*chat.Error](m.Probe(t.Context(), "models")); !ok || e.Kind != chat.Unavailable {
		t.Errorf("got %v", e)
	}
}

// A certificate that nobody vouches for is refused, and one of ca_file taken.
func TestCertificates(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"data":[]}`) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	for _, trust := range []*x509.CertPool{nil, pool} {
		m := dial(t, remote.Options{Name: "x", BaseURL: s.URL + "/v1", RootCAs: trust})
		if err := m.Probe(t.Context(), "models"); (err == nil) != (trust != nil) {
			t.Errorf("with a pool: %v; got %v", trust != nil, err)
		}
	}
}

// A proxy is asked where one is named, and only there.
func TestProxy(t *testing.T) {
	seen := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.URL.String()
		io.WriteString(w, `{"data":[]}`)
	}))
	defer proxy.Close()
	u, _ := url.Parse(proxy.URL)
	m := dial(t, remote.Options{Name: "x", BaseURL: "http://llm.invalid/v1", Proxy: u})
	if err := m.Probe(t.Context(), "models"); err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got != "http://llm.invalid/v1/models" {
		t.Errorf("the proxy was asked for %q", got)
	}
	t.Setenv("HTTP_PROXY", proxy.URL)
	m = dial(t, remote.Options{Name: "x", BaseURL: "http://llm.invalid/v1", ConnectTimeout: time.Second})
	if err := m.Probe(t.Context(), "models"); err == nil {
		t.Error("the environment's proxy was asked")
	}
}

// What a server says may repeat what a user wrote: the client is told, and
// whoever prints the error is not. Of a worker of ours everything may be printed.
func TestWordsOfAServerAreNotPrinted(t *testing.T) {
	for _, inside := range []bool{false, true} {
		for name, answer := range map[string]http.HandlerFunc{
			"by its status": func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, `{"error":{"message":"no to what-somebody-wrote","code":"invalid_value"}}`)
			},
			"in the stream": func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, "data: {\"error\":{\"message\":\"no to what-somebody-wrote\"}}\n\n")
			},
			"as if all were well": func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{"error":{"message":"no to what-somebody-wrote"}}`)
			},
		} {
			m := serve(t, answer, func(o *remote.Options) {
				if inside {
					o.Inside = []byte("secret")
				}
			})
			var err error
			for _, e := range m.Chat(t.Context(), &chat.Request{Model: "m", N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "what-somebody-wrote")}}) {
				err = e
			}
			e, ok := errors.AsType[*chat.Error](err)
			if !ok || !strings.Contains(e.Msg, "what-somebody-wrote") {
				t.Errorf("%s: the client is told %v", name, e)
			}
			if printed := strings.Contains(err.Error(), "what-somebody-wrote"); printed != inside {
				t.Errorf("%s, a worker of ours: %v; it is printed: %v", name, inside, err)
			}
		}
	}
}

// A server that repeats what opens it is not repeated.
func TestKeysAreNotRepeated(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, `{"error":{"message":"bad sk-canary and canary-header","type":"server_error"}}`, http.StatusInternalServerError)
	}, func(o *remote.Options) { o.Key, o.Headers = "sk-canary", map[string]string{"X-Org": "canary-header"} })
	for _, err := range m.Chat(t.Context(), ask()) {
		e, ok := errors.AsType[*chat.Error](err)
		if !ok || e.Msg != "bad *** and ***" {
			t.Errorf("%v: %+v", err, e)
		}
	}
	if _, err := m.Embed(t.Context(), &chat.EmbedRequest{Model: "m", Inputs: []chat.Input{{Text: "a"}}}); err == nil || strings.Contains(fmt.Sprintf("%+v", err), "canary") {
		t.Errorf("%v", err)
	}
}

// What is sent is told of before it is, byte for byte.
func TestSent(t *testing.T) {
	var told, got [][]byte
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		modelled(script)(w, r)
	}, func(o *remote.Options) { o.Sent = func(_ context.Context, body []byte) { told = append(told, body) } })
	for _, err := range m.Chat(t.Context(), ask()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || len(got) != 1 || !bytes.Equal(told[0], got[0]) {
		t.Errorf("told of %d bodies, sent %d", len(told), len(got))
	}
}
