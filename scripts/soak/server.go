package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"bendi/internal/programs"
)

// A server is the gateway under load.
type server struct {
	url     string
	cmd     *exec.Cmd
	dir     string // of its configuration, removed at the end
	adapter string // file of the one that comes and goes
	client  *http.Client
	done    chan struct{} // closed when it has ended
	err     error         // how

	mu  sync.Mutex
	out bytes.Buffer // what it printed
}

func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Write(p)
	if over := s.out.Len() - 64<<10; over > 0 {
		s.out.Next(over)
	}
	return len(p), nil
}

func (s *server) printed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// startServer starts bin/bendi on a free port and waits until it is ready.
func startServer(ctx context.Context, home string) (*server, error) {
	models := filepath.Join(home, "models", "demo")
	dir, err := os.MkdirTemp("", "bendi-soak-")
	if err != nil {
		return nil, err
	}
	s := &server{
		dir: dir, adapter: filepath.Join(models, "bendi-demo-service-lora.gguf"), done: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}},
	}
	file := filepath.Join(dir, "bendi.yaml")
	config := fmt.Sprintf(`
data: data # beside this file, and not what the user's own server remembers
log: {level: warn}
models:
  demo:
    path: %s
    context: 1024
    slots: 16
    adapters: {service: %s}
    adapter_dirs: [%s]
routes:
  - path: /v1/chat
    models: [demo, "demo:*"]
  - path: /v1/chat/pro
    models: ["demo:service"]
`, filepath.Join(models, "bendi-demo-q8_0.gguf"), s.adapter, models)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(filepath.Join(home, "bin", "bendi"), "serve", "--config", file, "--listen", "127.0.0.1:0", "--lang", "en")
	s.cmd.Stdout, s.cmd.Stderr = s, s
	s.cmd.Env = append(os.Environ(), "BENDI_HOME="+home)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("%w; run `make build` first", err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	for {
		if url, ok := programs.API(s.printed()); ok {
			s.url = url
			if strings.Contains(s.printed(), "Not ready") {
				s.stop()
				return nil, errors.New("the server is not ready:\n" + s.printed())
			}
			return s, nil
		}
		select {
		case <-s.done:
			os.RemoveAll(dir)
			return nil, fmt.Errorf("the server ended: %v\n%s", s.err, s.printed())
		case <-ctx.Done():
			s.stop()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the server and what it started.
func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Process.Signal(syscall.SIGTERM) // do not wait for answers
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		s.cmd.Process.Kill()
		<-s.done
	}
	os.RemoveAll(s.dir)
}
