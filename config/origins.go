package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// An Origin says where a setting came from: default, bendi.yaml:12,
// environment BENDI_LISTEN, or flag --listen.
type Origin string

// Origins tell where each setting of a Config came from.
type Origins struct {
	// File is the configuration file that was read. It is empty for the
	// built-in configuration.
	File string

	byKey map[string]Origin
}

// Of returns where the setting called key came from.
func (o *Origins) Of(key string) Origin {
	if from, ok := o.byKey[key]; ok {
		return from
	}
	return "default"
}

// Sets reports whether anything of a section, such as relay, was given.
func (o *Origins) Sets(section string) bool {
	for key := range o.byKey {
		if rest, ok := strings.CutPrefix(key, section); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// A Setting is one value of a Config as text, with its key and its origin.
type Setting struct {
	Key, Value string
	Origin     Origin
}

// Settings lists every setting of c in the order of its fields, names sorted.
// Secrets are asterisks.
func (o *Origins) Settings(c *Config) []Setting {
	var list []Setting
	var walk func(v reflect.Value, key string)
	walk = func(v reflect.Value, key string) {
		switch {
		case v.Type() == reflect.TypeFor[RouteModel]() && v.FieldByName("Tiers").Len() == 0:
			list = append(list, Setting{key, v.FieldByName("ID").String(), o.Of(key)})
		case v.Type() == reflect.TypeFor[Secret]():
			list = append(list, Setting{key, fmt.Sprint(v.Interface()), o.Of(key)})
		case v.Kind() == reflect.Struct:
			for name, fv := range settings(v) {
				walk(fv, join(key, name))
			}
		case v.Kind() == reflect.Map && v.Len() > 0:
			for _, name := range slices.Sorted(maps.Keys(names(v))) {
				walk(v.MapIndex(reflect.ValueOf(name)), join(key, name))
			}
		case v.Kind() == reflect.Slice && v.Len() > 0:
			for i := range v.Len() {
				elem := fmt.Sprintf("%s[%d]", key, i)
				if _, ok := o.byKey[elem]; !ok && v.Index(i).Kind() == reflect.String {
					list = append(list, Setting{elem, fmt.Sprint(v.Index(i).Interface()), o.Of(key)})
					continue
				}
				walk(v.Index(i), elem)
			}
		case v.Kind() == reflect.Map || v.Kind() == reflect.Slice:
			list = append(list, Setting{key, "", o.Of(key)})
		default:
			list = append(list, Setting{key, fmt.Sprint(v.Interface()), o.Of(key)})
		}
	}
	walk(reflect.ValueOf(c).Elem(), "")
	return list
}

// names returns the keys of a map of any values.
func names(v reflect.Value) map[string]bool {
	set := map[string]bool{}
	for _, k := range v.MapKeys() {
		set[k.String()] = true
	}
	return set
}

// YAML writes c as a configuration file, with asterisks for secrets.
func (c *Config) YAML() ([]byte, error) {
	return yaml.MarshalWithOptions(c, yaml.IndentSequence(true))
}
