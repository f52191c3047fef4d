package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"bendi/config"
)

// A source is where a configuration comes from: files, the environment, flags.
type source struct {
	options config.Options

	mu   sync.Mutex
	file string  // once there was one, it is not done without
	seen []stamp // of the files when they were last read or looked for
}

// read reads the configuration. Its error is a usage error.
func (s *source) read() (*config.Config, *config.Origins, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = nil
	o := s.options
	o.Reading = func(path string) { s.seen = append(s.seen, stampOf(path)) }
	if s.file != "" {
		o.File = s.file
		if err := again(s.file); err != nil {
			o.Reading(s.file)
			return nil, nil, usage(err)
		}
	}
	cfg, origins, err := config.Load(o)
	if err != nil {
		return nil, nil, usage(err)
	}
	s.file = origins.File
	for _, name := range slices.Sorted(maps.Keys(cfg.Backends)) {
		if file := cfg.Backends[name].CAFile; file != "" {
			o.Reading(string(file))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Relays)) {
		for _, file := range relaysFiles(cfg.Relays[name]) {
			o.Reading(file)
		}
	}
	for _, j := range cfg.Access.JWT {
		if j.PublicKeyFile != "" {
			o.Reading(string(j.PublicKeyFile))
		}
	}
	for _, file := range tlsFiles(cfg.Server.TLS) {
		o.Reading(file)
	}
	return cfg, origins, nil
}

// again returns why a file that was read must not be read again: whoever takes
// it away, or has emptied it to write it anew, does not mean to have the
// built-in configuration in its place.
func again(file string) error {
	switch info, err := os.Stat(file); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is gone: put it back", file)
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file and can be read but once: start the server anew", file)
	case err == nil && info.Size() == 0:
		return fmt.Errorf("%s is empty: fill it", file)
	}
	return nil
}

// filesBeside returns how the files look that a configuration names and that
// are read when it is put in force.
func filesBeside(cfg *config.Config) []stamp {
	l := library{specs: cfg.Lexicons}
	all, _ := l.stamps()
	for _, id := range used(cfg) {
		m := cfg.Models[id]
		all = append(all, stampOf(string(m.Path)))
		for _, name := range slices.Sorted(maps.Keys(m.Adapters)) {
			all = append(all, stampOf(string(m.Adapters[name])))
		}
	}
	return all
}

// also has files looked at as well until the configuration is read again: it
// could not be put in force, and what they hold may be why.
func (s *source) also(files []stamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, files...)
}

// look returns how the files looked when they were read, and how they look now.
func (s *source) look() (then, now []stamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, was := range s.seen {
		now = append(now, stampOf(was.path))
	}
	return slices.Clone(s.seen), now
}
