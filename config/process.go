package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A Process is the command of a backend that is started when it is needed.
type Process struct {
	Command     []Word            `yaml:"command"`      // the program and its arguments, no shell
	Env         map[string]Word   `yaml:"env"`          // set for it
	Secrets     map[string]Secret `yaml:"secrets"`      // set for it as well
	SecretFiles map[string]Path   `yaml:"secret_files"` // likewise, out of files; after Load, Secrets has what is in them
	Pass        []string          `yaml:"pass"`         // variables of the gateway's environment that it gets
	Dir         Path              `yaml:"dir"`

	Health       string   `yaml:"health"` // a path that answers with 200 once it is ready
	StartTimeout Duration `yaml:"start_timeout"`
	StopTimeout  Duration `yaml:"stop_timeout"` // from SIGTERM to SIGKILL
	Load         LoadTime `yaml:"load"`
	UnloadAfter  Duration `yaml:"unload_after"` // without a request; 0 means never
	Backoff      Duration `yaml:"backoff"`      // after it has died; it doubles, up to a minute

	Memory    Size `yaml:"memory"`     // that it takes, for room to be made; 0: it is not counted
	GPUMemory Size `yaml:"gpu_memory"` // likewise
	LogAll    bool `yaml:"log_all"`    // what it writes once it is ready is logged, too
}

// A Word is a text in which ${PORT} and ${SOCKET} stand for where a process is
// to listen. No other ${...} can be in it: what is in a command is seen by every
// user of the machine.
type Word string

// UnmarshalText takes a word as it is.
func (w *Word) UnmarshalText(text []byte) error {
	rest := strings.NewReplacer(wordPort, "", wordSocket, "").Replace(string(text))
	if strings.Contains(rest, "${") {
		return fmt.Errorf("only ${PORT} and ${SOCKET} can stand here; every user of the machine sees a command: give it ${NAME} as a variable of its environment, under process.secrets")
	}
	if strings.ContainsRune(rest, 0) {
		return fmt.Errorf("has a zero byte in it")
	}
	*w = Word(text)
	return nil
}

const (
	wordPort   = "${PORT}"
	wordSocket = "${SOCKET}"
)

// processDefaults is what a process has that says nothing else.
func processDefaults() Process {
	return Process{
		Command: []Word{}, Env: map[string]Word{}, Secrets: map[string]Secret{}, SecretFiles: map[string]Path{}, Pass: []string{},
		Health: "/health", StartTimeout: Duration(600e9), StopTimeout: Duration(10e9), Load: LoadDemand, Backoff: Duration(1e9),
	}
}

// Starts reports whether b is a command that is started here.
func (b Backend) Starts() bool { return len(b.Process.Command) > 0 }

// Words returns the command as texts.
func (p Process) Words() []string {
	words := make([]string, len(p.Command))
	for i, w := range p.Command {
		words[i] = string(w)
	}
	return words
}

// places returns how often a command and its environment say where to listen.
func (p Process) places() (port, socket bool) {
	all := append(slices.Clone(p.Command), slices.Collect(maps.Values(p.Env))...)
	for _, w := range all {
		port = port || strings.Contains(string(w), wordPort)
		socket = socket || strings.Contains(string(w), wordSocket)
	}
	return port, socket
}

