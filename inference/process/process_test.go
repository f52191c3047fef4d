package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
)

func TestContract(t *testing.T) {
	for _, place := range []string{Port, Socket} {
		t.Run(place, func(t *testing.T) {
			p, dir := run(t, "ready", func(c *Config) { c.Command[4] = place })
			chattest.Contract(t, p, func() *chat.Request { return ask("你好") })
			if n := number(t, dir, "starts"); n != 1 {
				t.Errorf("it was started %d times", n)
			}
		})
	}
}

func TestGifts(t *testing.T) {
	p, _ := run(t, "ready", nil)
	chattest.EmbedderContract(t, p, func() *chat.EmbedRequest {
		return &chat.EmbedRequest{Model: "tiny", Inputs: []chat.Input{{Text: "one"}, {Text: "zwei"}}}
	})
	chattest.RerankerContract(t, p, func() *chat.RerankRequest {
		return &chat.RerankRequest{Model: "tiny", Query: "one", Documents: []string{"one", "zwei"}}
	})
	chattest.TokenizerContract(t, p, "tiny", "one")
}

// What nobody has asked for does not run, and is then started once for all who
// ask at the same time, whoever of them leaves.
func TestStartedOnceOnDemand(t *testing.T) {
	p, dir := run(t, "slow", nil)
	if p.State() != Unloaded || p.Ready() != nil || p.Wait(t.Context()) != nil || number(t, dir, "starts") != 0 {
		t.Errorf("before anybody asks, it is %s, %v", p.State(), p.Ready())
	}
	left, leave := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { leave(errors.New("gone")) })
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			ctx := t.Context()
			if i == 0 {
				ctx = left
			}
			for _, err := range p.Chat(ctx, ask("你好")) {
				if (err != nil) != (i == 0) {
					t.Errorf("request %d: %v", i, err)
				}
				break
			}
		})
	}
	wg.Wait()
	if n := number(t, dir, "starts"); n != 1 || p.State() != Loaded {
		t.Errorf("20 requests at once started it %d times; it is %s", n, p.State())
	}
}

