package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// damaged is a configuration whose model, or adapter, is another file than
// the one that is bundled. Its worker leaves a mark when it is started.
func damaged(t *testing.T, model, adapter string) (config, mark string) {
	t.Helper()
	mark = filepath.Join(t.TempDir(), "started")
	worker := writeFile(t, "worker", fmt.Sprintf("#!/bin/sh\ntouch %s\nexec %s \"$@\"\n", mark, program(t, "bendi-engine")))
	return fmt.Sprintf(`
listen: 127.0.0.1:0
engine: {worker: %s}
models:
  mine:
    path: %s
    context: 2048
    adapters: {service: %s}
routes:
  - path: /v1/chat
    models: [mine, "mine:service"]
`, worker, model, adapter), mark
}

// TestDamagedModel has files that llama.cpp would abort on, or find out about
// late. The program says so before it starts a worker.
func TestDamagedModel(t *testing.T) {
	whole, err := os.ReadFile(demo(t, demoModel))
	if err != nil {
		t.Fatal(err)
	}
	lora, err := os.ReadFile(demo(t, demoAdapter))
	if err != nil {
		t.Fatal(err)
	}
	counts := slices.Clone(whole)
	copy(counts[8:], "\xff\xff\xff\xff\xff\xff\xff\x7f") // how many tensors there are
	keys := slices.Clone(whole)
	copy(keys[24:], "\xff\xff\xff\xff\xff\xff\xff\x7f") // how long the first key is
	tests := []struct {
		name           string
		model, adapter []byte // nil: the bundled one
		words          []string
	}{
		{"cut in half", whole[:len(whole)/2], nil, []string{fmt.Sprint(len(whole) / 2)}},
		{"one byte short", whole[:len(whole)-1], nil, []string{fmt.Sprint(len(whole) - 1)}},
		{"cut within the header", whole[:1000], nil, []string{"truncated"}},
		{"empty", []byte{}, nil, nil},
		{"an absurd count of tensors", counts, nil, nil},
		{"an absurd length of a key", keys, nil, nil},
		{"no GGUF", []byte("<html>404 Not Found</html>" + strings.Repeat(" ", 1000)), nil, []string{"GGUF"}},
		{"an adapter for a model", lora, nil, []string{"adapter"}},
		{"a model for an adapter", nil, whole, []string{"adapter"}},
		{"an adapter cut in half", nil, lora[:len(lora)/2], []string{fmt.Sprint(len(lora) / 2)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			model, adapter, bad := demo(t, demoModel), demo(t, demoAdapter), ""
			if tt.model != nil {
				model = writeFile(t, "model.gguf", string(tt.model))
				bad = model
			}
			if tt.adapter != nil {
				adapter = writeFile(t, "adapter.gguf", string(tt.adapter))
				bad = adapter
			}
			config, mark := damaged(t, model, adapter)
			file := writeFile(t, "bendi.yaml", config)
			r := run(t, "", "serve", "--config", file)
			r.want(t, 1, append(tt.words, bad)...)
			if _, err := os.Stat(mark); err == nil {
				t.Errorf("a worker was started%v", r)
			}
			if strings.Contains(r.stderr, "goroutine") {
				t.Errorf("that is a panic%v", r)
			}
		})
	}

	t.Run("missing", func(t *testing.T) {
		model := filepath.Join(t.TempDir(), "nothing.gguf")
		config, _ := damaged(t, model, demo(t, demoAdapter))
		run(t, "", "serve", "--config", writeFile(t, "bendi.yaml", config)).want(t, 1, model, "there is no file", "models.mine.path")
	})

	t.Run("doctor", func(t *testing.T) {
		model := writeFile(t, "model.gguf", string(whole[:len(whole)/2]))
		config, _ := damaged(t, model, demo(t, demoAdapter))
		r := run(t, "", "doctor", "--config", writeFile(t, "bendi.yaml", config))
		r.want(t, 3, "fail", model, fmt.Sprint(len(whole)/2))
	})

	t.Run("models list", func(t *testing.T) {
		model := writeFile(t, "model.gguf", string(whole[:len(whole)/2]))
		config, _ := damaged(t, model, demo(t, demoAdapter))
		r := run(t, "", "models", "list", "--config", writeFile(t, "bendi.yaml", config))
		r.want(t, 3, "mine", model)
	})
}

// TestOtherLibrary points the engine at a llama.cpp of another release, whose
// structs may be laid out in another way. It is refused with both versions.
func TestOtherLibrary(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("there is no C compiler to make a library with")
	}
	dir := t.TempDir()
	source := writeFile(t, "llama.c", `const char *llama_version(void) { return "0.4.7"; }`)
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", filepath.Join(dir, "libllama.so"), source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	others, err := filepath.Glob(filepath.Join(home(t), "bin", "lib", "*"))
	if err != nil || len(others) == 0 {
		t.Fatalf("bin/lib is empty: run `make build` first; %v", err)
	}
	for _, path := range others {
		if name := filepath.Base(path); !strings.HasPrefix(name, "libllama") {
			if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	config := "engine: {library: " + dir + "}\nlisten: 127.0.0.1:0\n"

	r := run(t, "", "doctor", "--config", writeFile(t, "bendi.yaml", config))
	r.want(t, 3, "0.4.7", "0.5.0", dir)

	s := start(t, config)
	s.listening(t)
	for _, word := range []string{"0.4.7", "0.5.0", dir, "make build"} {
		if !strings.Contains(s.stdout.String(), word) {
			t.Errorf("%q is not in the start print%v", word, s)
		}
	}
	if status := s.readyz(); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz is %d, want 503", status)
	}
	status, c := s.ask(t, "/v1/chat", question("你好"))
	if status != http.StatusServiceUnavailable || c.Error.check() != nil || !strings.Contains(c.Error.Message, "bendi doctor") {
		t.Errorf("a request gets status %d, error %v; want 503 that names bendi doctor", status, c.Error)
	}
}
