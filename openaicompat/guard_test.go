package openaicompat_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bendi/chat/chattest"
	"bendi/openaicompat"
)

// guarded serves a model that says a word.
func guarded(t *testing.T, o openaicompat.Options) *httptest.Server {
	t.Helper()
	o.Routes = []openaicompat.Route{{Path: "/v1/chat", Model: chattest.Script("好")}}
	server := httptest.NewServer(openaicompat.New(o))
	t.Cleanup(server.Close)
	return server
}

const wellFormed = `{"messages":[{"role":"user","content":"你好"}]}`

// ask asks as a page would, and returns the status and the headers.
func ask(t *testing.T, url, method, host, origin string) (int, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(wellFormed))
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header
}

// A server goes by the names that it is told, by addresses, and by those of
// this machine.
func TestHosts(t *testing.T) {
	named := guarded(t, openaicompat.Options{Hosts: []string{"bendi.example"}})
	for host, want := range map[string]int{
		"bendi.example": 200, "BENDI.example:8080": 200, "bendi.example.": 200,
		"localhost": 200, "localhost:1": 200, "a.localhost:2": 200, "127.0.0.1": 200, "[::1]:8080": 200, "192.168.1.4:80": 200,
		"evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "bendi.example.evil": 421, "xbendi.example": 421, "0x7f000001": 421, "2130706433": 421,
	} {
		if got, _ := ask(t, named.URL+"/v1/chat", "POST", host, ""); got != want {
			t.Errorf("host %s: %d, want %d", host, got, want)
		}
	}
	any := guarded(t, openaicompat.Options{})
	if got, _ := ask(t, any.URL+"/v1/chat", "POST", "evil.example", ""); got != 200 {
		t.Errorf("where no hosts are named: %d, want 200", got)
	}
}

// Whoever may ask can, and sees the answer; whoever may not can neither ask nor
// see what is there already.
func TestOrigins(t *testing.T) {
	tests := []struct {
		name    string
		options openaicompat.Options
		origin  string
		welcome bool
	}{
		{"this machine", openaicompat.Options{}, "http://localhost:3000", true},
		{"this machine by its address", openaicompat.Options{}, "http://127.0.0.1:3000", true},
		{"this machine, IPv6", openaicompat.Options{}, "https://[::1]:3000", true},
		{"a name below localhost", openaicompat.Options{}, "http://tauri.localhost", true},
		{"an app", openaicompat.Options{}, "tauri://localhost", true},
		{"a file of an app", openaicompat.Options{}, "file://", true},
		{"another", openaicompat.Options{}, "https://evil.example", false},
		{"any page", openaicompat.Options{}, "null", false},
		{"an extension", openaicompat.Options{}, "chrome-extension://abcdef", false},
		{"one that looks like this machine", openaicompat.Options{}, "http://localhost.evil.example", false},
		{"one that looks like its address", openaicompat.Options{}, "http://127.0.0.1.evil.example", false},
		{"another machine of the net", openaicompat.Options{}, "http://192.168.1.4", false},
		{"named", openaicompat.Options{AllowOrigins: []string{"https://chat.example"}}, "https://chat.example", true},
		{"not named", openaicompat.Options{AllowOrigins: []string{"https://chat.example"}}, "https://goodchat.example", false},
		{"named as another scheme", openaicompat.Options{AllowOrigins: []string{"https://chat.example"}}, "http://chat.example", false},
		{"this machine where another is named", openaicompat.Options{AllowOrigins: []string{"https://chat.example"}}, "http://localhost:3000", false},
		{"any is named", openaicompat.Options{AllowOrigins: []string{"*"}}, "https://evil.example", true},
		{"any page where any is named", openaicompat.Options{AllowOrigins: []string{"*"}}, "null", true},
		{"another where a key is needed", openaicompat.Options{Keys: keys{"secret": "shop"}}, "https://evil.example", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := guarded(t, tt.options)
			want := http.StatusForbidden
			if tt.welcome {
				want = http.StatusOK
				if tt.options.Keys != nil {
					want = http.StatusUnauthorized
				}
			}
			status, header := ask(t, server.URL+"/v1/chat", "POST", "", tt.origin)
			if status != want {
				t.Errorf("POST: %d, want %d", status, want)
			}
			if shown := header.Get("Access-Control-Allow-Origin") != ""; shown != tt.welcome {
				t.Errorf("POST: shown to the page = %v, want %v", shown, tt.welcome)
			}
			_, header = ask(t, server.URL+"/v1/models", "GET", "", tt.origin)
			if shown := header.Get("Access-Control-Allow-Origin") != ""; shown != tt.welcome {
				t.Errorf("GET: shown to the page = %v, want %v", shown, tt.welcome)
			}
			if header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("cookies are let through")
			}
		})
	}
	server := guarded(t, openaicompat.Options{})
	if status, header := ask(t, server.URL+"/v1/chat", "POST", "", server.URL); status != 200 || header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("a page of the server itself: %d", status)
	}
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	server := guarded(t, openaicompat.Options{})
	for _, path := range []string{"/", "/healthz", "/v1/models", "/nowhere", "/v1/chat"} {
		_, header := ask(t, server.URL+path, "GET", "", "")
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Strict-Transport-Security": ""} {
			if got := header.Get(name); got != want {
				t.Errorf("GET %s: %s = %q, want %q", path, name, got, want)
			}
		}
	}
}

// Over TLS a browser is told to come by it alone; not of this machine, where
// others listen without, nor of an address, for which it would not.
func TestStrictTransport(t *testing.T) {
	handler := openaicompat.New(openaicompat.Options{})
	for host, want := range map[string]bool{"bendi.example": true, "localhost:8443": false, "10.0.0.1": false, "[::1]": false} {
		req := httptest.NewRequest("GET", "/healthz", nil)
		req.Host, req.TLS = host, &tls.ConnectionState{}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		if got := w.Header().Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
}

// Whoever dribbles is cut off, be the body wanted or not; whoever is slow but
// goes on is not, and neither is a stream that begins behind a body.
func TestSlowBodies(t *testing.T) {
	const limit = 300 * time.Millisecond
	locked := guarded(t, openaicompat.Options{BodyTimeout: limit, Keys: keys{"secret": "shop"}})
	open := guarded(t, openaicompat.Options{BodyTimeout: limit})
	for name, url := range map[string]string{"wanted": open.URL, "not wanted": locked.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n{")
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			text, err := io.ReadAll(bufio.NewReader(conn))
			if err != nil {
				t.Fatalf("the connection is still open: %v", err)
			}
			if name == "wanted" && !strings.Contains(string(text), "body_too_slow") {
				t.Errorf("the answer is %q", text)
			}
		})
	}
	t.Run("goes on", func(t *testing.T) {
		t.Parallel()
		body, in := io.Pipe()
		go func() {
			fmt.Fprint(in, wellFormed, strings.Repeat(" ", 64<<10)) // four more seconds
			time.Sleep(2 * limit)
			in.Close()
		}()
		resp, err := http.Post(open.URL+"/v1/chat", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("status %d, want 200", resp.StatusCode)
		}
	})
}

func TestMethods(t *testing.T) {
	server := guarded(t, openaicompat.Options{})
	for _, method := range []string{"TRACE", "CONNECT", "PROPFIND", "X", "get"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		target := "/v1/chat"
		if method == "CONNECT" {
			target = "other.example:443"
		}
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method, target)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d, want 405", method, resp.StatusCode)
		}
	}
}
