package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bendi/chat"
	"bendi/internal/life"
)

// Config says what to run.
type Config struct {
	Name    string            // of the backend, in errors and the log
	Command []string          // the program and its arguments; [Port] and [Socket] in them stand for where to listen
	Env     map[string]string // set for it; likewise
	Secrets map[string]string // set for it as well, and blotted out of its log
	Pass    []string          // variables of the gateway's environment that it gets, beside the usual ones
	Dir     string            // it is run in; "": that of the gateway

	Health       string        // the path that answers with 200 once it is ready
	StartTimeout time.Duration // one that is not healthy by then is killed; 0: 10 minutes
	StopTimeout  time.Duration // from SIGTERM to SIGKILL; 0: 10 seconds
	ReadyWait    time.Duration // a request waits so long for one that is not ready; 0: 2 minutes
	UnloadAfter  time.Duration // one that nobody has asked for so long is stopped; 0: never
	Backoff      time.Duration // after it has died until it may be started again; doubles each time, up to a minute. 0: 1 second
	Keep         bool          // it is started at once, and again when it has died

	// Client returns who speaks with a server at a place. It does not connect
	// yet.
	Client func(at Place) (Client, error)

	// Admit is called before the command is started. It may wait and make room;
	// an error is what those hear who have asked. done is called once the server
	// is ready or has ended. Nil: there is room.
	Admit func(ctx context.Context) (done func(), err error)

	SocketDir string       // private folders for sockets are made in it; "": XDG_RUNTIME_DIR, else the temporary folder
	LogAll    bool         // what it writes is logged after it was ready, too
	Log       *slog.Logger // nil: nothing is logged
}

// A Client speaks with a server.
type Client interface {
	chat.Model
	Close() // the connections that no answer is using
}

// maxBackoff is how long a command that keeps dying is left alone at most,
// unless Backoff is longer.
const maxBackoff = time.Minute

// complete returns c with its defaults, or what is wrong with it.
func (c Config) complete() (Config, error) {
	if err := CheckCommand(c.Command); err != nil {
		return c, fmt.Errorf("backend %s: %w", c.Name, err)
	}
	if c.Client == nil {
		return c, fmt.Errorf("backend %s: nobody is there to speak with it", c.Name)
	}
	c.Health = "/" + strings.TrimPrefix(cmp.Or(c.Health, "/health"), "/")
	c.StartTimeout = cmp.Or(c.StartTimeout, 10*time.Minute)
	c.StopTimeout = cmp.Or(c.StopTimeout, 10*time.Second)
	c.ReadyWait = cmp.Or(c.ReadyWait, 2*time.Minute)
	c.Backoff = cmp.Or(c.Backoff, time.Second)
	c.SocketDir = cmp.Or(c.SocketDir, os.Getenv("XDG_RUNTIME_DIR"), os.TempDir())
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("backend", c.Name)
	return c, nil
}

// CheckCommand returns why a command could not be run, or nil: what a start
// would find out.
func CheckCommand(command []string) error {
	if len(command) == 0 || command[0] == "" {
		return errors.New("there is no command to run")
	}
	port, socket := usesPlace(command)
	switch {
	case port && socket:
		return fmt.Errorf("the command has both %s and %s: a server listens at one place", Port, Socket)
	case strings.Contains(command[0], "${"):
		return fmt.Errorf("the program itself cannot have %s or %s in it", Port, Socket)
	}
	if strings.Contains(command[0], "/") && !filepath.IsAbs(command[0]) {
		return fmt.Errorf("the program %q is neither a name to be looked up nor a whole path", command[0])
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("there is no program %q: install it, or write its whole path", command[0])
		}
		return fmt.Errorf("the program %q cannot be run: %w", command[0], err)
	}
	return nil
}

// environment returns the variables of the command, out of those of the
// gateway.
func (c Config) environment(all []string, at Place) []string {
	env := life.Environment(all, append(c.Pass[:len(c.Pass):len(c.Pass)], "USER", "LOGNAME", "TZ", "XDG_RUNTIME_DIR")...)
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		env = append(env, name+"="+at.fill(c.Env[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Secrets)) {
		env = append(env, name+"="+c.Secrets[name])
	}
	return env
}
