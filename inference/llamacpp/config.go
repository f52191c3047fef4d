package llamacpp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"bendi/models/load"
)

// Config says what to run.
type Config struct {
	Name     string            // model id, such as "bendi-demo"
	Worker   string            // path of the bendi-engine program
	Library  string            // folder of llama.cpp's shared libraries
	Model    string            // GGUF file
	Context  int               // tokens of a sequence
	Slots    int               // sequences at once
	Threads  int               // of the CPU
	Adapters map[string]string // LoRA files by adapter name; each is the model Name:adapter

	TemplateKwargs map[string]string // what requests may give to the chat template, with the defaults as JSON

	load.Options // the KV cache, and what lies on GPUs

	SocketDir    string        // a private folder for the socket is made in it; "": XDG_RUNTIME_DIR, else the temporary folder
	StartTimeout time.Duration // a worker not ready by then is killed; 0: 10 minutes
	HangTimeout  time.Duration // a worker whose step takes longer is killed, as is one that is silent for a tenth of it; 0: 5 minutes; below 0: none is
	ReadyWait    time.Duration // a request waits this long for a worker that is not ready; 0: 30 seconds

	Demand      bool          // nothing is loaded before somebody asks
	UnloadAfter time.Duration // what nobody has asked for so long is unloaded, and loaded again when somebody does; 0: never

	// Admit is called before a model is loaded since somebody asks for it. It
	// may wait and make room; an error is what those hear who have asked. done
	// is called once the process is ready or has ended. nil: there is room.
	Admit func(ctx context.Context) (done func(), err error)

	Log *slog.Logger // nil: nothing is logged

	testOnlyTimes times
}

// times are those a test shortens; 0 is the default.
type times struct {
	grace time.Duration // from SIGTERM to SIGKILL
	rest  time.Duration // of a failed worker until it is tried again
	watch time.Duration // between two looks at the worker
}

// complete returns c with its defaults, or what is wrong with it.
func (c Config) complete() (Config, error) {
	if c.Name == "" || c.Model == "" {
		return c, errors.New("a worker needs a name and a model file")
	}
	path, err := exec.LookPath(c.Worker)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound):
		return c, fmt.Errorf("model %s: there is no worker program at %q: build it with `make build`", c.Name, c.Worker)
	case err != nil:
		return c, fmt.Errorf("model %s: the worker program %q cannot be run: %w: build it again with `make build`", c.Name, c.Worker, err)
	}
	c.Worker = path
	c.SocketDir = cmp.Or(c.SocketDir, os.Getenv("XDG_RUNTIME_DIR"), os.TempDir())
	c.StartTimeout = cmp.Or(c.StartTimeout, 10*time.Minute)
	c.HangTimeout = cmp.Or(c.HangTimeout, 5*time.Minute)
	c.ReadyWait = cmp.Or(c.ReadyWait, 30*time.Second)
	c.testOnlyTimes.grace = cmp.Or(c.testOnlyTimes.grace, 2*time.Second)
	c.testOnlyTimes.rest = cmp.Or(c.testOnlyTimes.rest, time.Minute)
	c.testOnlyTimes.watch = cmp.Or(c.testOnlyTimes.watch, 2*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("model", c.Name)
	return c, nil
}

// args returns the worker's command line.
func (c Config) args(socket string) []string {
	args := []string{
		"--socket", socket,
		"--name", c.Name,
		"--model", c.Model,
		"--library", c.Library,
		"--context", strconv.Itoa(c.Context),
		"--slots", strconv.Itoa(c.Slots),
		"--threads", strconv.Itoa(c.Threads),
	}
	args = append(args, c.Options.Args()...)
	for _, name := range slices.Sorted(maps.Keys(c.Adapters)) {
		args = append(args, "--adapter", name+"="+c.Adapters[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.TemplateKwargs)) {
		args = append(args, "--template-kwarg", name+"="+c.TemplateKwargs[name])
	}
	return args
}
