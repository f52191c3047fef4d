package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"bendi/config"
)

func nothing(string) (string, bool) { return "", false }

// The example file says what the built-in configuration says.
func TestExampleIsTheDefault(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	example, origins, err := config.Load(config.Options{File: "../bendi.example.yaml", LookupEnv: nothing})
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	builtin, _, err := config.Load(config.Options{Home: root, LookupEnv: nothing})
	if err != nil {
		t.Fatal(err)
	}
	if len(example.Access.Keys) != 0 {
		t.Errorf("the example has %d API keys, want none", len(example.Access.Keys))
	}
	example.Access.Keys, example.Access.JWT = nil, nil // an empty list and no list are the same here
	for id, m := range example.Models {
		if len(m.TensorSplit) == 0 {
			m.TensorSplit = nil // likewise
			example.Models[id] = m
		}
		if len(m.AdapterDirs) == 0 && len(m.TemplateKwargs) == 0 {
			m.AdapterDirs, m.TemplateKwargs = nil, nil
			example.Models[id] = m
		}
	}
	if !reflect.DeepEqual(example, builtin) {
		t.Errorf("the example is\n%+v\nthe default is\n%+v", example, builtin)
	}
	for _, s := range origins.Settings(example) {
		if s.Origin == "default" && s.Key != "access.keys" && s.Key != "access.jwt" {
			t.Errorf("the example does not have %s", s.Key)
		}
	}
}

// The example shows every key, in a comment where there is no default, and
// explains each in both languages.
func TestExampleShowsEveryKey(t *testing.T) {
	text, err := os.ReadFile("../bendi.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Map, reflect.Slice:
			walk(typ.Elem())
		case reflect.Struct:
			for field := range typ.Fields() {
				tag := field.Tag.Get("yaml")
				if tag == ",inline" {
					walk(field.Type)
				}
				if tag == "" || tag == ",inline" {
					continue
				}
				if !regexp.MustCompile(`(?m)^[ #-]*` + tag + `:`).Match(text) {
					t.Errorf("the example does not show %s", tag)
				}
				walk(field.Type)
			}
		}
	}
	walk(reflect.TypeFor[config.Config]())
	for _, block := range comments(string(text)) {
		if !regexp.MustCompile(`[a-z]{2}`).MatchString(block) || !regexp.MustCompile(`\p{Han}`).MatchString(block) {
			t.Errorf("not in both languages:\n%s", block)
		}
	}
}

// comments returns the runs of comment lines in text.
func comments(text string) []string {
	var blocks []string
	inside := false
	for line := range strings.Lines(text) {
		comment := strings.HasPrefix(strings.TrimSpace(line), "# ")
		switch {
		case comment && inside:
			blocks[len(blocks)-1] += line
		case comment:
			blocks = append(blocks, line)
		}
		inside = comment || inside && strings.TrimSpace(line) == "#"
	}
	return blocks
}
