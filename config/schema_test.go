package config_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"golang.org/x/tools/txtar"

	"bendi/config"
)

type object = map[string]any

func readSchema(t *testing.T) object {
	var schema object
	if err := json.Unmarshal(config.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// The schema has exactly the keys of Config, a description for each, and the
// defaults of Default.
func TestSchemaAgreesWithConfig(t *testing.T) {
	agree(t, readSchema(t), reflect.ValueOf(config.Default()).Elem(), "")
}

func agree(t *testing.T, schema object, v reflect.Value, key string) {
	if s, _ := schema["description"].(string); !strings.HasSuffix(s, ".") {
		t.Errorf("%s: no description in the schema", key)
	}
	if want, ok := schema["default"]; ok && !strings.Contains(key, "*") {
		text, err := json.Marshal(v.Interface())
		var have any
		if err == nil {
			err = json.Unmarshal(text, &have)
		}
		if err != nil || !reflect.DeepEqual(have, want) {
			t.Errorf("%s: the schema has the default %v, Default has %v (%v)", key, want, have, err)
		}
	}
	switch {
	case v.Type() == reflect.TypeFor[config.Secret]():
	case v.Kind() == reflect.Struct:
		if schema["additionalProperties"] != false {
			t.Errorf("%s: the schema allows unknown keys", key)
		}
		properties, _ := schema["properties"].(object)
		var tags []string
		var walk func(reflect.Value)
		walk = func(v reflect.Value) {
			for field, fv := range v.Fields() {
				tag := field.Tag.Get("yaml")
				if tag == ",inline" {
					walk(fv)
					continue
				}
				tags = append(tags, tag)
				if p, ok := properties[tag].(object); ok {
					agree(t, p, fv, strings.TrimPrefix(key+"."+tag, "."))
				}
			}
		}
		walk(v)
		slices.Sort(tags)
		if have := slices.Sorted(maps.Keys(properties)); !slices.Equal(have, tags) {
			t.Errorf("%s: the schema has the keys %v, the type %v", key, have, tags)
		}
	case v.Kind() == reflect.Map:
		elem, ok := schema["additionalProperties"].(object)
		if !ok {
			t.Errorf("%s: the schema says nothing of the values", key)
			return
		}
		agree(t, elem, reflect.New(v.Type().Elem()).Elem(), key+".*")
	case v.Kind() == reflect.Slice:
		agree(t, schema["items"].(object), reflect.New(v.Type().Elem()).Elem(), key+".*")
	default:
		var values any
		if choice, ok := v.Interface().(interface{ Values() []string }); ok {
			var list []any
			for _, v := range choice.Values() {
				list = append(list, v)
			}
			values = list
		}
		if values != nil && !reflect.DeepEqual(schema["enum"], values) {
			t.Errorf("%s: the schema has the values %v, want %v", key, schema["enum"], values)
		}
	}
}

// The example and every good configuration of the tests fit the schema, and
// those with an unknown key or a value of the wrong type do not.
func TestSchemaAgreesWithLoad(t *testing.T) {
	schema := readSchema(t)
	cases := map[string]bool{"../bendi.example.yaml": true}
	good, _ := filepath.Glob("testdata/*.good.txtar")
	for _, path := range good {
		cases[path] = true
	}
	for _, bad := range []string{"unknown", "types", "semantic", "secrets", "toplevel", "models", "empty"} {
		cases["testdata/"+bad+".bad.txtar"] = false
	}
	for path, want := range cases {
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := archive.Comment // the example is no archive
			for _, f := range archive.Files {
				if f.Name == "bendi.yaml" {
					text = f.Data
				}
			}
			if strings.HasPrefix(filepath.Base(path), "builtin") {
				text = []byte("{}")
			}
			asJSON, err := yaml.YAMLToJSON(text)
			if err != nil {
				t.Fatal(err)
			}
			var document any
			if err := json.Unmarshal(asJSON, &document); err != nil {
				t.Fatal(err)
			}
			if document == nil {
				document = object{}
			}
			if problem := fits(t, schema, document, "file"); (problem == "") != want {
				t.Errorf("fits the schema: %v (%s), want %v", problem == "", problem, want)
			}
		})
	}
}

// fits returns what of the schema v does not fulfil. It knows as much of JSON
// Schema as ours uses.
func fits(t *testing.T, schema object, v any, key string) string {
	number, isNumber := v.(float64)
	text, isText := v.(string)
	list, isList := v.([]any)
	fields, isObject := v.(object)
	for _, word := range slices.Sorted(maps.Keys(schema)) {
		arg := schema[word]
		ok := true
		switch word {
		case "$schema", "title", "description", "default":
		case "type":
			var types []any
			if types, ok = arg.([]any); !ok {
				types = []any{arg}
			}
			have := map[any]bool{"null": v == nil, "string": isText, "array": isList, "object": isObject, "number": isNumber, "integer": isNumber && number == float64(int64(number)), "boolean": v == true || v == false}
			ok = slices.ContainsFunc(types, func(typ any) bool { return have[typ] })
		case "enum":
			ok = slices.Contains(arg.([]any), v)
		case "const":
			ok = v == arg
		case "pattern":
			ok = !isText || regexp.MustCompile(arg.(string)).MatchString(text)
		case "minLength":
			ok = !isText || utf8.RuneCountInString(text) >= int(arg.(float64))
		case "minimum":
			ok = !isNumber || number >= arg.(float64)
		case "maximum":
			ok = !isNumber || number <= arg.(float64)
		case "minItems":
			ok = !isList || len(list) >= int(arg.(float64))
		case "maxItems":
			ok = !isList || len(list) <= int(arg.(float64))
		case "minProperties":
			ok = !isObject || len(fields) >= int(arg.(float64))
		case "required":
			for _, name := range arg.([]any) {
				if _, has := fields[name.(string)]; isObject && !has {
					ok = false
				}
			}
		case "items":
			for i, elem := range list {
				if problem := fits(t, arg.(object), elem, fmt.Sprintf("%s[%d]", key, i)); problem != "" {
					return problem
				}
			}
		case "propertyNames":
			for name := range fields {
				if problem := fits(t, arg.(object), name, key); problem != "" {
					return problem
				}
			}
		case "properties":
			for name, elem := range fields {
				if sub, has := arg.(object)[name].(object); has {
					if problem := fits(t, sub, elem, key+"."+name); problem != "" {
						return problem
					}
				}
			}
		case "additionalProperties":
			known, _ := schema["properties"].(object)
			for name, elem := range fields {
				if _, has := known[name]; has {
					continue
				}
				sub, isSchema := arg.(object)
				if !isSchema {
					return key + "." + name + ": additional property"
				}
				if problem := fits(t, sub, elem, key+"."+name); problem != "" {
					return problem
				}
			}
		case "anyOf", "oneOf":
			n := 0
			for _, sub := range arg.([]any) {
				if fits(t, sub.(object), v, key) == "" {
					n++
				}
			}
			ok = n == 1 || n > 1 && word == "anyOf"
		default:
			t.Fatalf("the test does not know the keyword %s", word)
		}
		if !ok {
			return fmt.Sprintf("%s: %s %v", key, word, arg)
		}
	}
	return ""
}
