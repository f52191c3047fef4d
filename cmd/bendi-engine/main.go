// Command bendi-engine is the worker: it loads one model with llama.cpp and
// serves the chat protocol on a unix socket. bendi starts and supervises it;
// by hand, try
//
//	sleep 600 | bendi-engine --socket /tmp/engine.sock --model model.gguf --library bin/lib &
//	curl --unix-socket /tmp/engine.sock localhost/v1/chat -d '{"messages":[{"role":"user","content":"你好"}]}'
//
// Standard output carries one line of JSON: what was loaded, or why not.
// Standard error is the log. The end of standard input means that the
// supervisor is gone, and the worker ends at once.
package main

import (
	"context"
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

	"bendi/inference/engine"
	"bendi/inference/llamacpp"
	"bendi/models"
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
	check   bool // load the library and no model
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
		_, err := fmt.Fprintf(stdout, "llama.cpp %s\n", version)
		return err
	}
	go func() {
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
	e, err := engine.Open(opts.Config)
	if err != nil {
		return err
	}
	defer e.Close()
	listener, err := net.Listen("unix", opts.socket)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: openaicompat.New(openaicompat.Options{
		Routes:  []openaicompat.Route{{Path: "/v1/chat", Model: e}},
		MaxBody: 1 << 30,                       // the gateway has the limit; its encoding of a body may be longer than the client's
		Log:     slog.New(slog.DiscardHandler), // the gateway logs requests
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()
	info := e.Info()
	err = llamacpp.TellReady(stdout, llamacpp.Info{
		Name: opts.Name, Model: what, Device: info.Device, Library: "llama.cpp " + version,
		Context: info.Context, Slots: info.Slots, SizeBytes: info.SizeBytes, MemoryBytes: memory(),
		LoadTime: info.LoadTime, Adapters: info.Adapters,
	})
	if err != nil {
		return err
	}

	select {
	case <-ctx.Done():
		return nil
	case <-e.Done():
		return e.Err()
	case err := <-served:
		return err
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
	f.BoolVar(&o.check, "check", false, "load the library, print its version, and end")
	f.StringVar(&o.Name, "name", "model", "the model's id in requests")
	f.IntVar(&o.Context, "context", 0, "tokens of each conversation; 0: what the model was trained with")
	f.IntVar(&o.Slots, "slots", 4, "conversations answered at once")
	f.IntVar(&o.Threads, "threads", 0, "CPU threads; 0: the physical cores")
	f.Func("adapter", "LoRA adapter as NAME=FILE; may be repeated", func(s string) error {
		name, path, ok := strings.Cut(s, "=")
		if !ok || name == "" || path == "" {
			return fmt.Errorf("want NAME=FILE, have %q", s)
		}
		o.Adapters[name] = path
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
	require("library", o.library)
	if !o.check {
		require("socket", o.socket)
		require("model", o.Model)
	}
	return o, err
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
