package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"bendi/internal/programs"
)

// A contestant is something that answers the load.
type contestant struct {
	name string
	url  string // of chat completions
	*programs.Process
}

// processor returns how much processor time the contestant and its children have
// used so far, in microseconds; 0 where it is not a process of ours.
func (c contestant) processor() float64 {
	if c.Process == nil {
		return 0
	}
	var sum time.Duration
	for _, pid := range programs.Family(c.Cmd.Process.Pid) {
		sum += programs.Processor(pid)
	}
	return float64(sum.Microseconds())
}

// self starts this program in another of its roles, and returns its address.
func self(ctx context.Context, args ...string) (*programs.Process, string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	p, err := programs.Launch(exec.CommandContext(ctx, program, args...))
	if err != nil {
		return nil, "", err
	}
	address, err := p.Stdout.ReadString('\n')
	if err != nil {
		return nil, "", p.Failed(fmt.Errorf("%s did not start: %w", args[0], err))
	}
	go io.Copy(io.Discard, p.Stdout)
	return p, strings.TrimSpace(address), nil
}

// path returns where a program is, also where it is installed for administrators;
// empty: nowhere.
func path(program string) string {
	for _, at := range []string{program, "/usr/sbin/" + program, "/usr/local/sbin/" + program} {
		if path, err := exec.LookPath(at); err == nil {
			return path
		}
	}
	return ""
}

// nginx is a plain reverse proxy: connections to the upstream are kept, what
// is streamed is not buffered, nothing is logged.
func (b *bench) nginx(ctx context.Context) (contestant, error) {
	address, err := programs.FreeAddress()
	if err != nil {
		return contestant{}, err
	}
	dir := filepath.Join(b.dir, "nginx")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return contestant{}, err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConf, b.cores, dir, dir, dir, b.address, address), 0o644); err != nil {
		return contestant{}, err
	}
	return ready(ctx, "nginx", address, path("nginx"), "-p", dir, "-c", file, "-e", "stderr")
}

const nginxConf = `
worker_processes %d;
daemon off;
pid %s/nginx.pid;
error_log stderr crit;
events { worker_connections 8192; }
http {
	access_log off;
	client_body_temp_path %s/body;
	proxy_temp_path %s/proxy;
	fastcgi_temp_path off; uwsgi_temp_path off; scgi_temp_path off;
	keepalive_requests 1000000;
	upstream backend { server %s; keepalive 128; keepalive_requests 1000000; }
	server {
		listen %s;
		location / {
			proxy_pass http://backend;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_buffering off;
		}
	}
}
`

// gateway is bendi with one backend, and its content filter on.
func (b *bench) gateway(ctx context.Context, name, program string) (contestant, error) {
	address, err := programs.FreeAddress()
	if err != nil {
		return contestant{}, err
	}
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return contestant{}, err
	}
	policy, lexicons := "off", "[]"
	if b.words > 0 {
		policy, lexicons = "default", "[{path: words.txt, category: bench, level: 2}]"
		if err := os.WriteFile(filepath.Join(dir, "words.txt"), []byte(strings.Join(randomWords(b.words), "\n")+"\n"), 0o644); err != nil {
			return contestant{}, err
		}
	}
	file := filepath.Join(dir, "bendi.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, bendiYAML, address, b.address, policy, lexicons), 0o644); err != nil {
		return contestant{}, err
	}
	return ready(ctx, name, address, program, "serve", "--config", file)
}

const bendiYAML = `
listen: %s
data: data
log: {level: error}
backends:
  upstream: {url: "http://%s/v1", zone: inside, models: {m: m}, max_conns: 10000, max_idle: 256, probe: "off"}
routes:
  - {path: /v1/chat, models: [upstream/m], aliases: {m: upstream/m}, filter: %s}
lexicons: %s
`

// randomWords are three to eight characters each, none of which is in the prose.
func randomWords(n int) []string {
	d := rand.New(rand.NewPCG(1, uint64(n)))
	words := make([]string, n)
	for i := range words {
		var w strings.Builder
		for range 3 + d.IntN(6) {
			w.WriteRune(rune(0x4e00 + d.IntN(3755)))
		}
		words[i] = w.String()
	}
	return words
}

// ready starts a server and waits until it answers.
func ready(ctx context.Context, name, address, program string, args ...string) (contestant, error) {
	p, err := programs.Launch(exec.CommandContext(ctx, program, args...))
	if err != nil {
		return contestant{}, fmt.Errorf("%s: %w", name, err)
	}
	go io.Copy(io.Discard, p.Stdout)
	c := contestant{name, "http://" + address + "/v1/chat/completions", p}
	for range 100 {
		if err = c.check(ctx); err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			p.Stop()
			return contestant{}, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return contestant{}, p.Failed(fmt.Errorf("%s does not answer as it should: %w", name, err))
}

// check asks for an answer of each kind, and looks whether it is whole.
func (c contestant) check(ctx context.Context) error {
	for _, stream := range []bool{false, true} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(question(stream)))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		switch {
		case err != nil:
			return err
		case res.StatusCode != http.StatusOK:
			return fmt.Errorf("status %d: %s", res.StatusCode, body)
		}
		text := string(body)
		if stream && (strings.Count(text, `"content":"`) < deltas || !strings.HasSuffix(text, "data: [DONE]\n\n")) || !stream && !strings.Contains(text, piece(0)+piece(1)+piece(2)) {
			return errors.New("the answer is not whole")
		}
	}
	return nil
}

// question is the body of a request.
func question(stream bool) string {
	asks := `{"model":"m","messages":[{"role":"system","content":"You are a helpful assistant. Answer in the language of the question."},{"role":"user","content":"公园里有什么好玩的？请简单介绍一下湖边的茶馆。"}],"temperature":0.7,"max_tokens":256,"user":"bench"`
	if stream {
		return asks + `,"stream":true}`
	}
	return asks + "}"
}
