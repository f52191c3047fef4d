package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bendi/config"
	"bendi/models"
	"bendi/models/fit"
)

func english() (p *program, stdout *bytes.Buffer) {
	stdout = new(bytes.Buffer)
	return &program{stdout: stdout, stderr: new(bytes.Buffer), language: "en"}, stdout
}

func TestHealth(t *testing.T) {
	status, body := http.StatusOK, `{"status":"ready"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
		fmt.Fprintln(w, body)
	}))
	defer server.Close()

	p, stdout := english()
	if err := p.health(t.Context(), server.URL+"/"); err != nil || stdout.String() != body+"\n" {
		t.Errorf("a server that is ready: %q, %v", stdout, err)
	}
	t.Setenv("BENDI_SERVER", server.URL)
	status, body = http.StatusServiceUnavailable, "model qwen is loading"
	if err := p.health(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), body) {
		t.Errorf("one that is not: %v", err)
	}
	server.Close()
	if err := p.health(t.Context(), ""); err == nil {
		t.Error("one that is gone is healthy")
	}
	for _, url := range []string{"localhost:8080", "ftp://localhost", "http://"} {
		err := p.health(t.Context(), url)
		if exit, ok := errors.AsType[exitError](err); !ok || exit.code != exitUsage {
			t.Errorf("--server %s: %v, want a usage error", url, err)
		}
	}
}

func TestLibraries(t *testing.T) {
	home := models.Home{Bin: t.TempDir()}
	makeDir := func(name string, files ...string) string {
		dir := filepath.Join(home.Bin, name)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(dir, f), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	cpu, mine := makeDir("lib"), makeDir("mine", models.CUDABackend)
	cfg := config.Default()
	s, err := look(t.Context(), cfg, home)
	if err != nil || s.library != cpu || s.cuda {
		t.Errorf("with libraries for the CPU alone: %+v, %v", s, err)
	}
	cuda := makeDir("lib-cuda", models.CUDABackend)
	want := cpu
	if s.machine.CUDA {
		want = cuda
	}
	if s, err = look(t.Context(), cfg, home); err != nil || s.library != want {
		t.Errorf("with both: %+v, %v, want %s", s, err, want)
	}
	cfg.Engine.Library = config.Path(mine)
	if s, err = look(t.Context(), cfg, home); err != nil || s.library != mine || !s.cuda {
		t.Errorf("with one that is configured: %+v, %v", s, err)
	}
	if _, err := look(t.Context(), config.Default(), models.Home{Bin: t.TempDir()}); err == nil {
		t.Error("without any there is no error")
	}
}

func TestCheckGPU(t *testing.T) {
	h100 := fit.GPU{Name: "NVIDIA H100", Free: 70 << 30, Total: 80 << 30}
	with := fit.Machine{CUDA: true, GPUs: []fit.GPU{h100}, Driver: "570.86"}
	blind := fit.Machine{CUDA: true, Err: errors.New("nvidia-smi: not found")}
	tests := []struct {
		name    string
		seen    survey
		works   bool
		devices string
		gpus    int
		status  string
		words   string
	}{
		{"none", survey{library: "/lib"}, true, "llama.cpp 0.5.0\nCPU: a CPU", 0, "ok", ""},
		{"one", survey{with, "/lib-cuda", true}, true, "llama.cpp 0.5.0\nCUDA0: NVIDIA H100", 1, "ok", "0: NVIDIA H100, 70.0 GiB free of 80.0 GiB (driver 570.86)"},
		{"no libraries for it", survey{with, "/lib", false}, true, "llama.cpp 0.5.0\nCPU: a CPU", 0, "warn", "make lib-cuda"},
		{"libraries that do not load", survey{with, "/lib-cuda", true}, true, "llama.cpp 0.5.0\nCPU: a CPU", 1, "warn", "did not load /lib-cuda/libggml-cuda.so: it needs libcudart"},
		{"no nvidia-smi", survey{blind, "/lib-cuda", true}, true, "llama.cpp 0.5.0\nCUDA0: x", 1, "warn", "not known: nvidia-smi: not found"},
		{"libraries and no device", survey{library: "/lib-cuda", cuda: true}, true, "llama.cpp 0.5.0\nCPU: a CPU", 0, "ok", ""},
		{"an engine that fails", survey{with, "/lib-cuda", true}, false, "", 1, "ok", "NVIDIA H100"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := english()
			status, detail := p.checkGPU(tt.seen, tt.works, tt.devices)
			if status != tt.status || !strings.Contains(detail, tt.words) || (detail == "") != (tt.words == "") {
				t.Errorf("%s: %q, want %s: %q", status, detail, tt.status, tt.words)
			}
			if n := tt.seen.gpus(); n != tt.gpus {
				t.Errorf("%d GPUs can be used, want %d", n, tt.gpus)
			}
		})
	}
}

func TestMemoryIsCheckedBeforeLoading(t *testing.T) {
	model := fit.Model{ID: "qwen", Plan: fit.Plan{Model: "none.gguf", Slots: 1}}
	model.Host.Weights = 2 << 30
	seen := survey{machine: fit.Machine{Free: 1 << 30}}
	cfg := config.Default()
	log := slog.New(slog.DiscardHandler)
	err := seen.admit(cfg, []fit.Model{model}, log)
	for _, words := range []string{"need 2.0 GiB, and 1.0 GiB of memory is free", "engine: {memory: warn}"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q in it", err, words)
		}
	}
	p, _ := english()
	if f := p.checkMemory([]fit.Model{model}, seen.machine, seen.short(cfg, []fit.Model{model}), false, false); f.Status != "fail" {
		t.Errorf("the doctor says %+v", f)
	}
	if f := p.checkMemory([]fit.Model{model}, seen.machine, seen.short(cfg, []fit.Model{model}), true, false); f.Status != "warn" || !strings.Contains(f.Detail, "loaded already") {
		t.Errorf("the doctor of a server that runs says %+v", f)
	}
	cfg.Engine.Memory = "warn"
	if err := seen.admit(cfg, []fit.Model{model}, log); err != nil {
		t.Errorf("with memory: warn: %v", err)
	}
	seen.machine.Free = 3 << 30
	if f := p.checkMemory([]fit.Model{model}, seen.machine, seen.short(cfg, []fit.Model{model}), false, false); f.Status != "ok" || !strings.Contains(f.Detail, "3.0 GiB is free") {
		t.Errorf("the doctor says %+v", f)
	}
}
