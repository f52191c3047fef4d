// Command bendi-engine is the worker: it loads one model with llama.cpp and
// serves the chat protocol on a unix socket. bendi starts and supervises it;
// by hand, try
//
//	bendi-engine --socket /tmp/engine.sock --model model.gguf --library bin/lib &
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
	"strings"
	"syscall"

	"bendi/inference/engine"
	"bendi/inference/llamacpp"
	"bendi/openaicompat"
)

func main() {
	// ggml would start a debugger when it aborts, and wait for it.
	os.Setenv("GGML_NO_BACKTRACE", "1")
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

// run loads the model and serves it until ctx or stdin ends.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	cfg, socket, library, err := parse(args, stderr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		io.Copy(io.Discard, stdin)
		// Loading and decoding cannot be interrupted from Go, and nobody is
		// left to hear of an orderly end.
		fmt.Fprintln(stderr, "bendi-engine: the supervisor is gone")
		os.Exit(0)
	}()

	version, err := engine.LoadLibrary(library)
	if err != nil {
		return err
	}
	e, err := engine.Open(cfg)
	if err != nil {
		return err
	}
	defer e.Close()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: openaicompat.New(openaicompat.Options{
		Routes: []openaicompat.Route{{Path: "/v1/chat", Model: e}},
		Log:    slog.New(slog.DiscardHandler), // the gateway logs requests
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()
	if err := llamacpp.TellReady(stdout, describe(cfg, version, e)); err != nil {
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
func parse(args []string, stderr io.Writer) (cfg engine.Config, socket, library string, err error) {
	f := flag.NewFlagSet("bendi-engine", flag.ContinueOnError)
	f.SetOutput(stderr)
	cfg.Adapters = make(map[string]string)
	f.StringVar(&socket, "socket", "", "unix socket to serve on; required")
	f.StringVar(&cfg.Model, "model", "", "GGUF file; required")
	f.StringVar(&library, "library", "", "directory of libllama.so; required")
	f.StringVar(&cfg.Name, "name", "model", "the model's id in requests")
	f.IntVar(&cfg.Context, "context", 0, "tokens of each conversation; 0: what the model was trained with")
	f.IntVar(&cfg.Slots, "slots", 4, "conversations answered at once")
	f.IntVar(&cfg.Threads, "threads", 0, "CPU threads; 0: the physical cores")
	f.Func("adapter", "LoRA adapter as NAME=FILE; may be repeated", func(s string) error {
		name, path, ok := strings.Cut(s, "=")
		if !ok || name == "" || path == "" {
			return fmt.Errorf("want NAME=FILE, have %q", s)
		}
		cfg.Adapters[name] = path
		return nil
	})
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return cfg, "", "", err
		}
		return cfg, "", "", errUsage
	}
	for name, value := range map[string]string{"socket": socket, "model": cfg.Model, "library": library} {
		if value == "" {
			fmt.Fprintf(stderr, "bendi-engine: --%s is required; see --help\n", name)
			err = errUsage
		}
	}
	return cfg, socket, library, err
}

// describe says to the supervisor what was loaded.
func describe(cfg engine.Config, version string, e *engine.Engine) llamacpp.Info {
	info := e.Info()
	return llamacpp.Info{
		Name: cfg.Name, Model: info.Model, Device: info.Device, Library: "llama.cpp " + version,
		Context: info.Context, Slots: info.Slots, SizeBytes: info.SizeBytes, MemoryBytes: memory(),
		LoadTime: info.LoadTime, Adapters: info.Adapters,
	}
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
