// Package redistest starts Redis servers for tests.
package redistest

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

// A Server is a redis-server that a test has started.
type Server struct {
	Address string // host:port
	Port    int
	Process *os.Process
}

// Start starts a redis-server on a free port of this machine, and ends it with
// the test. Lines are of its configuration. Where none is installed, the test is
// skipped.
func Start(t testing.TB, lines ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed, which this test runs against: apt-get install redis-server")
	}
	dir, port := t.TempDir(), freePort(t)
	config := append([]string{"bind 127.0.0.1", fmt.Sprint("port ", port), "save \"\"", "dir " + dir, "logfile " + filepath.Join(dir, "log"), "daemonize no"}, lines...)
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
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGCONT)
		cmd.Process.Kill()
		cmd.Wait()
	})
	s := &Server{fmt.Sprintf("127.0.0.1:%d", port), port, cmd.Process}
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := s.ping()
		if err == nil {
			return s
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("redis-server does not answer: %v", err)
		}
	}
}

// ping waits for an answer. That a password is missing is one.
func (s *Server) ping() error {
	c, err := net.DialTimeout("tcp", s.Address, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
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

// CLI asks the server by redis-cli.
func (s *Server) CLI(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "redis-cli", append([]string{"-p", fmt.Sprint(s.Port)}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %v: %v: %s", args, err, out)
	}
	return string(out)
}
