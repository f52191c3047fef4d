// Command bendi-engine is the worker: it loads one model with llama.cpp and
// serves the chat protocol on a unix socket. bendi starts and supervises it;
// by hand, try
//
//	sleep 600 | bendi-engine --socket /tmp/engine.sock --model model.gguf --library bin/lib &
//	curl --unix-socket /tmp/engine.sock localhost/v1/chat -d '{"messages":[{"role":"user","content":"你好"}]}'
//
// Standard output carries lines of JSON: what was loaded, or why not, and then
// once a second that the worker lives, and how long its present step has taken.
// Standard error is the log. The end of standard input means that the
// supervisor is gone, and the worker ends at once.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bendi/inference/engine"
	"bendi/inference/llamacpp"
	"bendi/metrics"
	"bendi/models"
	"bendi/models/load"
	"bendi/openaicompat"
)

func main() {
	// ggml would start a debugger when it aborts, and wait for it.
	os.Setenv("GGML_NO_BACKTRACE", "1")
	// A core dump would hold users' words.
	syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bendi-engine:", err)
		llamacpp.TellFailed(os.Stdout, err)
		os.Exit(1)
	}
}

var errUsage = errors.New("wrong usage")

// options are the command line.
type options struct {
	engine.Config
	socket  string
	library string
	check   bool   // load the library and no model
	ceiling string // STREAMS,IN,OUT: measure decoding alone and serve nothing
	profile string // file for a CPU profile
}

// run loads the model and serves it until ctx or stdin ends.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	opts, err := parse(args, stderr)
	if err != nil {
		return err
	}
	version, err := engine.LoadLibrary(opts.library)
	if err != nil {
		return err
	}
	if opts.check {
		fmt.Fprintf(stdout, "llama.cpp %s\n", version)
		return checkDevices(stdout, opts.Options)
	}
	go func() {
		if opts.ceiling != "" {
			return // which reads it
		}
		io.Copy(io.Discard, stdin)
		// Loading and decoding cannot be interrupted from Go, and nobody is
		// left to hear of an orderly end.
		fmt.Fprintln(stderr, "bendi-engine: the supervisor is gone")
		os.Remove(opts.socket)
		if dir := filepath.Dir(opts.socket); strings.HasPrefix(filepath.Base(dir), "bendi-") {
			os.Remove(dir) // which the supervisor made for it
		}
		os.Exit(0)
	}()
	what, err := inspect(opts.Config)
	if err != nil {
		return err
	}
	stop, err := startProfile(opts.profile)
	if err != nil {
		return err
	}
	defer stop()
	if opts.ceiling != "" {
		return measureCeiling(opts.Config, opts.ceiling, stdin, stdout)
	}
	measured := metrics.NewEngine()
	opts.Observe = measured.Model
	e, err := engine.Open(opts.Config)
	if err != nil {
		return err
	}
	defer e.Close()
	measured.Read(opts.Name, e)
	listener, err := net.Listen("unix", opts.socket)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: openaicompat.New(openaicompat.Options{
		Routes:  []openaicompat.Route{{Path: "/v1/chat", Model: e}},
		Inside:  true,
		Actions: adapterActions(opts.Config, e),
		MaxBody: 1 << 30,                       // the gateway has the limit; its encoding of a body may be longer than the client's
		Log:     slog.New(slog.DiscardHandler), // the gateway logs requests
		Pages:   map[string]http.Handler{"/metrics": measured.Handler(), "/slots": metrics.Slots(e)},
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()
	info := e.Info()
	err = llamacpp.TellReady(stdout, llamacpp.Info{
		Name: opts.Name, Model: what, Device: info.Device, Library: "llama.cpp " + version,
		Context: info.Context, Slots: info.Slots, Layers: info.Layers, GPULayers: info.GPULayers, SizeBytes: info.SizeBytes, MemoryBytes: memory(),
		LoadTime: info.LoadTime, Adapters: info.Adapters,
	})
	if err != nil {
		return err
	}

	alive := time.NewTicker(llamacpp.AliveEvery)
	defer alive.Stop()
	for {
		select {
		case <-alive.C:
			if err := llamacpp.TellAlive(stdout, e.Step()); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		case <-e.Done():
			return e.Err()
		case err := <-served:
			return err
		}
	}
}

// parse reads the command line.
func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	o.Adapters = make(map[string]string)
	f := flag.NewFlagSet("bendi-engine", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.socket, "socket", "", "unix socket to serve on; required")
	f.StringVar(&o.Model, "model", "", "GGUF file; required")
	f.StringVar(&o.library, "library", "", "directory of libllama.so; required")
	f.BoolVar(&o.check, "check", false, "load the library, print its version and the devices, and end")
	f.StringVar(&o.ceiling, "ceiling", "", "for benchmarks: measure decoding alone for STREAMS,IN,OUT tokens and serve nothing")
	f.StringVar(&o.profile, "cpuprofile", "", "for benchmarks: write a CPU profile to this file")
	f.StringVar(&o.Name, "name", "model", "the model's id in requests")
	f.IntVar(&o.Context, "context", 0, "tokens of each conversation; 0: what the model was trained with")
	f.IntVar(&o.Slots, "slots", 4, "conversations answered at once")
	f.IntVar(&o.Threads, "threads", 0, "CPU threads; 0: the physical cores")
	o.Options = load.Defaults()
	o.Options.Flags(f)
	f.Func("adapter", "LoRA adapter as NAME=FILE; may be repeated", func(s string) error {
		name, path, ok := strings.Cut(s, "=")
		if !ok || name == "" || path == "" {
			return fmt.Errorf("want NAME=FILE, have %q", s)
		}
		o.Adapters[name] = path
		return nil
	})
	f.Func("template-kwarg", "what requests may give to the chat template, as NAME=DEFAULT with the default in JSON; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" || !json.Valid([]byte(value)) {
			return fmt.Errorf("want NAME=DEFAULT with the default in JSON, have %q", s)
		}
		if o.TemplateKwargs == nil {
			o.TemplateKwargs = make(map[string]json.RawMessage)
		}
		o.TemplateKwargs[name] = json.RawMessage(value)
		return nil
	})
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, errUsage
	}
	var err error
	require := func(name, value string) {
		if value == "" {
			fmt.Fprintf(stderr, "bendi-engine: --%s is required; see --help\n", name)
			err = errUsage
		}
	}
	o.Options.Check(o.Context, func(key, format string, args ...any) {
		fmt.Fprintf(stderr, "bendi-engine: --%s: %s\n", strings.ReplaceAll(key, "_", "-"), fmt.Sprintf(format, args...))
		err = errUsage
	})
	require("library", o.library)
	if !o.check {
		if o.ceiling == "" {
			require("socket", o.socket)
		}
		require("model", o.Model)
	}
	return o, err
}

// checkDevices prints what llama.cpp can compute on, and says whether a model
// can be loaded there as o says.
func checkDevices(stdout io.Writer, o load.Options) error {
	devices := engine.Devices()
	for _, d := range devices {
		const gib = 1 << 30
		if d.GPU {
			fmt.Fprintf(stdout, "%s: %s, %.1f GiB free of %.1f GiB\n", d.Name, d.Description, float64(d.Free)/gib, float64(d.Total)/gib)
		} else {
			fmt.Fprintf(stdout, "%s: %s\n", d.Name, d.Description)
		}
	}
	return engine.CheckDevices(o, devices)
}

// inspect reads the headers of the files, since llama.cpp aborts the process on
// some that are damaged. It returns the model in a few words.
func inspect(cfg engine.Config) (string, error) {
	if err := models.CheckModel(cfg.Model); err != nil {
		return "", err
	}
	for _, path := range cfg.Adapters {
		if err := models.CheckAdapter(path, cfg.Model); err != nil {
			return "", err
		}
	}
	info, err := models.Inspect(cfg.Model)
	return info.String(), err
}

// memory returns the bytes of the process that are in memory, or 0 where the
// system does not say.
func memory() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	fmt.Sscan(string(data), &size, &resident)
	return resident * int64(os.Getpagesize())
}
