package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"bendi/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each archive of testdata holds files, among them perhaps bendi.yaml, the
// environment (env), the flags (flags), and what loading them gives (want):
// every fault, or where the settings that are not defaults came from.
func TestLoad(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			t.Chdir(dir)
			t.Setenv("HOME", "/home/me")
			files := map[string][]byte{}
			for _, f := range archive.Files {
				files[f.Name] = f.Data
				if err := os.MkdirAll(filepath.Dir(f.Name), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(f.Name, f.Data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			env := assignments(files["env"])
			c, origins, err := config.Load(config.Options{
				Flags:     assignments(files["flags"]),
				Home:      "/home",
				LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
			})

			var got strings.Builder
			if err != nil {
				fmt.Fprintln(&got, err)
			} else {
				for _, s := range origins.Settings(c) {
					if s.Origin != "default" {
						fmt.Fprintf(&got, "%s = %s  # %s\n", s.Key, s.Value, s.Origin)
					}
				}
			}
			for name, secret := range env {
				if strings.HasSuffix(name, "_KEY") && secret != "" && strings.Contains(got.String(), secret) {
					t.Errorf("shows the secret of %s", name)
				}
			}
			text := strings.ReplaceAll(got.String(), dir, "$DIR")
			if *update {
				last := &archive.Files[len(archive.Files)-1]
				if last.Name != "want" {
					archive.Files = append(archive.Files, txtar.File{Name: "want"})
					last = &archive.Files[len(archive.Files)-1]
				}
				last.Data = []byte(text)
				if err := os.WriteFile(path, txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := string(files["want"]); text != want {
				t.Errorf("got:\n%s\nwant:\n%s", text, want)
			}
		})
	}
}

// assignments reads NAME=value lines.
func assignments(text []byte) map[string]string {
	m := map[string]string{}
	for line := range bytes.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(string(line)), "="); ok {
			m[name] = value
		}
	}
	return m
}
