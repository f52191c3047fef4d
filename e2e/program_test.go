package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// home returns the root of the repository, which is an installation once it
// has been built.
func home(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// program returns the path of a built program.
func program(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(home(t), "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
	return path
}

// demo returns the path of a file of the demo model.
func demo(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(home(t), "models", "demo", name)
}

const (
	demoModel   = "bendi-demo-q8_0.gguf"
	demoAdapter = "bendi-demo-service-lora.gguf"
)

// bendi prepares a run of the program in an empty folder, in English, without
// any setting of whoever runs the test. What it leaves behind is in that folder.
func bendi(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	return bendiIn(t, t.TempDir(), args...)
}

// bendiIn is bendi in a folder of its caller's.
func bendiIn(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program(t, "bendi"), args...)
	cmd.Dir = dir
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		switch {
		case strings.HasPrefix(name, "BENDI_"), strings.HasPrefix(name, "LC_"), name == "LANG", name == "HOME", strings.HasPrefix(name, "XDG_"):
		default:
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(cmd.Env, "LANG=C.UTF-8", "HOME="+cmd.Dir, "XDG_RUNTIME_DIR="+cmd.Dir, "BENDI_HOME="+home(t))
	return cmd
}

// A result is how a run of the program ended.
type result struct {
	code           int
	stdout, stderr string
}

// run runs bendi to its end.
func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	cmd := bendi(t, args...)
	cmd.Stdin = strings.NewReader(stdin)
	return finish(t, cmd)
}

// finish runs a prepared command to its end, for a minute at most.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended || ctx.Err() != nil {
		t.Fatalf("%v: %v, %v%v", cmd.Args, err, ctx.Err(), r)
	}
	return r
}

func (r result) String() string {
	return "\n-- stdout --\n" + r.stdout + "-- stderr --\n" + r.stderr
}

// want checks the exit code, and that the output holds each of words.
func (r result) want(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code = %d, want %d%v", r.code, code, r)
	}
	for _, word := range words {
		if !strings.Contains(r.stdout+r.stderr, word) {
			t.Errorf("%q is not in the output%v", word, r)
		}
	}
}

// writeFile writes a file into a folder of the test's and returns its path.
func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// eventually waits until ok, and fails the test when that takes longer than
// limit.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > limit {
			t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// within returns the time in which a promise has to be kept: the one it names,
// and more where others want the cores as well.
func within(promise time.Duration) time.Duration {
	load := 0.0
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(data), &load)
	}
	return time.Duration(float64(promise) * max(1, load/float64(runtime.NumCPU())))
}

// A transcript collects what a running program prints.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
