package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"bendi/config"
)

func TestDefaultIsValid(t *testing.T) {
	if err := config.Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateReportsEverything(t *testing.T) {
	c := config.Default()
	c.Listen = "nowhere"
	c.Log.Level = "loud"
	c.Routes = nil
	err := c.Validate()
	faults, ok := errors.AsType[config.Faults](err)
	if !ok {
		t.Fatalf("Validate = %v, want Faults", err)
	}
	var keys []string
	for _, f := range faults {
		keys = append(keys, f.Key)
	}
	if got, want := strings.Join(keys, " "), "listen log.level routes"; got != want {
		t.Errorf("faults of %s, want %s", got, want)
	}
}

func TestSearch(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(path, level string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("log: {level: "+level+"}\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"HOME": dir}
	load := func(file string) string {
		t.Helper()
		c, origins, err := config.Load(config.Options{File: file, LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
		if err != nil {
			t.Fatal(err)
		}
		return string(c.Log.Level) + " " + origins.File
	}
	check := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("read %q, want %q", got, want)
		}
	}
	// Each step adds a place that goes before the last.
	check(load(""), "info ")
	home := filepath.Join(dir, ".config", "bendi", "bendi.yaml")
	write(home, "warn")
	check(load(""), "warn "+home)
	env["XDG_CONFIG_HOME"] = filepath.Join(dir, "xdg")
	xdg := filepath.Join(dir, "xdg", "bendi", "bendi.yaml")
	write(xdg, "error")
	check(load(""), "error "+xdg)
	write("bendi.yaml", "debug")
	check(load(""), "debug bendi.yaml")
	write("other.yaml", "warn")
	env["BENDI_CONFIG"] = "other.yaml"
	check(load(""), "warn other.yaml")
	write("flag.yaml", "error")
	check(load("flag.yaml"), "error flag.yaml")

	env["BENDI_CONFIG"] = "missing.yaml"
	_, _, err := config.Load(config.Options{LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err == nil || !strings.Contains(err.Error(), "missing.yaml") || !strings.Contains(err.Error(), "BENDI_CONFIG") {
		t.Errorf("a missing file: %v, want its name and that of the variable", err)
	}
}

func TestSize(t *testing.T) {
	tests := []struct {
		text  string
		bytes config.Size
		ok    bool
	}{
		{"8MiB", 8 << 20, true},
		{"8 MiB", 8 << 20, true},
		{"512KiB", 512 << 10, true},
		{"1GiB", 1 << 30, true},
		{"1MB", 1e6, true},
		{"100", 100, true},
		{"100B", 100, true},
		{"0", 0, true},
		{"", 0, false},
		{"MiB", 0, false},
		{"-1", 0, false},
		{"+1", 0, false},
		{"1.5MiB", 0, false},
		{"8M", 0, false},
		{"9999999999GiB", 0, false},
		{"99999999999999999999", 0, false},
	}
	for _, tt := range tests {
		var got config.Size
		err := got.UnmarshalText([]byte(tt.text))
		if (err == nil) != tt.ok || got != tt.bytes {
			t.Errorf("%q = %d, %v, want %d, ok %v", tt.text, got, err, tt.bytes, tt.ok)
		}
		var again config.Size
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%d is written %s and read back as %d, %v", got, got, again, err)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{"15s": "15s", "120s": "2m", "60m": "1h", "1h30m": "1h30m", "61s": "1m1s", "0s": "0s", "250ms": "250ms", "10m": "10m", "10h": "10h"} {
		var d config.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != want {
			t.Errorf("%s is written %s, %v, want %s", text, d, err, want)
		}
	}
	var d config.Duration
	if err := d.UnmarshalText([]byte("15")); err == nil {
		t.Errorf("15 without a unit is %v", time.Duration(d))
	}
}

func TestSecretIsNotShown(t *testing.T) {
	c := config.Default()
	c.Access.Keys = []config.Key{{Name: "shop", Key: config.NewSecret("hush-hush-hush-hush")}}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", c.Access.Keys[0].Key, "config", c)
	asJSON, _ := json.Marshal(c)
	asYAML, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v", *c, *c, *c), fmt.Sprintf("%s %q %#v %x", c.Access.Keys[0].Key, c.Access.Keys[0].Key, c.Access.Keys, []config.Secret{c.Access.Keys[0].Key}),
		log.String(), string(asJSON), string(asYAML), string(plain)}
	for _, text := range shown {
		if strings.Contains(text, "hush") || strings.Contains(text, fmt.Sprintf("%x", "hush")) {
			t.Errorf("shows the secret: %s", text)
		}
	}
	if !strings.Contains(string(asYAML), "***") {
		t.Errorf("does not show that there is a secret:\n%s", asYAML)
	}
}

// What config show prints is a configuration that says the same.
func TestYAMLReadsBack(t *testing.T) {
	t.Chdir(t.TempDir())
	c, _, err := config.Load(config.Options{Home: "/home", LookupEnv: nothing})
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("bendi.yaml", text, 0o666); err != nil {
		t.Fatal(err)
	}
	again, _, err := config.Load(config.Options{LookupEnv: nothing})
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	if got, err := again.YAML(); err != nil || string(got) != string(text) {
		t.Errorf("printed\n%s\nread back and printed\n%s\n%v", text, got, err)
	}
}

// Whatever a file says, loading it does not panic, and it gives either a
// valid configuration or faults that lie inside the file, in order.
func FuzzLoad(f *testing.F) {
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range archives {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		for section := range strings.SplitSeq(string(text), "-- ") {
			_, body, _ := strings.Cut(section, "\n")
			f.Add([]byte(body))
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(dir, "fuzz.yaml")
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
		c, origins, err := config.Load(config.Options{File: path, LookupEnv: nothing})
		if err == nil {
			if err := c.Validate(); err != nil {
				t.Errorf("loads and is not valid: %v", err)
			}
			origins.Settings(c)
			return
		}
		faults, ok := errors.AsType[config.Faults](err)
		if !ok || len(faults) == 0 {
			t.Fatalf("no faults but %v", err)
		}
		lines := strings.Count(string(text), "\n") + strings.Count(string(text), "\r") + 1
		last := 0
		for _, f := range faults {
			if f.Line > lines || f.Line > 0 && f.Line < last {
				t.Errorf("line %d after %d in a file of %d: %v", f.Line, last, lines, f)
			}
			last = max(last, f.Line)
		}
	})
}