// checkProcess checks the command of a backend, and that nothing is said beside
// it that it says itself. It reports whether there is, or should be, a command.
func (b Backend) checkProcess(bad bad, key string) bool {
	p := b.Process
	key += ".process"
	if !b.Starts() {
		meant := !reflect.DeepEqual(p, processDefaults())
		if meant {
			bad(key+".command", "is missing: the program and its arguments, such as [llama-server, --port, \"${PORT}\", -m, model.gguf]")
		}
		return meant
	}
	port, socket := p.places()
	switch {
	case port && socket:
		bad(key+".command", "has both ${PORT} and ${SOCKET}; a server listens at one place")
	case !port && !socket:
		bad(key+".command", "has to say where the server listens: put ${PORT}, a free port of 127.0.0.1, or ${SOCKET}, the path of a unix socket, into it or into process.env")
	}
	switch program := string(p.Command[0]); {
	case program == "":
		bad(key+".command[0]", "is empty: want the program")
	case strings.Contains(program, "${"):
		bad(key+".command[0]", "is the program, which has no ${PORT} or ${SOCKET} in it")
	case strings.Contains(program, "/") && !filepath.IsAbs(program):
		bad(key+".command[0]", "want the name of a program in PATH, or its whole path")
	}
	seen := map[string]string{}
	names := func(name string, all []string) {
		for _, n := range all {
			key := join(key+"."+name, n)
			if before, twice := seen[n]; twice {
				bad(key, "is given under %s, too; keep one of them", before)
			} else if !isVariable(n) {
				bad(key, "want the name of an environment variable")
			}
			seen[n] = name
		}
	}
	names("env", slices.Sorted(maps.Keys(p.Env)))
	names("secrets", slices.Sorted(maps.Keys(p.Secrets)))
	for i, n := range p.Pass {
		if !isVariable(n) {
			bad(fmt.Sprintf("%s.pass[%d]", key, i), "want the name of an environment variable")
		}
	}
	if p.Dir != "" {
		if info, err := os.Stat(string(p.Dir)); err != nil {
			bad(key+".dir", "%v", err)
		} else if !info.IsDir() {
			bad(key+".dir", "is no folder")
		}
	}
	if !strings.HasPrefix(p.Health, "/") || strings.ContainsAny(p.Health, "?# ") {
		bad(key+".health", "want a path such as /health")
	}
	one(bad, key+".load", p.Load)
	span(bad, key+".start_timeout", p.StartTimeout, time.Second)
	span(bad, key+".stop_timeout", p.StopTimeout, 10*time.Millisecond)
	span(bad, key+".backoff", p.Backoff, 10*time.Millisecond)
	if p.UnloadAfter != 0 && time.Duration(p.UnloadAfter) < time.Second {
		bad(key+".unload_after", "want 0s (never) or at least 1s, have %v", p.UnloadAfter)
	}
	b.checkBeside(bad, strings.TrimSuffix(key, ".process"))
	return true
}

// checkBeside checks that nothing says again where a process is.
func (b Backend) checkBeside(bad bad, key string) {
	if b.Outside() {
		bad(key+".zone", "a process runs here, and is inside")
	}
	for _, other := range []struct{ name, has, instead string }{
		{"url", b.URL, "the gateway chooses where it listens, and asks it below /v1"},
		{"socket", string(b.Socket), "put ${SOCKET} into process.command"},
		{"proxy", b.Proxy, "it is on this machine"},
		{"ca_file", string(b.CAFile), "it is on this machine"},
	} {
		if other.has != "" {
			bad(key+"."+other.name, "is not for a process: %s", other.instead)
		}
	}
	if b.Probe != Off {
		bad(key+".probe", "is not for a process, which is known to run: process.health says when it is ready")
	}
}

// processSecrets reads the secrets of processes that lie in files.
func (d *decoder) processSecrets(c *Config) {
	for _, name := range slices.Sorted(maps.Keys(c.Backends)) {
		p, key := c.Backends[name].Process, join("backends", name)+".process"
		for _, variable := range slices.Sorted(maps.Keys(p.SecretFiles)) {
			secret, file := join(key+".secrets", variable), join(key+".secret_files", variable)
			if _, both := p.Secrets[variable]; both {
				d.badSecret(secret, file, "is given under secrets, too; keep one of them")
				continue
			}
			if p.SecretFiles[variable] == "" {
				d.badSecret(secret, file, "is empty: want the file with the secret")
				continue
			}
			text, ok := d.secretIn(p.SecretFiles[variable], secret, file, false)
			if !ok {
				continue
			}
			if p.Secrets[variable] = NewSecret(strings.TrimSpace(text)); p.Secrets[variable].IsZero() {
				d.badSecret(secret, file, "is empty: want what the server expects")
			}
		}
	}
}
