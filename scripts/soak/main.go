// Command soak asks a server for a great many short answers of every kind,
// and fails where something grows that should not: memory, goroutines, file
// descriptors, or cells of the KV cache that nobody uses any more.
//
//	make soak
//	make soak SOAK="-requests 1000000 -clients 64"
//	make soak SOAK="-for 8h"
//
// It starts bin/bendi with the demo model on a port of its own. Requests go to
// both routes and to an adapter that comes and goes meanwhile; some are
// streamed, have several choices, stop strings or a schema, and some clients
// leave. An answer that is not what was asked for is a failure as well.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	requests int
	lasts    time.Duration // instead of a number of requests; 0: not
	clients  int
	short    bool // requests of few tokens to the model without adapters
	seed     uint64
	home     string // of the installation
}

func run(ctx context.Context, args []string) error {
	var o options
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.IntVar(&o.requests, "requests", 100_000, "how many requests")
	flags.DurationVar(&o.lasts, "for", 0, "go on for so long, whatever the number of requests")
	flags.IntVar(&o.clients, "clients", 32, "clients at once")
	flags.BoolVar(&o.short, "short", false, "ask for few tokens, and of the model without adapters alone, for many requests in little time")
	flags.Uint64Var(&o.seed, "seed", 1, "of the random choices")
	flags.StringVar(&o.home, "home", ".", "folder of the installation")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if o.home, err = filepath.Abs(o.home); err != nil {
		return err
	}
	s, err := startServer(ctx, o.home)
	if err != nil {
		return err
	}
	defer s.stop()

	fmt.Printf("%s, %d cores; %s\n", time.Now().Format(time.DateTime), runtime.NumCPU(), s.url)
	l := newLoad(s, o)
	// What is built up once, such as connections and kept prefixes, is there
	// before the first measurement.
	l.play(ctx, max(o.requests/20, 60*o.clients), o.lasts/10)
	var at [3]measurement
	for i, name := range []string{"start", "middle", "end"} {
		if i > 0 {
			l.play(ctx, o.requests/2, o.lasts/2)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("stopped after %d requests", l.asked.Load())
		}
		if at[i], err = s.measure(ctx); err != nil {
			return fmt.Errorf("measuring at the %s: %w", name, err)
		}
		at[i].name, at[i].requests = name, l.asked.Load()
		at[i].print(os.Stdout, i == 0)
	}
	l.print(os.Stdout)
	return verdict(at, l)
}
