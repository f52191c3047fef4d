package redis_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A server is a redis-server that a test has started.
type server struct {
	address string
	port    int
	cmd     *exec.Cmd
	log     string
}

// start starts a redis-server on a free port of this machine, and ends it with
// the test. Lines are of its configuration.
func start(t testing.TB, lines ...string) *server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed, which this test runs against: apt-get install redis-server")
	}
	dir := t.TempDir()
	s := &server{port: freePort(t), log: filepath.Join(dir, "log")}
	s.address = fmt.Sprintf("127.0.0.1:%d", s.port)
	config := append([]string{"bind 127.0.0.1", fmt.Sprint("port ", s.port), "save \"\"", "dir " + dir, "logfile " + s.log, "daemonize no"}, lines...)
	file := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(file, []byte(strings.Join(config, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{file}
	for _, line := range lines {
		if strings.HasPrefix(line, "sentinel ") {
			args = []string{file, "--sentinel"}
		}
	}
	s.cmd = exec.Command(program, args...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Signal(syscall.SIGCONT)
		s.cmd.Process.Kill()
		s.cmd.Wait()
	})
	eventually(t, 20*time.Second, "redis-server", func() error {
		c, err := net.Dial("tcp", s.address)
		if err == nil {
			c.Close()
		}
		return err
	})
	return s
}

// freePort returns a port that is free, and so is the one of a Cluster's bus.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port < 55_000 {
			return port
		}
	}
	t.Fatal("no free port below 55000")
	return 0
}

// cli asks a server by redis-cli.
func (s *server) cli(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "redis-cli", append([]string{"-p", fmt.Sprint(s.port)}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %v: %v: %s", args, err, out)
	}
	return string(out)
}

// eventually tries something until it works.
func eventually(t testing.TB, limit time.Duration, what string, try func() error) {
	t.Helper()
	until := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%s: still %v after %v", what, err, limit)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
