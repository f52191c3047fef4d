package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.StandardLibraryOnly(t, "bendi/internal/benchtable", "bendi/internal/programs", "bendi/models/gguf", "bendi/models/gguf/random")
}

// The built worker loads what the generator makes, counts its tokens as the
// generator does, and goes through suites that ask it in every way there is.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const engine = "../../bin/bendi-engine"
	if _, err := os.Stat(engine); err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
	saved := filepath.Join(t.TempDir(), "figures.json")
	var out, progress strings.Builder
	err := run(t.Context(), []string{
		"--quick", "--only", "streams,prefix,cancels", "--shape", "1x128", "--vocab", "1024", "--threads", "1",
		"--engine", engine, "--library", "../../bin/lib", "--demo", "../../models/demo/bendi-demo-q8_0.gguf",
		"--models", t.TempDir(), "--json", saved,
	}, &out, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	data, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Rows []struct {
			Suite, What string
			Value       *float64
		}
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, row := range r.Rows {
		seen[row.Suite] = true
		if row.Value == nil || *row.Value < 0 {
			t.Errorf("%s, %s has no figure", row.Suite, row.What)
		}
		if !strings.Contains(out.String(), row.What) {
			t.Errorf("%q is not in the table", row.What)
		}
	}
	for _, name := range []string{"streams", "prefix", "cancels"} {
		if !seen[name] {
			t.Errorf("the suite %s gave no figure\n%s", name, &out)
		}
	}
}

func TestRefusedFlags(t *testing.T) {
	for _, tt := range []struct{ flag, value, want string }{
		{"--shape", "4x100", "in steps of 128"},
		{"--shape", "big", `"big"`},
		{"--only", "streams,speed", `"speed"`},
		{"--rounds", "0", "begin at 1"},
	} {
		err := run(t.Context(), []string{tt.flag, tt.value}, new(strings.Builder), new(strings.Builder))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %v, want an error with %q", tt.flag, tt.value, err, tt.want)
		}
	}
}
