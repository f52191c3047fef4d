package llamacpp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
)

// start starts a fake worker that does what the model says. It is closed at
// the end of the test, which leaves nothing behind.
func start(t *testing.T, model string, change ...func(*Config)) *Worker {
	t.Helper()
	before := runtime.NumGoroutine()
	cfg := Config{
		Name: "tiny", Worker: os.Args[0], Library: t.TempDir(), Model: model,
		Context: 2048, Slots: 4, Threads: 2, SocketDir: t.TempDir(),
	}
	for _, f := range change {
		f(&cfg)
	}
	w, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Close()
		if left, _ := os.ReadDir(cfg.SocketDir); len(left) > 0 {
			t.Errorf("Close left %v in the socket folder", left)
		}
		for range 100 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		buf := make([]byte, 64<<10)
		t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
	})
	return w
}

// started is start that waits until the worker is ready.
func started(t *testing.T, model string, change ...func(*Config)) *Worker {
	t.Helper()
	w := start(t, model, change...)
	if err := w.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func pid(t *testing.T, w *Worker) int {
	t.Helper()
	info, ok := w.Info()
	if !ok {
		t.Fatalf("no worker: %v", w.Ready())
	}
	return int(info.MemoryBytes) // where the fake puts it
}

// alive reports whether a process runs; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func vanishes(t *testing.T, pid int, limit time.Duration) {
	t.Helper()
	for start := time.Now(); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > limit {
			syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d still lives after %v", pid, limit)
		}
	}
}

func TestContract(t *testing.T) {
	chattest.Contract(t, started(t, "ready"), ask)
}

