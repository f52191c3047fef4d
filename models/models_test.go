package models_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bendi/models"
	"bendi/models/gguf"
)

// create writes a file with the folders above it.
func create(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestHome(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(models.HomeVariable, dir)
	home, err := models.FindHome()
	if err != nil {
		t.Fatal(err)
	}
	parts := []struct {
		find    func() (string, error)
		path    string // below home
		command string
	}{
		{home.Worker, "bin/bendi-engine", "make build"},
		{home.Library, "bin/lib", "make build"},
		{home.DemoModel, "models/demo/bendi-demo-q8_0.gguf", "git checkout models/demo"},
		{home.DemoAdapter, "models/demo/bendi-demo-service-lora.gguf", "git checkout models/demo"},
	}
	for _, p := range parts {
		path := filepath.Join(dir, p.path)
		_, err := p.find()
		for _, want := range []string{path, p.command, models.HomeVariable} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("without %s: %v, want %q in it", p.path, err, want)
			}
		}
		if p.path == "bin/lib" {
			create(t, filepath.Join(path, "libllama.so"), nil)
		} else {
			create(t, path, nil)
		}
		if got, err := p.find(); got != path || err != nil {
			t.Errorf("found %q, %v, want %q", got, err, path)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "bin", "lib")); err != nil {
		t.Fatal(err)
	}
	create(t, filepath.Join(dir, "bin", "lib"), nil)
	if _, err := home.Library(); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Errorf("a file for a folder: %v", err)
	}
}

func TestCUDALibrary(t *testing.T) {
	home := models.Home{Bin: t.TempDir()}
	if dir := home.CUDALibrary(); dir != "" {
		t.Errorf("found %q, where there is nothing", dir)
	}
	create(t, filepath.Join(home.Bin, "lib-cuda", "libllama.so"), nil)
	if dir := home.CUDALibrary(); dir != "" {
		t.Errorf("found %q, without the backend", dir)
	}
	create(t, filepath.Join(home.Bin, "lib-cuda", models.CUDABackend), nil)
	if dir, want := home.CUDALibrary(), filepath.Join(home.Bin, "lib-cuda"); dir != want {
		t.Errorf("found %q, want %q", dir, want)
	}
}

func TestHomeIsAboveTheProgram(t *testing.T) {
	t.Setenv(models.HomeVariable, "")
	home, err := models.FindHome()
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	exe, err = filepath.EvalSymlinks(exe)
	if err != nil {
		t.Fatal(err)
	}
	if home.Bin != filepath.Dir(exe) || home.Dir != filepath.Dir(home.Bin) {
		t.Errorf("home of %s is %+v", exe, home)
	}
}

func TestVerifySums(t *testing.T) {
	dir := t.TempDir()
	create(t, filepath.Join(dir, "good.gguf"), []byte("good"))
	create(t, filepath.Join(dir, "changed.gguf"), []byte("changed since"))
	list := func(lines ...string) {
		create(t, filepath.Join(dir, models.SumsFile), []byte(strings.Join(lines, "\n")+"\n"))
	}
	digest := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }

	list(digest("good")+"  good.gguf", digest("changed")+" *changed.gguf", digest("gone")+"  gone.gguf")
	sums, err := models.VerifySums(dir)
	if err != nil || len(sums) != 3 {
		t.Fatalf("VerifySums = %v, %v, want three", sums, err)
	}
	if s := sums[0]; s.Err != nil || s.Size != 4 {
		t.Errorf("good: %+v", s)
	}
	if s := sums[1]; s.Err == nil || !strings.Contains(s.Err.Error(), digest("changed")) || !strings.Contains(s.Err.Error(), digest("changed since")) {
		t.Errorf("changed: %v, want both digests", s.Err)
	}
	if s := sums[2]; !os.IsNotExist(s.Err) {
		t.Errorf("gone: %v", s.Err)
	}

	for _, line := range []string{"", "good.gguf", digest("x")[1:] + "  good.gguf", digest("x") + "  ../out", digest("x") + "  /etc/hostname", digest("x")} {
		list(line)
		if sums, err := models.VerifySums(dir); err == nil || !strings.Contains(err.Error(), models.SumsFile) {
			t.Errorf("of the line %q: %v, %v", line, sums, err)
		}
	}
	if _, err := models.VerifySums(t.TempDir()); !os.IsNotExist(err) {
		t.Errorf("without a list: %v", err)
	}
}

// write puts a GGUF file of one tensor into dir.
func write(t *testing.T, path string, metadata []gguf.KeyValue, dims ...uint64) {
	t.Helper()
	n := uint64(1)
	for _, d := range dims {
		n *= d
	}
	var b bytes.Buffer
	err := gguf.Write(&b, metadata, []gguf.TensorData{{Name: "t.weight", Type: gguf.F32, Dims: dims, Data: bytes.NewReader(make([]byte, 4*n))}})
	if err != nil {
		t.Fatal(err)
	}
	create(t, path, b.Bytes())
}

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "m-00001-of-00002.gguf"), filepath.Join(dir, "m-00002-of-00002.gguf")
	split := func(no uint16, more ...gguf.KeyValue) []gguf.KeyValue {
		return append(more, gguf.KeyValue{Key: "split.no", Value: no}, gguf.KeyValue{Key: "split.count", Value: uint16(2)})
	}
	write(t, one, split(0, gguf.KeyValue{Key: "general.architecture", Value: "llama"}), 10, 10)
	write(t, two, split(1), 30, 10)
	info, err := models.Inspect(one)
	if err != nil {
		t.Fatal(err)
	}
	if info.Path != one || info.Architecture != "llama" || info.Parameters != 400 || info.Parts != 2 || info.Size < 1600 {
		t.Errorf("Inspect = %+v, want 400 parameters of both files", info)
	}
	if _, err := models.Inspect(two); err == nil {
		t.Errorf("inspects the second part alone")
	}
	if _, err := models.Inspect(filepath.Join(dir, "none.gguf")); !os.IsNotExist(err) {
		t.Errorf("a missing file: %v", err)
	}
	if err := models.CheckModel(one); err == nil || !strings.Contains(err.Error(), "tokenizer") {
		t.Errorf("CheckModel = %v, want it to miss the tokenizer", err)
	}
	if err := models.CheckAdapter(two, one); err == nil || !strings.Contains(err.Error(), "not an adapter") {
		t.Errorf("CheckAdapter = %v, want it refused", err)
	}
}

// The bundled model and adapter, where they have been fetched, are what their
// list of digests says and what a worker can run.
func TestBundledModel(t *testing.T) {
	model, adapter := filepath.Join("demo", models.DemoModel), filepath.Join("demo", models.DemoAdapter)
	if _, err := os.Stat(model); err != nil {
		t.Skipf("not here: %v", err)
	}
	sums, err := models.VerifySums("demo")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sums {
		if s.Err != nil {
			t.Error(s.Err)
		}
	}
	if err := models.CheckModel(model); err != nil {
		t.Error(err)
	}
	if err := models.CheckAdapter(adapter, model); err != nil {
		t.Error(err)
	}
	info, err := models.Inspect(model)
	if err != nil {
		t.Fatal(err)
	}
	if info.Context != 2048 || !info.ChatTemplate {
		t.Errorf("Inspect = %+v, want a context of 2048 and a chat template", info)
	}
}
