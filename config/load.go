package config

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Options say where settings come from besides the defaults.
type Options struct {
	// File is the configuration file given by flag. When empty, the first of
	// these is taken: $BENDI_CONFIG, ./bendi.yaml,
	// $XDG_CONFIG_HOME/bendi/bendi.yaml, /etc/bendi/bendi.yaml. Without any of
	// them the built-in configuration serves.
	File string

	// Flags are settings given by flag, by the path of their key, such as
	// "listen". They win over everything else.
	Flags map[string]string

	// Home is the folder that the relative paths of the built-in
	// configuration start from.
	Home string

	// Reading is told of each file before it is read, and of those that are
	// looked for in vain. It may be nil.
	Reading func(path string)

	// LookupEnv reads the environment. It is os.LookupEnv when nil.
	LookupEnv func(name string) (value string, ok bool)
}

// maxFile is the size of the largest configuration, in bytes.
const maxFile = 1 << 20

// keyVariable adds an API key without a configuration file.
const keyVariable = "BENDI_API_KEY"

// EnvironmentKey is the name of the key in BENDI_API_KEY.
const EnvironmentKey = "environment"

// Load returns the configuration that opts describe, checked, and where each
// setting came from. The paths in it are absolute.
//
// Every setting that is no part of a list or of a mapping of names can be given
// by an environment variable too: server.max_body is BENDI_SERVER_MAX_BODY, and
// a list of texts is written with commas. An empty variable counts as unset.
// BENDI_API_KEY adds an API key named environment.
//
// Its error is a [Faults] when the configuration is wrong, with everything
// that is wrong in it.
func Load(opts Options) (*Config, *Origins, error) {
	lookup := opts.LookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	reading := opts.Reading
	if reading == nil {
		reading = func(string) {}
	}
	file, text, err := find(opts.File, lookup, reading)
	if err != nil {
		return nil, nil, err
	}

	c := Default()
	c.resolve(opts.Home)
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, nil, fmt.Errorf("finding the folder of %s: %w", file, err)
	}
	d := newDecoder(file, dir, lookup)
	d.reading = reading
	if file != "" && len(text) > maxFile {
		d.fault(nil, "", "the file has %d bytes, a configuration has at most %d", len(text), maxFile)
	} else if file != "" {
		d.document(text, c)
		_, models := d.places["models"]
		if _, routes := d.places["routes"]; models && !routes {
			c.Routes = nil // the built-in ones are for the built-in models
		}
	}
	c.complete(func(key, from string) {
		if at, ok := d.origins[from]; ok {
			d.origins[key] = at
		}
		if d.isBroken(from) {
			d.broken[key] = true // said once
		}
	})
	d.environment(c)
	d.flags(c, opts.Flags)
	d.keys(c)
	d.backendKeys(c)
	d.processSecrets(c)
	d.sessionKeys(c)
	d.jwtSecrets(c)

	c.check(func(key, format string, args ...any) {
		if !d.isBroken(key) {
			d.faults = append(d.faults, d.locate(Fault{Key: key, Message: fmt.Sprintf(format, args...)}))
		}
	})
	if len(d.faults) > 0 {
		d.faults.Sort()
		return nil, nil, d.faults
	}
	return c, &Origins{File: file, byKey: d.origins}, nil
}

// find returns the name and the content of the configuration file, or nothing
// when there is none and none was asked for.
func find(file string, lookup func(string) (string, bool), reading func(string)) (name string, text []byte, err error) {
	asked := "--config"
	if file == "" {
		file, _ = lookup("BENDI_CONFIG")
		asked = "BENDI_CONFIG"
	}
	if file != "" {
		reading(file)
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil, Faults{{Source: file, Message: "there is no such file, which " + asked + " names; begin one with a copy of bendi.example.yaml"}}
		}
		if err != nil {
			return "", nil, fmt.Errorf("reading the configuration: %w", err)
		}
		return file, text, nil
	}
	for _, file := range searched(lookup) {
		reading(file)
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("reading the configuration: %w; name another file with --config", err)
		}
		return file, text, nil
	}
	return "", nil, nil
}

// searched are the files looked for when none was named.
func searched(lookup func(string) (string, bool)) []string {
	user, _ := lookup("XDG_CONFIG_HOME")
	if home, _ := lookup("HOME"); user == "" && home != "" {
		user = filepath.Join(home, ".config")
	}
	files := []string{"bendi.yaml"}
	if user != "" {
		files = append(files, filepath.Join(user, "bendi", "bendi.yaml"))
	}
	return append(files, "/etc/bendi/bendi.yaml")
}

// environment takes the settings that the environment has.
func (d *decoder) environment(c *Config) {
	for key, v := range settable(reflect.ValueOf(c).Elem(), "") {
		name := "BENDI_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		if text, _ := d.lookup(name); text != "" {
			d.override(key, v, text, Origin("environment "+name))
		}
	}
}

// flags takes the settings that were given by flag.
func (d *decoder) flags(c *Config, flags map[string]string) {
	known := map[string]bool{}
	for key, v := range settable(reflect.ValueOf(c).Elem(), "") {
		known[key] = true
		if text, ok := flags[key]; ok {
			d.override(key, v, text, Origin("flag --"+flagOf(key)))
		}
	}
	for key := range flags {
		if !known[key] {
			d.faults = append(d.faults, Fault{Source: "flag", Key: key, Message: "is no setting that a flag can give"})
		}
	}
}

// flagOf returns the name of the flag that gives a setting.
func flagOf(key string) string {
	switch key {
	case "server.tls.cert_file":
		return "tls-cert"
	case "server.tls.key_file":
		return "tls-key"
	}
	return strings.NewReplacer(".", "-", "_", "-").Replace(key)
}