func TestContractOfASlowAnswer(t *testing.T) {
	w := started(t, "slow")
	t.Run("leaving early", func(t *testing.T) {
		start := time.Now()
		for _, err := range w.Chat(t.Context(), ask()) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestInfoAndModels(t *testing.T) {
	t.Setenv("BENDI_API_KEY", "canary")
	t.Setenv("CUDA_VISIBLE_DEVICES", "0")
	file := filepath.Join(t.TempDir(), "ready")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := started(t, file, func(c *Config) {
		c.Adapters = map[string]string{"service": "/loras/service.gguf", "law": "/loras/law.gguf"}
		c.Cache, c.GPULayers = 4096, 20
	})
	info, ok := w.Info()
	if info.Slots != 4096 || info.Layers != 20 { // where the fake repeats them
		t.Errorf("the worker heard of a cache of %d and %d layers", info.Slots, info.Layers)
	}
	if !ok || info.Name != "tiny" || info.LoadTime != 1500*time.Millisecond || !slices.Equal(info.Adapters, []string{"law=/loras/law.gguf", "service=/loras/service.gguf"}) {
		t.Errorf("got %+v, %v", info, ok)
	}
	if strings.Contains(info.Device, "canary") || !strings.Contains(info.Device, "CUDA_VISIBLE_DEVICES=0") || !strings.Contains(info.Device, "GGML_NO_BACKTRACE=1") {
		t.Errorf("the worker's environment is\n%s", info.Device)
	}
	var ids []string
	for _, m := range w.Models() {
		ids = append(ids, m.ID)
		if m.Context != 2048 || m.OwnedBy != "local" || time.Since(time.Unix(m.Created, 0)) > time.Minute {
			t.Errorf("got %+v", m)
		}
	}
	if !slices.Equal(ids, []string{"tiny", "tiny:law", "tiny:service"}) {
		t.Errorf("models are %q", ids)
	}
}

// Eight answers end with an error within a second of their worker's violent
// death, another worker's goes on, and the next request has its answer begun
// within two.
func TestKilledWhileAnswering(t *testing.T) {
	w, other := started(t, "slow"), started(t, "slow")
	var otherFailed error
	otherDone := make(chan struct{})
	go func() {
		defer close(otherDone)
		n := 0
		for _, err := range other.Chat(t.Context(), ask()) {
			if n++; err != nil || n == 60 {
				otherFailed = err
				return
			}
		}
	}()

	var begun, ended sync.WaitGroup
	errs := make([]error, 8)
	times := make([]time.Time, 8)
	for i := range 8 {
		begun.Add(1)
		ended.Go(func() {
			first := sync.OnceFunc(begun.Done)
			for _, err := range w.Chat(t.Context(), ask()) {
				first()
				errs[i] = err
			}
			times[i] = time.Now()
		})
	}
	begun.Wait()
	before := pid(t, w)
	killed := time.Now()
	syscall.Kill(before, syscall.SIGKILL)

	for ev, err := range w.Chat(t.Context(), ask()) {
		if err != nil {
			t.Errorf("the next request: %v", err)
		} else if d := time.Since(killed); d > 2*time.Second {
			t.Errorf("the next request's first event came after %v: %+v", d, ev)
		}
		break
	}
	ended.Wait()
	for i, err := range errs {
		e, ok := errors.AsType[*chat.Error](err)
		if !ok || e.Kind != chat.Unavailable || e.Code != chat.CodeEngineFailed || !strings.Contains(e.Msg, "ask again") || e.RetryAfter == 0 {
			t.Errorf("answer %d: got %v", i, err)
		} else if !strings.Contains(err.Error(), "signal: killed") {
			t.Errorf("answer %d: the log is not told how it died: %v", i, err)
		}
		if d := times[i].Sub(killed); d > time.Second {
			t.Errorf("answer %d ended %v after its worker", i, d)
		}
	}
	if now := pid(t, w); now == before {
		t.Errorf("the process is still %d", now)
	}
	<-otherDone
	if otherFailed != nil {
		t.Errorf("the other worker: %v", otherFailed)
	}
}

// A request that comes in the moment between a worker's death and its
// discovery is answered as well.
func TestRequestsAroundADeath(t *testing.T) {
	w := started(t, "ready")
	for range 3 {
		syscall.Kill(pid(t, w), syscall.SIGKILL)
		for range 5 {
			_, err := chattest.Collect(w.Chat(t.Context(), ask()), 1)
			// A request that the dead process had taken is lost; that is said.
			if e, ok := errors.AsType[*chat.Error](err); err != nil && (!ok || e.Code != chat.CodeEngineFailed) {
				t.Error(err)
			}
		}
		if err := w.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A request that kills its worker is not tried on the next one.
func TestAPoisonousRequestKillsOnce(t *testing.T) {
	dir := t.TempDir()
	w := started(t, "ready", func(c *Config) { c.Library = dir })
	poison := ask()
	poison.Messages[0] = chat.TextMessage(chat.User, "poison")
	for i := range 2 {
		if _, err := chattest.Collect(w.Chat(t.Context(), ask()), 1); err != nil { // leaves a connection open
			t.Fatal(err)
		}
		_, err := chattest.Collect(w.Chat(t.Context(), poison), 1)
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Code != chat.CodeEngineFailed {
			t.Errorf("got %v", err)
		}
		if data, _ := os.ReadFile(filepath.Join(dir, "poisoned")); string(data) != fmt.Sprint(i+1) {
			t.Errorf("%s processes died of %d requests", data, i+1)
		}
	}
}

func TestFiveDeathsAreAFailure(t *testing.T) {
	var log strings.Builder
	w := start(t, "noisy", func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	err := w.Wait(t.Context())
	e, ok := errors.AsType[*chat.Error](err)
	if !ok || e.Kind != chat.Unavailable || e.Code != chat.CodeEngineFailed || !strings.Contains(e.Msg, "died 5 times within 60 s") {
		t.Fatalf("got %v", err)
	}
	d, ok := errors.AsType[*death](err)
	if !ok || d.how != "exit status 3" {
		t.Fatalf("got %v", err)
	}
	if len(d.log) != 50 || d.log[0] != "line 953" || d.log[49] != "the very last words" || !strings.HasSuffix(d.log[48], "xxx [2952 more bytes cut off]") {
		t.Errorf("the end of the log has %d lines: %.20q … %.20q, %q", len(d.log), d.log[0], d.log[48], d.log[49])
	}

	began := time.Now()
	_, err = chattest.Collect(w.Chat(t.Context(), ask()), 1)
	e, ok = errors.AsType[*chat.Error](err)
	if !ok || e.Code != chat.CodeEngineFailed || !strings.Contains(e.Msg, "bendi doctor") || strings.Contains(e.Msg, "line 9") || e.RetryAfter < 50*time.Second {
		t.Errorf("a request got %v", err)
	}
	if d := time.Since(began); d > time.Second {
		t.Errorf("the refusal took %v", d)
	}
	w.Close()
	if n := strings.Count(log.String(), "engine died"); n != 4 {
		t.Errorf("%d deaths were logged, want 4 and a failure:\n%s", n, log.String())
	}
	if !strings.Contains(log.String(), "level=ERROR msg=\"engine failed\" model=tiny") || !strings.Contains(log.String(), "the very last words") {
		t.Errorf("the failure is not in the log:\n%s", log.String())
	}
}

func TestTheReasonIsKept(t *testing.T) {
	w := start(t, "failed")
	if err := w.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 1: llama.cpp is 0.4.0 and must be 0.5.0: run `make lib`") {
		t.Errorf("got %v", err)
	}
}

func TestDyingRightAfterReadyIsAFailure(t *testing.T) {
	w := start(t, "blink")
	for range 100 {
		if err := w.Wait(t.Context()); err != nil {
			if !strings.Contains(err.Error(), "died 5 times") {
				t.Error(err)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("it has not failed yet: %v", w.Ready())
}

// Requests wait while a worker has a few bad starts.
func TestRequestsWaitForRestarts(t *testing.T) {
	w := start(t, "die 3")
	if err := w.Ready(); err == nil || !strings.Contains(err.Error(), "loading for") {
		t.Errorf("at first Ready is %v", err)
	}
	if _, err := chattest.Collect(w.Chat(t.Context(), ask()), 1); err != nil {
		t.Error(err)
	}
	if err := w.Ready(); err != nil {
		t.Errorf("in the end Ready is %v", err)
	}
}

func TestAFailedWorkerIsTriedAgain(t *testing.T) {
	w := start(t, "die 6", func(c *Config) { c.testOnlyTimes.rest = 50 * time.Millisecond })
	if err := w.Wait(t.Context()); err == nil {
		t.Error("it has not failed")
	}
	for began := time.Now(); w.Ready() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatal(w.Ready())
		}
	}
	if _, err := chattest.Collect(w.Chat(t.Context(), ask()), 1); err != nil {
		t.Error(err)
	}
}

func TestLoadingForTooLong(t *testing.T) {
	w := start(t, "hang", func(c *Config) { c.StartTimeout, c.ReadyWait = 300*time.Millisecond, 100*time.Millisecond })
	_, err := chattest.Collect(w.Chat(t.Context(), ask()), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Unavailable || e.Code != "" || e.RetryAfter == 0 || !strings.Contains(e.Msg, "has been loading for ") {
		t.Errorf("a request got %v", err)
	}
	cause := errors.New("the client left")
	if _, err := chattest.Collect(w.Chat(ended(t, cause), ask()), 1); !errors.Is(err, cause) {
		t.Errorf("a request got %v", err)
	}
	if err := w.Wait(ended(t, cause)); !errors.Is(err, cause) || !strings.Contains(err.Error(), "loading") {
		t.Errorf("Wait: %v", err)
	}
	if err := w.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "not ready within 300ms, killed") {
		t.Errorf("Wait: %v", err)
	}
}

// ended returns a context that ends soon, with the cause.
func ended(t *testing.T, cause error) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, cause)
	t.Cleanup(cancel)
	return ctx
}

func TestClose(t *testing.T) {
	for _, tt := range []struct {
		model           string
		grace, min, max time.Duration
	}{
		{"ready", 10 * time.Second, 0, 2 * time.Second},
		{"stubborn", 300 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second},
	} {
		t.Run(tt.model, func(t *testing.T) {
			w := started(t, tt.model, func(c *Config) { c.testOnlyTimes.grace = tt.grace })
			pid := pid(t, w)
			began := time.Now()
			w.Close()
			if d := time.Since(began); d < tt.min || d > tt.max {
				t.Errorf("Close took %v, want %v to %v", d, tt.min, tt.max)
			}
			if alive(pid) {
				t.Error("the worker lives")
			}
			w.Close()
			if info, ok := w.Info(); ok {
				t.Errorf("a closed worker says %+v", info)
			}
			_, err := chattest.Collect(w.Chat(t.Context(), ask()), 1)
			for _, err := range []error{err, w.Ready(), w.Wait(t.Context())} {
				if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Unavailable || e.Code != chat.CodeShuttingDown {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	t.Run("while loading", func(t *testing.T) { start(t, "hang").Close() })
	t.Run("at once", func(t *testing.T) { start(t, "ready").Close() })
	t.Run("between restarts", func(t *testing.T) {
		w := start(t, "die 9")
		time.Sleep(50 * time.Millisecond)
		w.Close()
	})
	t.Run("when failed", func(t *testing.T) {
		w := start(t, "failed")
		w.Wait(t.Context())
		w.Close()
	})
}

func TestCloseEndsAnswers(t *testing.T) {
	w := started(t, "slow")
	var last error
	var closed time.Time
	for _, err := range w.Chat(t.Context(), ask()) {
		last = err
		if closed.IsZero() {
			closed = time.Now()
			go w.Close()
		}
	}
	if e, ok := errors.AsType[*chat.Error](last); !ok || e.Code != chat.CodeShuttingDown {
		t.Errorf("got %v", last)
	}
	if d := time.Since(closed); d > time.Second {
		t.Errorf("it took %v", d)
	}
}

// What a worker started goes with it, whichever way it goes.
func TestTheWholeGroupGoes(t *testing.T) {
	grandchild := func(t *testing.T, dir string) (pid int) {
		data, err := os.ReadFile(filepath.Join(dir, "child"))
		if _, scanErr := fmt.Sscan(string(data), &pid); err != nil || scanErr != nil || !alive(pid) {
			t.Fatalf("no grandchild: %v, %v", err, scanErr)
		}
		return pid
	}
	t.Run("Close", func(t *testing.T) {
		dir := t.TempDir()
		w := started(t, "parent", func(c *Config) { c.Library = dir })
		child := grandchild(t, dir)
		w.Close()
		vanishes(t, child, time.Second)
	})
	t.Run("death", func(t *testing.T) {
		dir := t.TempDir()
		w := started(t, "parent", func(c *Config) { c.Library = dir })
		child := grandchild(t, dir)
		syscall.Kill(pid(t, w), syscall.SIGKILL)
		vanishes(t, child, time.Second)
	})
}

// A gateway that is killed leaves no worker behind, however busy that is.
func TestNoOrphans(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BENDI_TEST_GATEWAY="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	var worker int
	if _, scanErr := fmt.Sscan(line, &worker); err != nil || scanErr != nil || !alive(worker) {
		t.Fatalf("the gateway said %q, %v", line, err)
	}
	cmd.Process.Kill()
	vanishes(t, worker, 2*time.Second)
	io.Copy(io.Discard, out)
	cmd.Wait()
}

func TestStartRefuses(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("long/", 20))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Config)
		says   []string
	}{
		{"worker missing", func(c *Config) { c.Worker = "bin/none" }, []string{`"bin/none"`, "make build", "tiny"}},
		{"worker missing in the path", func(c *Config) { c.Worker = "no-such-engine" }, []string{`"no-such-engine"`, "make build"}},
		{"worker not a program", func(c *Config) { c.Worker = plain }, []string{plain, "permission denied", "make build"}},
		{"socket path too long", func(c *Config) { c.SocketDir = long }, []string{long, "allows 103", "shorter"}},
		{"no socket folder", func(c *Config) { c.SocketDir = "/no/such" }, []string{"/no/such", "no such file"}},
		{"no name", func(c *Config) { c.Name = "" }, []string{"needs a name"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{Name: "tiny", Worker: os.Args[0], Model: "ready", SocketDir: t.TempDir()}
			tt.change(&cfg)
			w, err := Start(cfg)
			if err == nil {
				w.Close()
				t.Fatal("it started")
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
	if left, _ := os.ReadDir(long); len(left) > 0 {
		t.Errorf("a refused start left %v", left)
	}
}
