package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"testing"
)

// demoWith is a configuration of the demo model with settings of its own.
func demoWith(t *testing.T, settings string) string {
	return fmt.Sprintf("models:\n  demo: {path: %q, context: 512, slots: 2, threads: 1%s}\nroutes:\n  - {path: /v1/chat, models: [demo]}\n", demo(t, demoModel), settings)
}

// What cannot fit into memory is refused before a worker starts, with the
// numbers and what would fit.
func TestMemoryIsRefused(t *testing.T) {
	config := demoWith(t, ", cache: 268435456")
	file := writeFile(t, "bendi.yaml", config)
	r := run(t, "", "serve", "--listen", "127.0.0.1:0", "--config", file)
	r.want(t, 1, "the models need", "of memory is free", "model demo: ", "KV cache of 268435456 tokens", "it would fit with models.demo: {", "engine: {memory: warn}")
	run(t, "", "doctor", "--config", file).want(t, 3, "the models need")
	r = run(t, "", "models", "list", "--config", file)
	r.want(t, 0, "MEMORY", "GiB")
}

func TestModelOptions(t *testing.T) {
	s := start(t, demoWith(t, ", cache: 1024, cache_type: q8_0, flash_attention: on, gpu: off")).ready(t)
	run(t, whoAreYou, "chat", "--server", s.url).want(t, 0)
	run(t, "", "health", "--server", s.url).want(t, 0, "ready")
	s.stop()
	run(t, "", "health", "--server", s.url).want(t, 1)
}

// A GPU that is asked for and not there is said loudly, and the CPU does not
// stand in.
func TestGPUIsMissing(t *testing.T) {
	if _, err := os.Stat("/dev/nvidia0"); err == nil {
		t.Skip("there is a GPU here")
	}
	config := demoWith(t, ", gpu: required")
	s := start(t, config)
	s.listening(t)
	if status := s.readyz(); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz is %d, want 503%v", status, s)
	}
	run(t, "", "health", "--server", s.url).want(t, 1, "503")
	run(t, "", "doctor", "--config", writeFile(t, "bendi.yaml", config)).want(t, 3, "gpu: required, and llama.cpp has found no GPU")
}
