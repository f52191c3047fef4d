package openaicompat_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/tools/txtar"

	"bendi/access"
	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/openaicompat"
	"bendi/router"
)

var update = flag.Bool("update", false, "rewrite the responses in testdata")

// TestTranscripts plays the files of testdata. The sections of a file are
// played in order:
//
//	setup      options of the server, see options
//	engine     the chattest.Script that every model plays from here on
//	request    request line, headers, an empty line, and the body, see body
//	response   status, headers but for Date, Content-Length and Vary, and the body
//
// The HTTP is real; the network and the clock are not, so that waiting takes
// no time.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { play(t, ar) })
			if *update && !t.Failed() {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func play(t *testing.T, ar *txtar.Archive) {
	var script engine
	o := openaicompat.Options{Routes: script.routes(t)}
	var client *http.Client
	var got []byte
	t.Cleanup(func() { time.Sleep(time.Second) }) // net/http lingers after it has refused a body
	for i, f := range ar.Files {
		switch f.Name {
		case "setup":
			options(t, &o, string(f.Data))
		case "engine":
			script.Script = chattest.Script(f.Data)
		case "request":
			if client == nil {
				client = serve(t, openaicompat.New(o))
			}
			got = exchange(t, client, f.Data)
		case "response":
			if *update {
				ar.Files[i].Data = got
			} else if !bytes.Equal(got, f.Data) {
				t.Errorf("got\n%s\nwant\n%s", got, f.Data)
			}
		default:
			t.Fatalf("no such section: %s", f.Name)
		}
	}
}

// An engine plays a script that may be exchanged between requests.
type engine struct{ chattest.Script }

func (e *engine) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return e.Script.Chat(ctx, req)
}

// routes are those of the built-in configuration, with an alias.
func (e *engine) routes(t testing.TB) []openaicompat.Route {
	t.Helper()
	offers := []router.Offer{
		{ModelInfo: chat.ModelInfo{ID: "bendi-demo", Created: 1700000000, OwnedBy: "local", Context: 2048}, Backend: "engine-1", Model: e},
		{ModelInfo: chat.ModelInfo{ID: "bendi-demo:service", Created: 1700000000, OwnedBy: "local", Context: 2048}, Backend: "engine-1", Model: e},
	}
	basic, err1 := router.New(offers, "", map[string]string{"auto": "bendi-demo"})
	other := offers[1]
	other.ID = "hf.co/qwen:q4"
	pro, err2 := router.New([]router.Offer{offers[1], other}, "", nil)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return []openaicompat.Route{{Path: "/v1/chat", Model: basic}, {Path: "/v1/chat/pro", Model: pro}}
}

// keys maps secrets to names.
type keys map[string]string

func (k keys) Needed() bool { return true }

func (k keys) Check(_ context.Context, secret string) (access.Identity, error) {
	name, ok := k[secret]
	if !ok {
		return access.Identity{}, &access.Refusal{Code: "invalid_api_key", Text: "The API key is not known here. Ask whoever runs this server for one."}
	}
	return access.Identity{Name: name}, nil
}

// options reads the lines of a setup.
func options(t *testing.T, o *openaicompat.Options, setup string) {
	t.Helper()
	for line := range strings.Lines(setup) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "key":
			name, secret, _ := strings.Cut(rest, " ")
			o.Keys = keys{secret: name}
		case "not-ready":
			o.Ready = func() error { return errors.New(rest) }
		case "max-body":
			n, err := strconv.ParseInt(rest, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			o.MaxBody = n
		case "origins":
			o.AllowOrigins = strings.Fields(rest)
		default:
			t.Fatalf("no such option: %s", line)
		}
	}
}

// always are headers that every response has, and that no transcript shows.
var always = []string{"Date", "Content-Length", "Vary", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "Content-Security-Policy"}

// exchange sends a request of a transcript and returns the response as one.
func exchange(t *testing.T, client *http.Client, request []byte) []byte {
	t.Helper()
	head, tail, _ := strings.Cut(string(request), "\n\n")
	line, headers, _ := strings.Cut(strings.TrimSuffix(head, "\n"), "\n")
	method, path, _ := strings.Cut(line, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, "http://bendi.test"+path, bytes.NewReader(body(t, tail)))
	if err != nil {
		t.Fatal(err)
	}
	for h := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(h), ": ")
		req.Header.Add(name, value)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}

	var out bytes.Buffer
	fmt.Fprintln(&out, res.StatusCode)
	if res.Header.Get("Cache-Control") == "no-store" {
		res.Header.Del("Cache-Control") // what has no other
	}
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		if !slices.Contains(always, name) {
			fmt.Fprintf(&out, "%s: %s\n", name, strings.Join(res.Header[name], ", "))
		}
	}
	fmt.Fprintf(&out, "\n%s", text)
	if n := len(text); n > 0 && text[n-1] != '\n' {
		out.WriteByte('\n') // txtar has whole lines only
	}
	return ids.ReplaceAll(out.Bytes(), []byte("${1}${2}ID"))
}

var ids = regexp.MustCompile(`(resp_|msg_|rs_|fc_)[a-z0-9]{53}|(req_|chatcmpl-|cmpl-|msg_)[a-z0-9]{26}`)

// body reads the body of a transcript's request. A line that begins with an
// exclamation mark stands for what cannot be written there:
//
//	!repeat 1000 [        a text, a thousand times
//	!quote "\xff"         the text in Go's syntax
//
// and its line end does not count, nor does the last one of the body.
func body(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "!repeat":
			times, what, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(times)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString(strings.Repeat(what, n))
		case "!quote":
			what, err := strconv.Unquote(rest)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString(what)
		default:
			out.WriteString(line)
		}
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// serve serves h on a network of pipes until the test ends, and returns a
// client of it. It works in a synctest bubble.
func serve(t testing.TB, h http.Handler) *http.Client {
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	served := make(chan error)
	go func() { served <- srv.Serve(l) }()
	tr := &http.Transport{DialContext: l.dial, DisableCompression: true}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		srv.Close()
		<-served
	})
	return &http.Client{Transport: tr, Timeout: time.Hour}
}

// pipes is a listener whose connections are in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipes) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	return nil, cmp.Or(context.Cause(ctx), net.ErrClosed)
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error { close(l.closed); return nil }

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }
