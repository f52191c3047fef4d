package llamacpp

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
)

func demand(c *Config) { c.Demand = true }

// starts returns how many processes were started with a model called "die N".
func starts(t *testing.T, dir string) string {
	t.Helper()
	text, _ := os.ReadFile(filepath.Join(dir, "starts"))
	return string(text)
}

// until waits for a state.
func until(t *testing.T, w *Worker, state string) {
	t.Helper()
	for began := time.Now(); w.State() != state; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatalf("the model is %s after 5 s, want %s", w.State(), state)
		}
	}
}

// What is loaded on demand is not loaded before, and then once for all who ask
// at the same time.
func TestLoadedOnDemandOnce(t *testing.T) {
	dir := t.TempDir()
	w := start(t, "die 0", demand, func(c *Config) { c.Library = dir })
	if err := w.Wait(t.Context()); err != nil || w.Ready() != nil || w.State() != Unloaded {
		t.Errorf("before anybody asks, it is %s: Wait %v, Ready %v", w.State(), err, w.Ready())
	}
	if _, err := w.Get(t.Context(), "/slots"); err == nil {
		t.Error("looking at it has it loaded")
	}
	if m := w.Models(); len(m) != 1 || m[0].State != Unloaded || starts(t, dir) != "" {
		t.Errorf("before anybody asks, %+v was started %s times", m, starts(t, dir))
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := chattest.Collect(w.Chat(t.Context(), ask()), 1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if starts(t, dir) != "1" || w.State() != Loaded || w.Restarts() != 0 {
		t.Errorf("20 requests at once started it %s times; it is %s, restarted %d times", starts(t, dir), w.State(), w.Restarts())
	}
}

// A death on the way ends all who wait, and the next to ask has another try.
func TestDeathWhileLoadingIsReportedToAll(t *testing.T) {
	dir := t.TempDir()
	w := start(t, "die 1", demand, func(c *Config) { c.Library = dir })
	errs := make([]error, 8)
	var wg, waiting sync.WaitGroup
	for i := range errs {
		waiting.Add(1)
		wg.Go(func() {
			waiting.Done()
			_, errs[i] = chattest.Collect(w.Chat(t.Context(), ask()), 1)
		})
	}
	waiting.Wait()
	wg.Wait()
	failed := 0
	for _, err := range errs {
		if err == nil {
			continue // it came after the first had been told
		}
		failed++
		e, ok := errors.AsType[*chat.Error](err)
		if !ok || e.Kind != chat.Unavailable || e.Code != chat.CodeEngineFailed || e.RetryAfter == 0 || !strings.Contains(e.Msg, "could not be loaded") || !strings.Contains(err.Error(), "exit status 3") {
			t.Errorf("got %v", err)
		}
	}
	if failed == 0 {
		t.Error("nobody heard of the death")
	}
	if _, err := chattest.Collect(w.Chat(t.Context(), ask()), 1); err != nil || starts(t, dir) != "2" {
		t.Errorf("asked again: %v, started %s times", err, starts(t, dir))
	}
}

// One that keeps dying is given up for a while, as any other.
func TestDemandGivesUp(t *testing.T) {
	dir := t.TempDir()
	w := start(t, "die 5", demand, func(c *Config) { c.Library, c.testOnlyTimes.rest = dir, 500*time.Millisecond })
	for w.State() != Failed {
		if _, err := chattest.Collect(w.Chat(t.Context(), ask()), 1); err == nil {
			t.Fatal("it was answered")
		}
	}
	_, err := chattest.Collect(w.Chat(t.Context(), ask()), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.RetryAfter == 0 || !strings.Contains(e.Msg, "bendi doctor") || w.Ready() == nil {
		t.Errorf("given up, it says %v; Ready is %v", err, w.Ready())
	}
	until(t, w, Unloaded)
	if _, err := chattest.Collect(w.Chat(t.Context(), ask()), 1); err != nil {
		t.Errorf("after its rest: %v", err)
	}
}

// A process that is killed ends those it was answering; the next to ask has
// the model loaded again, and nobody else does.
func TestKilledOnDemand(t *testing.T) {
	w := start(t, "slow", demand)
	var last error
	for _, err := range w.Chat(t.Context(), ask()) {
		if last = err; err == nil && w.State() == Loaded {
			syscall.Kill(pid(t, w), syscall.SIGKILL)
		}
	}
	if e, ok := errors.AsType[*chat.Error](last); !ok || e.Code != chat.CodeEngineFailed || e.RetryAfter == 0 {
		t.Errorf("the answer ended with %v", last)
	}
	time.Sleep(100 * time.Millisecond)
	if w.State() != Unloaded {
		t.Errorf("nobody asks, and it is %s", w.State())
	}
	for _, err := range w.Chat(t.Context(), ask()) {
		if err != nil {
			t.Error(err)
		}
		break
	}
}

// What nobody has asked for is unloaded, never while somebody is answered, and
// loaded again when somebody asks; whether it was loaded at the start or not.
func TestUnloadedWhenIdle(t *testing.T) {
	for _, onDemand := range []bool{true, false} {
		w := start(t, "slow", func(c *Config) { c.Demand, c.UnloadAfter = onDemand, 100*time.Millisecond })
		for range 2 {
			n, process := 0, 0
			for _, err := range w.Chat(t.Context(), ask()) {
				if err != nil {
					t.Fatal(err)
				}
				process = pid(t, w)
				if n++; n == 20 { // 400 ms
					break
				}
			}
			until(t, w, Unloaded)
			vanishes(t, process, time.Second)
			if err := w.Ready(); err != nil {
				t.Errorf("unloaded, Ready is %v", err)
			}
		}
		if n := w.Restarts(); n != 1 {
			t.Errorf("it was started again %d times, want 1", n)
		}
	}
}

// What is not needed can be unloaded to make room, and nothing else.
func TestUnload(t *testing.T) {
	w := started(t, "slow")
	for _, err := range w.Chat(t.Context(), ask()) {
		if _, idle := w.Idle(); idle || err != nil || w.Unload(t.Context()) {
			t.Fatalf("it was unloaded in the midst of an answer, %v", err)
		}
		break
	}
	process := pid(t, w)
	if since, idle := w.Idle(); !idle || time.Since(since) > 5*time.Second || !w.Unload(t.Context()) || alive(process) {
		t.Errorf("idle %v since %v, the process lives: %v", idle, since, alive(process))
	}
	if !w.Unload(t.Context()) {
		t.Error("what is unloaded already is not unloaded")
	}
}

// Without room, all who ask hear why, and the worker goes on.
func TestNoRoom(t *testing.T) {
	room := false
	var mu sync.Mutex
	var held int
	w := start(t, "ready", demand, func(c *Config) {
		c.Admit = func(ctx context.Context) (func(), error) {
			mu.Lock()
			defer mu.Unlock()
			if !room {
				return nil, &chat.Error{Kind: chat.Unavailable, Msg: "2 GiB are needed and 1 GiB is free", RetryAfter: time.Minute}
			}
			held++
			return func() { mu.Lock(); held--; mu.Unlock() }, nil
		}
	})
	_, err := chattest.Collect(w.Chat(t.Context(), ask()), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || !strings.HasPrefix(e.Msg, "2 GiB") || e.RetryAfter != time.Minute || w.State() != Unloaded || w.Ready() != nil {
		t.Errorf("got %v; it is %s, Ready %v", err, w.State(), w.Ready())
	}
	mu.Lock()
	room = true
	mu.Unlock()
	if _, err := chattest.Collect(w.Chat(t.Context(), ask()), 1); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if held != 0 {
		t.Errorf("the room of %d processes was not let go of", held)
	}
}

// The patience of those who wait for a model ends; the loading goes on.
func TestPatienceWhileLoading(t *testing.T) {
	w := start(t, "hang", demand, func(c *Config) { c.ReadyWait = 50 * time.Millisecond })
	_, err := chattest.Collect(w.Chat(t.Context(), ask()), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.RetryAfter == 0 || !strings.Contains(e.Msg, "has been loading for") || w.State() != Loading || w.Ready() != nil {
		t.Errorf("got %v; it is %s", err, w.State())
	}
}

func TestCloseOnDemand(t *testing.T) {
	w := start(t, "ready", demand)
	w.Close()
	if _, err := chattest.Collect(w.Chat(t.Context(), ask()), 1); err == nil {
		t.Error("a closed worker answers")
	}
	w = start(t, "hang", demand)
	go chattest.Collect(w.Chat(t.Context(), ask()), 1)
	until(t, w, Loading)
	w.Close()
}

// A worker whose socket somebody has removed, with its folder or without, is
// started again.
func TestSocketRemoved(t *testing.T) {
	for _, what := range []func(*Worker) string{
		func(w *Worker) string { return w.socket },
		func(w *Worker) string { return filepath.Dir(w.socket) },
	} {
		w := started(t, "ready", func(c *Config) { c.testOnlyTimes.watch = 20 * time.Millisecond })
		process := pid(t, w)
		if err := os.RemoveAll(what(w)); err != nil {
			t.Fatal(err)
		}
		vanishes(t, process, 2*time.Second)
		for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			if _, err := chattest.Collect(w.Chat(t.Context(), ask()), 1); err == nil {
				break
			} else if time.Since(began) > 5*time.Second {
				t.Fatal(err)
			}
		}
	}
}

// An adapter that comes or goes while nothing is loaded is part of the next
// process, or no more.
func TestAdaptersWhileUnloaded(t *testing.T) {
	w := start(t, "ready", demand, func(c *Config) { c.Adapters = map[string]string{"old": "/loras/old.gguf"} })
	if err := w.LoadAdapter(t.Context(), "new", "/loras/new.gguf"); err != nil {
		t.Fatal(err)
	}
	if err := w.LoadAdapter(t.Context(), "new", "/loras/new.gguf"); err == nil {
		t.Error("one name was taken twice")
	}
	if err := w.UnloadAdapter(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	if err := w.UnloadAdapter(t.Context(), "old"); err == nil {
		t.Error("what is gone was unloaded")
	}
	if all := w.Models(); len(all) != 2 || all[1].ID != "tiny:new" {
		t.Errorf("the models are %+v", all)
	}
	if _, err := chattest.Collect(w.Chat(t.Context(), ask()), 1); err != nil {
		t.Fatal(err)
	}
	if info, _ := w.Info(); len(info.Adapters) != 1 || info.Adapters[0] != "new=/loras/new.gguf" {
		t.Errorf("the process was started with %q", info.Adapters)
	}
}
