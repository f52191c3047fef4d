package config_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"bendi/config"
)

// Whoever loads a configuration can be told of every file that it depends on,
// also of one that is missing, and where the whole is wrong.
func TestLoadTellsWhatItReads(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	nothing := func(string) (string, bool) { return "", false }
	read := func(file string) []string {
		var seen []string
		config.Load(config.Options{File: file, Home: dir, LookupEnv: nothing, Reading: func(path string) {
			seen = append(seen, strings.TrimPrefix(path, dir+"/"))
		}})
		return seen
	}
	if got, want := read(""), []string{"bendi.yaml", "/etc/bendi/bendi.yaml"}; !slices.Equal(got, want) {
		t.Errorf("without a file: %q, want %q", got, want)
	}
	text := `
bogus: true
access: {keys: [{name: a, key_file: a.key}]}
models: {m: {path: m.gguf}}
backends: {b: {url: "https://b.example/v1", zone: inside, key_file: b.key, models: {m: {}}}, c: {process: {command: [c, "${PORT}"], secret_files: {C: c.key}}, models: {m: {}}}}
`
	if err := os.WriteFile("my.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := read("my.yaml"), []string{"my.yaml", "a.key", "b.key", "c.key"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
