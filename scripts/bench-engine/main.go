// Command bench-engine measures bendi-engine as its clients see it: it starts
// the worker, asks it over its socket, and prints a table of figures, each
// beside what it is compared with and what it should be. `make bench-engine`
// runs it; docs/performance.md explains the table.
//
// What is compared is measured in turns, round by round, and the ratio shown is
// the median of the rounds' ratios, since a shared machine is never twice the
// same. With --llama-server the same load goes to llama-server too.
//
// Everything stays on this machine: the worker on a unix socket, llama-server on
// the loopback interface.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	table "bendi/internal/benchtable"
	"bendi/models/gguf"
	"bendi/models/gguf/random"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench-engine:", err)
		os.Exit(1)
	}
}

// A bench is what the suites share.
type bench struct {
	engine, library, demo string
	llama                 string // llama-server; empty: none
	llamaArgs             []string
	profiles              string // folder; empty: none
	compute, overhead     string // model files
	window, recurrent     string // likewise, of models that cannot share prefixes
	threads, rounds       int
	quick                 bool
	progress              io.Writer
	report                report
}

// run measures and reports.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	b := &bench{progress: stderr}
	f := flag.NewFlagSet("bench-engine", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&b.engine, "engine", "bin/bendi-engine", "the worker")
	f.StringVar(&b.library, "library", "bin/lib", "directory of libllama.so")
	f.StringVar(&b.demo, "demo", "models/demo/bendi-demo-q8_0.gguf", "the demo model")
	f.StringVar(&b.llama, "llama-server", "", "a llama-server to put under the same load")
	f.Func("llama-args", "further arguments of llama-server, separated by spaces", func(s string) error {
		b.llamaArgs = strings.Fields(s)
		return nil
	})
	f.BoolVar(&b.quick, "quick", false, "a look in under a minute: a smaller model, fewer requests, one round")
	f.IntVar(&b.rounds, "rounds", 3, "rounds of each measurement")
	f.IntVar(&b.threads, "threads", runtime.NumCPU(), "threads that decode, of every server")
	shape := f.String("shape", "4x896", "of the model that computes: LAYERSxWIDTH, or 0.5b, which is 24x896")
	vocab := f.Int("vocab", 151936, "tokens in the vocabulary of both random models")
	models := f.String("models", "bin/bench-models", "folder for the random models, which are kept")
	only := f.String("only", "", "suites to run, separated by commas; all: "+strings.Join(names(), ","))
	save := f.String("json", "bench-engine.json", "file for the figures as JSON; empty: none")
	f.StringVar(&b.profiles, "profiles", "", "folder for a CPU profile of the worker in each suite")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || b.rounds < 1 || b.threads < 1 {
		return errors.New("no arguments are known beside flags, and rounds and threads begin at 1; see --help")
	}
	if b.quick {
		set := map[string]bool{}
		f.Visit(func(f *flag.Flag) { set[f.Name] = true })
		if !set["rounds"] {
			b.rounds = 1
		}
		if !set["shape"] {
			*shape = "2x256"
		}
		if !set["vocab"] {
			*vocab = 32768
		}
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	compute, err := parseShape(*shape, *vocab)
	if err != nil {
		return err
	}
	overhead := random.Overhead
	overhead.Vocab = *vocab
	if b.compute, err = b.model(*models, compute); err != nil {
		return err
	}
	if b.overhead, err = b.model(*models, overhead); err != nil {
		return err
	}
	if b.window, err = b.model(*models, remembering(random.Window)); err != nil {
		return err
	}
	if b.recurrent, err = b.model(*models, remembering(random.Recurrent)); err != nil {
		return err
	}
	if b.profiles != "" {
		if err := os.MkdirAll(b.profiles, 0o755); err != nil {
			return err
		}
	}

	begin := time.Now()
	b.report = report{
		Machine: table.Look(), Threads: b.threads, Rounds: b.rounds, Quick: b.quick,
		Shapes: []string{"compute: " + compute.String(), "overhead: " + overhead.String()},
	}
	if b.llama != "" {
		version, _ := exec.CommandContext(ctx, b.llama, "--version").CombinedOutput()
		b.report.Llama = "of an unknown version"
		for line := range strings.Lines(string(version)) {
			if rest, ok := strings.CutPrefix(line, "version: "); ok {
				b.report.Llama = strings.TrimSpace(rest)
			}
		}
	} else {
		b.skip("llama-server", "give one with --llama-server PATH")
	}
	fmt.Fprintln(stdout, b.report.Machine)
	for _, s := range b.report.Shapes {
		fmt.Fprintln(stdout, s)
	}
	if compute.Layers < random.HalfB.Layers {
		fmt.Fprintln(stdout, "the compute model is scaled down; --shape 0.5b has all 24 layers")
	}
	fmt.Fprintf(stdout, "%d threads, %d rounds, %s\n\n", b.threads, b.rounds, b.llamaName())
	var failures []error
	for _, s := range chosen {
		at := time.Now()
		if err := s.run(ctx, b); err != nil {
			failures = append(failures, fmt.Errorf("suite %s: %w", s.name, err))
		}
		if ctx.Err() != nil { // what has been measured so far is still worth a look
			break
		}
		b.say("%s: %.0f s", s.name, time.Since(at).Seconds())
	}
	b.report.Seconds = table.Figure(time.Since(begin).Seconds())
	b.report.print(stdout)
	if *save != "" {
		failures = append(failures, table.Save(*save, b.report))
	}
	return errors.Join(failures...)
}

func (b *bench) llamaName() string {
	if b.llama == "" {
		return "no llama-server"
	}
	return "llama-server " + b.report.Llama
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

func (b *bench) add(rows ...table.Row) { b.report.Rows = append(b.report.Rows, rows...) }

// skip notes what was not measured.
func (b *bench) skip(what, why string) {
	b.report.Skipped = append(b.report.Skipped, what+": "+why)
}

// parseShape reads the shape of the compute model. Widths other than 896 keep
// its proportions.
func parseShape(s string, vocab int) (random.Shape, error) {
	shape := random.HalfB
	shape.Vocab = vocab
	if strings.EqualFold(s, "0.5b") {
		return shape, nil
	}
	if _, err := fmt.Sscanf(s, "%dx%d", &shape.Layers, &shape.Width); err != nil || shape.Width < 128 || shape.Width%128 != 0 {
		return shape, fmt.Errorf("--shape wants 0.5b or LAYERSxWIDTH with a width in steps of 128, such as 4x896; it has %q", s)
	}
	shape.Heads = shape.Width / 64
	shape.FF = shape.Width * random.HalfB.FF / random.HalfB.Width / 32 * 32
	return shape, nil
}

// remembering returns the shape of a small model that remembers in some way.
func remembering(m random.Memory) random.Shape {
	return random.Shape{
		Layers: 4, Width: 256, Heads: 4, KVHeads: 2, FF: 1024, Vocab: 32768, Context: 8192, Weights: gguf.F16, Spread: 4,
		Memory: m, Sliding: 512,
	}
}

// model returns the file of a random model, which it makes unless it is there.
func (b *bench) model(dir string, s random.Shape) (string, error) {
	const seed = 1
	name := fmt.Sprintf("random-%dx%d-ff%d-v%d-%s%s.gguf", s.Layers, s.Width, s.FF, s.Vocab, strings.ToLower(s.Weights.String()),
		[]string{"", "-window", "-recurrent"}[s.Memory])
	path := filepath.Join(dir, name)
	if f, err := gguf.Open(path); err == nil {
		f.Close()
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	b.say("writing %s", path)
	return path, random.Create(path, s, seed)
}
