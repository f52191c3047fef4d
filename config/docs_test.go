package config_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The table of docs/configuration has a row for every key of the schema, or for
// the mapping right above it, and none for what is no key, in both languages.
func TestDocumentationAgreesWithSchema(t *testing.T) {
	keys := map[string]bool{} // whether there is nothing below it
	listKeys(readSchema(t), "", keys)
	for _, path := range []string{"../docs/configuration.md", "../docs/configuration.zh-CN.md"} {
		rows := tableKeys(t, path)
		for key := range rows {
			if _, ok := keys[key]; !ok {
				t.Errorf("%s: %s is no key of the schema", path, key)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			above := key[:max(strings.LastIndexByte(key, '.'), 0)]
			if keys[key] && !rows[key] && (!strings.Contains(above, ".") || !rows[above]) {
				t.Errorf("%s: nothing about %s", path, key)
			}
		}
	}
}

// listKeys adds the keys below key, which schema describes, with * for names and
// nothing for the places of a list.
func listKeys(schema object, key string, keys map[string]bool) {
	below := maps.Clone(schema)
	for _, kind := range []string{"anyOf", "oneOf"} {
		alternatives, _ := schema[kind].([]any)
		for _, a := range alternatives {
			maps.Copy(below, a.(object))
		}
	}
	leaf := true
	properties, _ := below["properties"].(object)
	for name, p := range properties {
		leaf = false
		listKeys(p.(object), strings.TrimPrefix(key+"."+name, "."), keys)
	}
	if any, ok := below["additionalProperties"].(object); ok {
		leaf = false
		listKeys(any, key+".*", keys)
	}
	if items, ok := below["items"].(object); ok {
		leaf = false
		listKeys(items, key, keys)
	}
	keys[key] = keys[key] || leaf
}

// tableKeys returns the keys in the first column of the table of all keys. Of
// `a.b.c`, `.d` the second is a.b.d.
func tableKeys(t *testing.T, path string) map[string]bool {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n| `listen` |")
	table, _, _ = strings.Cut("| `listen` |"+table, "\n\n")
	quoted := regexp.MustCompile("`([^`]+)`")
	name := regexp.MustCompile(`^[A-Z]+$`)
	rows := map[string]bool{}
	for line := range strings.Lines(table) {
		var last []string
		for _, m := range quoted.FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
			parts := strings.Split(strings.TrimPrefix(strings.ReplaceAll(m[1], "[]", ""), "."), ".")
			for i, part := range parts {
				if name.MatchString(part) {
					parts[i] = "*"
				}
			}
			if strings.HasPrefix(m[1], ".") {
				parts = append(slices.Clone(last[:len(last)-len(parts)]), parts...)
			}
			last = parts
			rows[strings.Join(parts, ".")] = true
		}
	}
	if len(rows) < 100 {
		t.Fatalf("%s: %d rows in the table of all keys", path, len(rows))
	}
	return rows
}