// override sets v, the setting called key, to what text says. Relative paths
// start from the working directory.
func (d *decoder) override(key string, v reflect.Value, text string, from Origin) {
	var err error
	if v.Kind() == reflect.Slice {
		list := strings.Split(text, ",")
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
		v.Set(reflect.ValueOf(list))
		maps.DeleteFunc(d.origins, func(k string, _ Origin) bool { return strings.HasPrefix(k, key+"[") })
	} else {
		wd, _ := os.Getwd() // without one, relative paths stay so
		err = setText(v, text, wd)
	}
	d.origins[key], d.outside[key] = from, true
	if err != nil {
		d.broken[key] = true
		d.faults = append(d.faults, Fault{Source: string(from), Key: key, Message: err.Error()})
		return
	}
	delete(d.broken, key)
}

// keys reads the secrets that lie in files, and takes the key of the
// environment.
func (d *decoder) keys(c *Config) {
	for i := range c.Access.Keys {
		k := &c.Access.Keys[i]
		key := fmt.Sprintf("access.keys[%d].key", i)
		_, both := d.places[key]
		if text, ok := d.secretIn(k.KeyFile, key, key+"_file", both); ok {
			k.Key = NewSecret(strings.TrimRight(text, "\r\n"))
		}
	}
	secret, _ := d.lookup(keyVariable)
	if secret == "" {
		return
	}
	for _, k := range c.Access.Keys {
		if k.Key.Reveal() == secret {
			return // the file refers to it already
		}
	}
	key := fmt.Sprintf("access.keys[%d]", len(c.Access.Keys))
	c.Access.Keys = append(c.Access.Keys, Key{Name: EnvironmentKey, Key: NewSecret(secret)})
	for _, key := range []string{key + ".name", key + ".key"} {
		d.origins[key], d.outside[key] = "environment "+keyVariable, true
	}
}

// backendKeys reads the keys of backends that lie in files.
func (d *decoder) backendKeys(c *Config) {
	for _, name := range slices.Sorted(maps.Keys(c.Backends)) {
		b, key := c.Backends[name], join("backends", name)+".key"
		_, both := d.places[key]
		text, ok := d.secretIn(b.KeyFile, key, key+"_file", both)
		if !ok {
			continue
		}
		if b.Key = NewSecret(strings.TrimSpace(text)); b.Key.IsZero() {
			d.badSecret(key, key+"_file", "is empty: want the key that the backend expects")
		}
		c.Backends[name] = b
	}
}

// secretIn returns the text of the file that a secret lies in; ok is false where
// it has no file, or not alone: both says that the secret itself is given. The
// keys are those of the two settings.
func (d *decoder) secretIn(file Path, key, fileKey string, both bool) (text string, ok bool) {
	if file == "" {
		return "", false
	}
	if both {
		d.badSecret(key, fileKey, "is one too many beside %s; keep one of them", key[strings.LastIndexByte(key, '.')+1:])
		return "", false
	}
	d.reading(string(file))
	read, err := os.ReadFile(string(file))
	if err != nil {
		d.badSecret(key, fileKey, "%v", err)
		return "", false
	}
	d.origins[key] = Origin("file " + string(file))
	return string(read), true
}

// badSecret says what is wrong with the file of a secret, and that nothing more
// is to be said about the secret.
func (d *decoder) badSecret(key, fileKey, format string, args ...any) {
	d.broken[key], d.broken[fileKey] = true, true
	d.faults = append(d.faults, d.locate(Fault{Key: fileKey, Message: fmt.Sprintf(format, args...)}))
}

// isBroken reports whether key or what it is part of is at fault already, so
// that a second fault would only repeat the first.
func (d *decoder) isBroken(key string) bool {
	for part := range upwards(key) {
		if d.broken[part] {
			return true
		}
	}
	return d.broken[""]
}

// upwards yields key, what it is part of, and so on.
func upwards(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for key != "" && yield(key) {
			key = key[:max(0, strings.LastIndexAny(key, ".["))]
		}
	}
}

// locate says where the value of f's key was written, or else the nearest
// thing it is part of.
func (d *decoder) locate(f Fault) Fault {
	if d.outside[f.Key] {
		f.Source = string(d.origins[f.Key])
		return f
	}
	for part := range upwards(f.Key) {
		p, ok := d.places[part]
		if !ok {
			continue
		}
		at := p.value
		if part != f.Key {
			at = p.key
		}
		f.Source, f.Line, f.Column = d.source, at.Line, at.Column
		return f
	}
	f.Source = d.source
	return f
}

// settable yields the settings below v that a text can give: those that are
// no part of a list or of a mapping of names.
func settable(v reflect.Value, key string) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		for name, fv := range settings(v) {
			name := join(key, name)
			switch {
			case fv.Type() == reflect.TypeFor[Secret]():
			case fv.Kind() == reflect.Struct:
				for k, v := range settable(fv, name) {
					if !yield(k, v) {
						return
					}
				}
			case fv.Kind() == reflect.Map, fv.Kind() == reflect.Slice && fv.Type().Elem().Kind() != reflect.String:
			case !yield(name, fv):
				return
			}
		}
	}
}

// resolve makes the paths of c absolute.
func (c *Config) resolve(dir string) {
	c.Data.resolve(dir)
	c.Engine.Worker.resolve(dir)
	c.Engine.Library.resolve(dir)
	c.Stores.SQLite.File.resolve(dir)
	for id, m := range c.Models {
		m.Path.resolve(dir)
		for a, p := range m.Adapters {
			p.resolve(dir)
			m.Adapters[a] = p
		}
		for i := range m.AdapterDirs {
			m.AdapterDirs[i].resolve(dir)
		}
		c.Models[id] = m
	}
	for i := range c.Lexicons {
		c.Lexicons[i].Path.resolve(dir)
	}
}
