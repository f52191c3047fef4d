package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"bendi/internal/programs"
)

// A setup is what a server is started with, ours and any other's.
type setup struct {
	model   string
	context int // tokens of each sequence
	slots   int
	threads int    // 0: as many as the worker chooses
	profile string // of ours; empty: none
}

// A server is a running process that is asked.
type server struct {
	*process
	name   string
	base   string // URL
	client *http.Client
}

// A process is one that this program started and ends.
type process struct {
	*programs.Process
	remove string // folder to remove after it
}

// launch starts a program, which ends with ctx at the latest.
func launch(ctx context.Context, path string, args ...string) (*process, error) {
	p, err := programs.Launch(exec.CommandContext(ctx, path, args...))
	if err != nil {
		return nil, err
	}
	return &process{Process: p}, nil
}

// stop ends the process and waits for it.
func (p *process) stop() {
	if p == nil {
		return
	}
	p.Stop()
	p.removeFolder()
}

func (p *process) removeFolder() {
	if p.remove != "" {
		os.RemoveAll(p.remove)
	}
}

// failed ends the process and returns err with what it last said.
func (p *process) failed(err error) error {
	defer p.removeFolder()
	return p.Failed(err)
}

// memory returns the bytes of the process that are in memory.
func (p *process) memory() float64 {
	size, _ := programs.Memory(p.Cmd.Process.Pid, "VmRSS") // 0 where there is none
	return float64(size)
}

// busy returns the processor time that the process has used.
func (p *process) busy() time.Duration {
	if p == nil { // a test's server
		return 0
	}
	return programs.Processor(p.Cmd.Process.Pid)
}

// worker starts bendi-engine.
func (b *bench) worker(ctx context.Context, s setup) (*server, error) {
	dir, err := os.MkdirTemp("", "bench-engine-")
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "engine.sock")
	args := append(b.engineArgs(s), "--socket", socket)
	if s.profile != "" {
		args = append(args, "--cpuprofile", s.profile)
	}
	p, err := launch(ctx, b.engine, args...)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	p.remove = dir
	line, err := p.Stdout.ReadString('\n')
	if err != nil || !strings.Contains(line, `"event":"ready"`) {
		return nil, p.failed(fmt.Errorf("not ready: %s", strings.TrimSpace(line)))
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &server{p, "bendi-engine", "http://engine", clientOf(dial)}, nil
}

func (b *bench) engineArgs(s setup) []string {
	return []string{
		"--library", b.library, "--model", s.model, "--context", fmt.Sprint(s.context),
		"--slots", fmt.Sprint(s.slots), "--threads", fmt.Sprint(s.threads),
	}
}

// other starts llama-server with as many threads, slots and tokens.
func (b *bench) other(ctx context.Context, s setup) (*server, error) {
	address, err := programs.FreeAddress() // it takes a number, not a listener
	if err != nil {
		return nil, err
	}
	args := append([]string{
		"--model", s.model, "--host", "127.0.0.1", "--port", strings.TrimPrefix(address, "127.0.0.1:"),
		"--threads", fmt.Sprint(s.threads), "--threads-batch", fmt.Sprint(s.threads),
		"--parallel", fmt.Sprint(s.slots), "--ctx-size", fmt.Sprint(s.context * s.slots),
	}, b.llamaArgs...)
	p, err := launch(ctx, b.llama, args...)
	if err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		io.Copy(io.Discard, p.Stdout)
	}()
	srv := &server{p, "llama-server", "http://" + address, clientOf(new(net.Dialer).DialContext)}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if res, err := srv.client.Get(srv.base + "/health"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return srv, nil
			}
		}
		select {
		case <-exited:
			return nil, p.failed(errors.New("has ended"))
		case <-ctx.Done():
			return nil, p.failed(ctx.Err())
		default:
		}
		if time.Now().After(deadline) {
			return nil, p.failed(errors.New("does not answer at /health"))
		}
	}
}

// clientOf returns a client that keeps as many connections as it needs and
// knows no proxy.
func clientOf(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 1024, DisableCompression: true}}
}

// A ceiling is bendi-engine measuring itself without a server.
type ceiling struct{ *process }

// A round is a line that it answers with.
type round struct {
	TokensPerSecond float64 `json:"tokens_per_second"`
}

func (b *bench) ceiling(ctx context.Context, s setup) (ceiling, error) {
	p, err := launch(ctx, b.engine, append(b.engineArgs(s), "--ceiling", "1,16,16")...)
	if err != nil {
		return ceiling{}, err
	}
	c := ceiling{p}
	_, err = c.read() // the round that warms it up
	return c, err
}

// measure has it go through one round.
func (c ceiling) measure(streams, in, out int) (round, error) {
	if _, err := fmt.Fprintf(c.Stdin, "%d,%d,%d\n", streams, in, out); err != nil {
		return round{}, c.failed(err)
	}
	return c.read()
}

func (c ceiling) read() (r round, err error) {
	line, err := c.Stdout.ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &r)
	}
	if err == nil && r.TokensPerSecond == 0 {
		err = fmt.Errorf("measured nothing: %s", strings.TrimSpace(line))
	}
	if err != nil {
		return r, c.failed(err)
	}
	return r, nil
}
