// Command bench-gateway measures what the gateway costs: the same load goes to
// an upstream of its own directly, through nginx as a plain reverse proxy,
// through a bare Gin handler that only copies bytes, and through bendi with
// its content filter on. wrk makes the load. `make bench-gateway` runs it;
// docs/performance.md explains the table.
//
// All are measured in turns, round by round, and a ratio is the median of the
// rounds' ratios, since a shared machine is never twice the same. Everything
// stays on the loopback interface.
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
	"runtime"
	"strings"
	"syscall"
	"time"

	table "bendi/internal/benchtable"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 1 && args[0] == "upstream":
		err = serve(upstream())
	case len(args) == 2 && args[0] == "copy":
		err = serve(copying(args[1]))
	default:
		err = run(ctx, args, os.Stdout, os.Stderr)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench-gateway:", err)
		os.Exit(1)
	}
}

// A bench is what the suites share.
type bench struct {
	dir      string // for the files of what is measured
	bendi    string
	beside   string // a further build of bendi; empty: none
	words    int
	cores    int
	rounds   int
	each     time.Duration
	streams  int
	progress io.Writer

	address string // of the upstream
	report  report
}

// A report is everything that a run gave, as saved.
type report struct {
	Machine table.Machine `json:"machine"`
	Nginx   string        `json:"nginx"`
	Wrk     string        `json:"wrk"`
	Words   int           `json:"words"`
	Rounds  int           `json:"rounds"`
	Each    string        `json:"each"` // how long a round of one is
	Rows    []table.Row   `json:"rows"`
	After   float64       `json:"load_average_after"`
}

// run measures and reports.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	b := &bench{progress: stderr, cores: runtime.NumCPU()}
	f := flag.NewFlagSet("bench-gateway", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&b.bendi, "bendi", "bin/bendi", "the gateway")
	f.StringVar(&b.beside, "beside", "", "a further build of the gateway, to measure in the same rounds")
	f.IntVar(&b.words, "words", 10_000, "words of the lexicon; 0: the filter is off")
	f.IntVar(&b.rounds, "rounds", 5, "rounds of each measurement")
	f.DurationVar(&b.each, "each", 3*time.Second, "how long a round of each is")
	f.IntVar(&b.streams, "streams", 2000, "streams to hold open for the memory")
	only := f.String("only", "", "suites to run, separated by commas; all: "+suiteNames())
	save := f.String("json", "bench-gateway.json", "file for the figures as JSON; empty: none")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || b.rounds < 1 || b.each < time.Second || b.words < 0 || b.streams < 1 {
		return errors.New("no arguments are known beside flags; rounds and streams begin at 1 and a round is of a second at least; see --help")
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	for _, program := range []string{"nginx", "wrk"} {
		if path(program) == "" {
			fmt.Fprintf(stdout, "skipped: there is no %s on this machine, which is what the gateway is measured with; install it, on Debian by apt-get install nginx-light wrk\n", program)
			return nil
		}
	}
	if _, err := os.Stat(b.bendi); err != nil {
		return fmt.Errorf("there is no gateway to measure: %w; run make build", err)
	}
	if b.dir, err = os.MkdirTemp("", "bench-gateway-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)

	b.report = report{
		Machine: table.Look(), Nginx: version("nginx", "-v"), Wrk: version("wrk", "-v"),
		Words: b.words, Rounds: b.rounds, Each: b.each.String(),
	}
	fmt.Fprintln(stdout, b.report.Machine)
	fmt.Fprintf(stdout, "%s; %s; all processes share %d cores, nginx has %d workers\n", b.report.Nginx, b.report.Wrk, b.cores, b.cores)
	fmt.Fprintf(stdout, "%d words in the filter, no authentication, no access log; %d rounds of %v each\n\n", b.words, b.rounds, b.each)
	err = b.all(ctx, chosen)
	b.report.After = table.Look().Load[0]
	table.Print(stdout, b.report.Rows)
	fmt.Fprintf(stdout, "load average at the end: %.2f\n", b.report.After)
	if *save != "" {
		err = errors.Join(err, table.Save(*save, b.report))
	}
	return err
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

// version returns what a program says of itself, in a line.
func version(program, flag string) string {
	out, _ := exec.Command(path(program), flag).CombinedOutput() // wrk does not exit with 0
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
