// Command bench-memory measures what the memory of conversations adds to a
// request: a gateway answers from an upstream of this program's own, in turns on
// a route without sessions, where the client sends the conversation so far, and
// on one with them, where it sends what is new; the upstream is asked the same.
// Conversations have ten turns, and one request is made at a time. The store is
// SQLite with many sessions in its file, and then a Redis of its own. `make
// bench-memory` runs it.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"bendi/conversation"
	"bendi/conversation/sqlite"
	table "bendi/internal/benchtable"
	"bendi/internal/programs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-memory:", err)
		os.Exit(1)
	}
}

// What a request may take longer with memory, in the median.
const (
	sqliteBar = 500 * time.Microsecond
	redisBar  = time.Millisecond
)

type bench struct {
	dir      string
	bendi    string
	requests int
	upstream string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	b := new(bench)
	f := flag.NewFlagSet("bench-memory", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&b.bendi, "bendi", "bin/bendi", "the gateway")
	f.IntVar(&b.requests, "requests", 3000, "requests on each route")
	sessions := f.Int("sessions", 1_000_000, "sessions in the file of SQLite")
	file := f.String("file", "", "the file of SQLite, which is filled where it is not there, and kept (default: one that is not kept)")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || b.requests < 100 || *sessions < 0 {
		return errors.New("no arguments are known beside flags, and requests begin at 100; see --help")
	}
	if _, err := os.Stat(b.bendi); err != nil {
		return fmt.Errorf("there is no gateway to measure: %w; run make build", err)
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "bench-memory-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	upstream := httptest.NewServer(http.HandlerFunc(answer))
	defer upstream.Close()
	b.upstream = upstream.URL

	fmt.Fprintln(stdout, table.Look())
	if *file == "" {
		*file = filepath.Join(b.dir, "sessions.db")
	}
	if _, err := os.Stat(*file); err != nil {
		fmt.Fprintf(stderr, "filling the file with %d sessions\n", *sessions)
		if err := fill(ctx, *file, *sessions); err != nil {
			return err
		}
	}
	fmt.Fprintf(stdout, "%-28s %9s %9s %9s %9s %9s %9s\n", "ms", "without", "P99", "with", "P99", "added", "bar")
	name := fmt.Sprintf("SQLite, %d sessions", *sessions)
	if err := b.measure(ctx, stdout, name, fmt.Sprintf("sessions: {store: sqlite}\nstores: {sqlite: {file: %q}}", *file), sqliteBar); err != nil {
		return err
	}
	redis, stop, err := b.redis(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		fmt.Fprintln(stdout, "Redis: skipped, there is no redis-server on this machine; on Debian: apt-get install redis-server")
		return nil
	}
	if err != nil {
		return err
	}
	defer stop()
	return b.measure(ctx, stdout, "Redis on this machine", fmt.Sprintf("sessions: {store: redis}\nstores: {redis: {addresses: [%q]}}", redis), redisBar)
}

var said = []string{"今天天气很好，", "我们去公园散步。"}

// question is the body of a request with so many turns before it.
func question(turns int) []byte {
	const ask = `{"role":"user","content":"今天天气怎么样？"}`
	before := ask + `,{"role":"assistant","content":"` + strings.Join(said, "") + `"},`
	return []byte(`{"messages":[` + strings.Repeat(before, turns) + ask + `]}`)
}

// answer says the same to everybody.
func answer(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	for _, text := range said {
		fmt.Fprintf(w, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n", text)
	}
	io.WriteString(w, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":9,\"total_tokens\":18}}\n\ndata: [DONE]\n\n")
}

// fill stores sessions of one kilobyte, of a thousand owners.
func fill(ctx context.Context, path string, many int) error {
	store, err := sqlite.Open(path, sqlite.Normal)
	if err != nil {
		return err
	}
	data := bytes.Repeat([]byte("x"), 1000)
	const writers = 64
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < many && errs[w] == nil; i += writers {
				key := conversation.Key{Owner: conversation.Owner(fmt.Sprint("o", i%1000)), ID: fmt.Sprint(i)}
				errs[w] = store.Save(ctx, key, 0, conversation.Value{Version: 1, Data: data}, 24*time.Hour)
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, store.Close())...)
}

// redis starts a Redis that keeps everything in memory.
func (b *bench) redis(ctx context.Context) (address string, stop func(), err error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, err
	}
	if address, err = programs.FreeAddress(); err != nil {
		return "", nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	p, err := programs.Launch(exec.CommandContext(ctx, program, "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", b.dir))
	if err != nil {
		return "", nil, err
	}
	go io.Copy(io.Discard, p.Stdout)
	return address, p.Stop, until(ctx, func() error {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err
	})
}

// measure asks a gateway with a store, and prints a row.
func (b *bench) measure(ctx context.Context, stdout io.Writer, name, store string, bar time.Duration) error {
	address, err := programs.FreeAddress()
	if err != nil {
		return err
	}
	file := filepath.Join(b.dir, "bendi.yaml")
	config := fmt.Sprintf(`
listen: %s
data: %s
log: {level: error}
backends:
  up: {url: "%s/v1", zone: inside, probe: off, models: {m: {context: 100000}}}
routes:
  - {path: /v1/chat, models: [up/m], session: off, filter: off}
  - {path: /v1/memory, models: [up/m], filter: off}
%s
`, address, b.dir, b.upstream, store)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	p, err := programs.Launch(exec.CommandContext(ctx, b.bendi, "serve", "--config", file))
	if err != nil {
		return err
	}
	defer p.Stop()
	go io.Copy(io.Discard, p.Stdout)
	url := "http://" + address
	if err := until(ctx, func() error { _, err := ask(ctx, url+"/v1/chat", "", 0); return err }); err != nil {
		return p.Failed(fmt.Errorf("the gateway does not answer: %w", err))
	}
	took := map[string][]time.Duration{}
	run := time.Now().UnixMilli()        // sessions of an earlier run may be in the file
	for i := -100; i < b.requests; i++ { // the first warm it up
		for _, path := range []string{"/v1/chat", "/v1/memory"} {
			turns := (i + 100) % 10
			if path == "/v1/memory" {
				turns = 0 // the gateway has them
			}
			begin := time.Now()
			told, err := ask(ctx, url+path, fmt.Sprint("s", run, "-", (i+100)/10), turns)
			if err != nil {
				return err
			}
			if want := fmt.Sprint("kept=", (i+100)%10*2); path == "/v1/memory" && told != want {
				return fmt.Errorf("a turn was answered with %q, want %q", told, want)
			}
			if i >= 0 {
				took[path] = append(took[path], time.Since(begin))
			}
		}
	}
	without, with := table.Milliseconds(took["/v1/chat"]), table.Milliseconds(took["/v1/memory"])
	added, most := table.Median(with)-table.Median(without), bar.Seconds()*1000
	verdict := "ok"
	if added > most {
		verdict = "MISSED"
	}
	_, err = fmt.Fprintf(stdout, "%-28s %9.2f %9.2f %9.2f %9.2f %9.2f %9.2f %s\n", name,
		table.Median(without), table.Percentile(without, 99), table.Median(with), table.Percentile(with, 99), added, most, verdict)
	return err
}

// ask has a request with so many turns before it answered, and returns what the answer says of its session.
func ask(ctx context.Context, url, session string, turns int) (told string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(question(turns)))
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Session-ID", session)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return resp.Header.Get("X-Bendi-Session"), err
}

// until tries something for a minute at most.
func until(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}
