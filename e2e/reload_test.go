package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// configure writes another configuration for a running server, all at once.
func (s *server) configure(t testing.TB, config string) {
	t.Helper()
	args := s.cmd.Args
	file := args[slices.Index(args, "--config")+1]
	if err := os.WriteFile(file+".next", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".next", file); err != nil {
		t.Fatal(err)
	}
}

// says waits until the log has words so many times.
func (s *server) says(t testing.TB, words string, times int) {
	t.Helper()
	begin := time.Now()
	for strings.Count(s.stderr.String(), words) < times {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("%q is not in the log %d times%v", words, times, s)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// demos is a configuration of the demo model by several ids with their slots,
// on a route, and what else there is.
func demos(t testing.TB, slots map[string]int, more string) string {
	var models strings.Builder
	ids := []string{}
	for _, id := range []string{"one", "two"} {
		if n := slots[id]; n > 0 {
			fmt.Fprintf(&models, "  %s: {path: %q, context: 2048, slots: %d, threads: 1}\n", id, demo(t, demoModel), n)
			ids = append(ids, id)
		}
	}
	return "models:\n" + models.String() + "routes:\n  - {path: /v1/chat, models: [" + strings.Join(ids, ", ") + "]}\n" + more
}

// TestReload has a running server take one configuration after the other. What
// has not changed keeps its worker, what has gets one before it counts, and an
// answer that has begun goes on to its end by the worker that it began with.
func TestReload(t *testing.T) {
	s := start(t, demos(t, map[string]int{"one": 2}, "")).ready(t)
	first := s.worker(t)
	const taken, refused = "config: what the files say is in force", "config: what the files say was not taken"
	ask := func(model string) {
		t.Helper()
		s.answer(t, "/v1/chat", question("你好", `"max_tokens":5`, fmt.Sprintf(`"model":%q`, model)))
	}

	// One more: noticed by itself.
	s.configure(t, demos(t, map[string]int{"one": 2, "two": 2}, ""))
	s.says(t, taken, 1)
	ask("two")
	if pids := s.workers(); len(pids) != 2 || !slices.Contains(pids, first) {
		t.Errorf("the workers are %v, want %d and another%v", pids, first, s)
	}
	if states := s.states(t); len(states) != 2 || states["two"] != "loaded" {
		t.Errorf("/readyz: %v", states)
	}

	// The first changes, and the second goes, under an answer of each.
	running := []*stream{
		s.stream(t, "/v1/chat", strings.Replace(long(t, 1200), "{", `{"model":"one",`, 1)),
		s.stream(t, "/v1/chat", strings.Replace(long(t, 1200), "{", `{"model":"two",`, 1)),
	}
	s.configure(t, demos(t, map[string]int{"one": 3}, ""))
	s.signal(t, syscall.SIGHUP)
	s.says(t, taken, 2)
	ask("one")
	if status, _ := s.ask(t, "/v1/chat", question("你好", `"model":"two"`)); status != http.StatusNotFound {
		t.Errorf("a model that is gone: status %d, want 404", status)
	}
	for _, st := range running {
		if err := st.whole(); err != nil {
			t.Errorf("an answer that had begun: %v%v", err, s)
		}
	}
	eventually(t, 10*time.Second, "the end of the workers before", func() bool { return len(s.workers()) == 1 && !alive(first) })

	// What is wrong changes nothing.
	worker := s.worker(t)
	s.configure(t, demos(t, map[string]int{"one": 4}, "bogus: true\n"))
	s.signal(t, syscall.SIGHUP)
	s.says(t, refused, 1)
	s.says(t, "bogus: unknown key", 1)
	run(t, "", "reload", "--server", s.url).want(t, 2, "400 Bad Request", "bogus: unknown key")
	s.configure(t, strings.Replace(demos(t, map[string]int{"one": 4}, ""), demoModel, "nowhere.gguf", 1))
	run(t, "", "reload", "--server", s.url).want(t, 1, "409 Conflict", "there is no file", "models.one.path")
	s.configure(t, "engine: {memory_limit: 1MiB}\n"+demos(t, map[string]int{"one": 5}, ""))
	run(t, "", "reload", "--server", s.url).want(t, 1, "409 Conflict", "model one cannot be loaded now", "start the server anew")
	ask("one")
	if s.worker(t) != worker {
		t.Error("after reloads that were refused, the worker is another")
	}

	// And what is right again counts, but for what takes a restart.
	s.configure(t, demos(t, map[string]int{"one": 3}, "log: {format: json}\nserver: {max_body: 2KiB}\n"))
	run(t, "", "reload", "--server", s.url).want(t, 0, "setting server.max_body changed", "needs a restart, and stays as it was: log.format")
	if status, _ := s.ask(t, "/v1/chat", question(strings.Repeat("长", 2000))); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body above the new limit: status %d, want 413", status)
	}
	if s.worker(t) != worker {
		t.Error("the worker is another, and nothing about its model has changed")
	}
	run(t, "", "--lang", "zh", "reload", "--server", s.url).want(t, 0, "没有变化")
	metrics := s.get(t, "/metrics")
	for _, want := range []string{"bendi_config_last_reload_successful 1", `bendi_config_reloads_total{result="failed"}`, `bendi_config_reloads_total{result="ok"}`, "bendi_config_loaded_timestamp_seconds 1."} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%q is not in the metrics", want)
		}
	}
}