// One that dies before it is healthy says why to the log and to the operator,
// not to clients; it is left alone for a while, and then tried again.
func TestDeathWhileStarting(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	p, dir := run(t, "die 1", func(c *Config) {
		c.Secrets = map[string]string{"SECRET": "sesame-0123"}
		c.Log = slog.New(slog.NewTextHandler(&lockedWriter{mu: &mu, w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Backoff = time.Second
	})
	_, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1)
	e, ok := errors.AsType[*chat.Error](err)
	if !ok || e.Kind != chat.Unavailable || e.RetryAfter == 0 || !strings.Contains(e.Msg, "exit status 3") || strings.Contains(err.Error(), "goes wrong") {
		t.Errorf("who has asked hears %v", err)
	}
	if _, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1); err == nil || number(t, dir, "starts") != 1 || p.State() != Failed || p.Ready() == nil {
		t.Errorf("asked again at once: %v, started %d times, %s", err, number(t, dir, "starts"), p.State())
	}
	until(t, p, Unloaded)
	if _, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1); err != nil || number(t, dir, "starts") != 2 {
		t.Errorf("after its rest: %v, started %d times", err, number(t, dir, "starts"))
	}
	mu.Lock()
	defer mu.Unlock()
	if text := log.String(); strings.Contains(text, "sesame") || strings.Contains(text, "\x1b") || !strings.Contains(text, `start 1 goes wrong\\u001b[31m with ***`) {
		t.Errorf("the log has %s", text)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// The rests of one that keeps dying get longer, and end at a minute.
func TestRests(t *testing.T) {
	p := &Process{cfg: Config{Backoff: time.Second}}
	for failures, most := range []time.Duration{1: 1e9, 2: 2e9, 3: 4e9, 7: 60e9, 100: 60e9} {
		if p.failures = failures; most > 0 {
			if d := p.rest(); d < most/2 || d > most {
				t.Errorf("after %d failures it rests for %v, want %v to %v", failures, d, most/2, most)
			}
		}
	}
}

// A crash in the midst of an answer ends it with an error, which does not wait
// and does not put the request to the next server; who asks after the rest has
// it started again.
func TestCrashWhileAnswering(t *testing.T) {
	p, dir := run(t, "slow", nil)
	var last error
	n, killed := 0, time.Time{}
	for _, err := range p.Chat(t.Context(), ask("你好")) {
		if last = err; err == nil {
			if n++; n == 3 {
				killed = time.Now()
				syscall.Kill(number(t, dir, "pid"), syscall.SIGKILL)
			}
		}
	}
	e, ok := errors.AsType[*chat.Error](last)
	if !ok || e.Code != chat.CodeEngineFailed || e.RetryAfter == 0 || time.Since(killed) > 3*time.Second {
		t.Errorf("after %v, the answer ended with %v", time.Since(killed), last)
	}
	until(t, p, Unloaded)
	for _, err := range p.Chat(t.Context(), ask("你好")) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if p.Restarts() != 1 {
		t.Errorf("it was started again %d times", p.Restarts())
	}
	_, err := chattest.Collect(p.Chat(t.Context(), ask("poison")), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Code != chat.CodeEngineFailed || number(t, dir, "starts") != 2 {
		t.Errorf("who has killed it hears %v; it was started %d times", err, number(t, dir, "starts"))
	}
}

// One that never gets healthy is killed, and says what its health was.
func TestNeverHealthy(t *testing.T) {
	p, dir := run(t, "sick", func(c *Config) { c.StartTimeout = 500 * time.Millisecond })
	_, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || !strings.Contains(e.Msg, "not healthy within 500ms") || !strings.Contains(e.Msg, "status 503") {
		t.Errorf("got %v", err)
	}
	vanishes(t, number(t, dir, "pid"), time.Second)
}

// Who asks waits for a server no longer than ReadyWait, and the start goes on.
func TestPatience(t *testing.T) {
	p, _ := run(t, "slow", func(c *Config) { c.ReadyWait = 20 * time.Millisecond })
	_, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Unavailable || e.RetryAfter == 0 {
		t.Errorf("got %v", err)
	}
	until(t, p, Loaded)
}

// What nobody asks for is stopped, never in the midst of an answer, and started
// again when somebody asks; whether it was started at once or not.
func TestStoppedWhenIdle(t *testing.T) {
	for _, keep := range []bool{true, false} {
		p, dir := run(t, "slow", func(c *Config) { c.Keep, c.UnloadAfter = keep, 100*time.Millisecond })
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			n := 0
			for _, err := range p.Chat(t.Context(), ask("你好")) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == 15 {
					break
				}
			}
			pid := number(t, dir, "pid")
			until(t, p, Unloaded)
			vanishes(t, pid, time.Second)
		}
		if p.Restarts() != 1 || p.Ready() != nil {
			t.Errorf("it was started again %d times, want 1; %v", p.Restarts(), p.Ready())
		}
	}
}

// What is not needed can be stopped to make room, and nothing else.
func TestUnload(t *testing.T) {
	p, dir := run(t, "slow", nil)
	for _, err := range p.Chat(t.Context(), ask("你好")) {
		if _, idle := p.Idle(); idle || err != nil || p.Unload(t.Context()) {
			t.Fatalf("it was stopped in the midst of an answer, %v", err)
		}
		break
	}
	pid := number(t, dir, "pid")
	if _, idle := p.Idle(); !idle || !p.Unload(t.Context()) || alive(pid) {
		t.Errorf("it is %s and lives: %v", p.State(), alive(pid))
	}
}

// One that is kept is started by itself, and again when it has died.
func TestKept(t *testing.T) {
	p, dir := run(t, "ready", func(c *Config) { c.Keep = true })
	if err := p.Wait(t.Context()); err != nil || p.State() != Loaded {
		t.Fatalf("%v, %s", err, p.State())
	}
	syscall.Kill(number(t, dir, "pid"), syscall.SIGKILL)
	until(t, p, Failed)
	until(t, p, Loaded)
}

// Whatever a server is like, nothing of it is left after Close.
func TestNothingIsLeft(t *testing.T) {
	for _, kind := range []string{"ready", "stubborn", "parent", "noisy", "sick"} {
		t.Run(kind, func(t *testing.T) {
			p, dir := run(t, kind, nil)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			go chattest.Collect(p.Chat(ctx, ask("你好")), 1)
			for number(t, dir, "pid") == 0 || kind != "sick" && p.State() != Loaded {
				time.Sleep(5 * time.Millisecond)
			}
			began := time.Now()
			p.Close()
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("Close took %v", d)
			}
			vanishes(t, number(t, dir, "pid"), 100*time.Millisecond)
			if child := number(t, dir, "child"); child != 0 {
				vanishes(t, child, time.Second)
			}
			if socks, _ := filepath.Glob(filepath.Join(dir, "bendi-*")); len(socks) != 0 {
				t.Errorf("left: %v", socks)
			}
			_, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1)
			if e, ok := errors.AsType[*chat.Error](err); !ok || e.Code != chat.CodeShuttingDown {
				t.Errorf("asked afterwards: %v", err)
			}
		})
	}
}

// A child of a server that has crashed goes with it.
func TestChildrenOfTheDead(t *testing.T) {
	p, dir := run(t, "parent", nil)
	if _, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(number(t, dir, "pid"), syscall.SIGKILL)
	vanishes(t, number(t, dir, "child"), 5*time.Second)
}

// A server does not outlive its gateway, even one that is killed.
func TestGatewayKilled(t *testing.T) {
	dir := t.TempDir()
	gateway := exec.Command(os.Args[0])
	gateway.Env = append(os.Environ(), "BENDI_TEST_GATEWAY="+dir)
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); number(t, dir, "pid") == 0; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("no server after 20 s")
		}
	}
	gateway.Process.Kill()
	gateway.Wait()
	vanishes(t, number(t, dir, "pid"), 5*time.Second)
}

// Where somebody takes the port between its choice and the start, another one
// is chosen, and nobody notices.
func TestPortTaken(t *testing.T) {
	p, dir := run(t, "thief 2", func(c *Config) { c.Command[4] = Port })
	if _, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1); err != nil || number(t, dir, "starts") < 3 || p.Restarts() != 0 {
		t.Errorf("got %v after %d starts", err, number(t, dir, "starts"))
	}
}

// What a server writes is read without end, and from when it is ready on it is
// nobody's business.
func TestOutput(t *testing.T) {
	for _, all := range []bool{false, true} {
		var log bytes.Buffer
		var mu sync.Mutex
		p, _ := run(t, "noisy", func(c *Config) {
			c.LogAll = all
			c.Log = slog.New(slog.NewTextHandler(&lockedWriter{mu: &mu, w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		if _, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		before := log.Len()
		mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		mu.Lock()
		text, after := log.String(), log.String()[before:]
		mu.Unlock()
		if !strings.Contains(text, "more bytes cut off") || strings.Contains(text, strings.Repeat("x", maxLine+1)) {
			t.Errorf("the long line is logged as %.3000s", text)
		}
		if strings.Contains(after, "noise") != all {
			t.Errorf("with LogAll %v, after it was ready the log has %.300s", all, after)
		}
	}
}

// A server gets the variables that it needs, what it is to get, and no other.
func TestEnvironment(t *testing.T) {
	t.Setenv("BENDI_API_KEY", "of the gateway")
	t.Setenv("CUDA_VISIBLE_DEVICES", "1")
	t.Setenv("PASSED", "on")
	p, dir := run(t, "ready", func(c *Config) {
		c.Env = map[string]string{"AT": "unix:" + Socket, "CUDA_VISIBLE_DEVICES": "0"}
		c.Secrets, c.Pass = map[string]string{"SECRET": "sesame"}, []string{"PASSED"}
	})
	if _, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "environment"))
	env := strings.Split(string(text), "\n")
	for _, want := range []string{"CUDA_VISIBLE_DEVICES=0", "PASSED=on", "SECRET=sesame", "PATH=" + os.Getenv("PATH")} {
		if !slices.Contains(env, want) {
			t.Errorf("it has no %s", want)
		}
	}
	if strings.Contains(string(text), "of the gateway") || !strings.Contains(string(text), "AT=unix:"+dir) {
		t.Errorf("it has %s", text)
	}
}

// Without room all who ask hear why.
func TestNoRoom(t *testing.T) {
	room := false
	held := 0
	p, dir := run(t, "ready", func(c *Config) {
		c.Admit = func(context.Context) (func(), error) {
			if !room {
				return nil, &chat.Error{Kind: chat.Unavailable, Msg: "there is none", RetryAfter: time.Minute}
			}
			held++
			return func() { held-- }, nil
		}
	})
	_, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Msg != "there is none" || number(t, dir, "starts") != 0 || p.State() != Unloaded {
		t.Errorf("got %v", err)
	}
	room = true
	if _, err := chattest.Collect(p.Chat(t.Context(), ask("你好")), 1); err != nil {
		t.Error(err)
	}
	if p.Close(); held != 0 {
		t.Errorf("its room is held %d times", held)
	}
}

func TestCheckCommand(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ command, says string }{
		{"", "no command"},
		{"sleep 1", ""},
		{"no-such-program-here", "install it"},
		{"./sleep", "whole path"},
		{text, "cannot be run"},
		{"sleep ${PORT} ${SOCKET}", "one place"},
	}
	for _, tt := range tests {
		err := CheckCommand(strings.Fields(tt.command))
		if got := fmt.Sprint(err); tt.says == "" != (err == nil) || !strings.Contains(got, tt.says) && err != nil {
			t.Errorf("%q: %v, want %q", tt.command, err, tt.says)
		}
	}
}
