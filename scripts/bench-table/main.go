// Command bench-table measures the table of the note that Bendi answers: how long
// an answer takes, and how many fail, at 100 requests a second, asked directly,
// through nginx, over the link, and of a model of one's own. Locust makes the load.
// `make bench-table` runs it; docs/performance.md explains the table.
//
// The far model is at the other end of the line of scripts/line, between two
// network namespaces; this needs Linux, root and /dev/net/tun. Nothing leaves this
// machine.
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
	"strconv"
	"strings"
	"syscall"
	"time"

	table "bendi/internal/benchtable"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if args := os.Args[1:]; len(args) > 3 && args[0] == "upstream" {
		err = upstream(args[1], args[2], args[3:])
	} else {
		err = run(ctx, args, os.Stdout, os.Stderr)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-table:", err)
		os.Exit(1)
	}
}

// A bench is what all ways share.
type bench struct {
	settings
	bendi, locust string
	threads       int    // of the model at home; 0: as many as the worker chooses
	dir           string // for the files of what is measured
	progress      io.Writer
	report        *report
}

// settings are what figures have to have in common to be in one table.
type settings struct {
	Rate    int           `json:"requests_per_second"`
	Users   int           `json:"users"`
	Warm    time.Duration `json:"warm_up"` // whose requests do not count
	For     time.Duration `json:"for"`     // that requests are due in that count
	Delay   time.Duration `json:"delay"`   // one way
	Control string        `json:"congestion"`
}

// run measures and reports.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	b := &bench{progress: stderr}
	f := flag.NewFlagSet("bench-table", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&b.bendi, "bendi", "bin/bendi", "the gateway and the relay")
	f.StringVar(&b.locust, "locust", "scripts/locust/.venv/bin/locust", "the program that makes the load")
	f.IntVar(&b.Rate, "rate", 100, "requests a second")
	f.IntVar(&b.Users, "users", 400, "users who ask in turns; each has a connection of its own")
	f.DurationVar(&b.Warm, "warm", 5*time.Second, "for connections to be there")
	f.DurationVar(&b.For, "for", 20*time.Second, "that requests are due in that count")
	f.DurationVar(&b.Delay, "delay", 80*time.Millisecond, "of the line, one way")
	f.StringVar(&b.Control, "congestion", "cubic", "control of TCP at both sites")
	f.IntVar(&b.threads, "threads", 0, "that the local model computes with; 0: as many as the worker chooses")
	only := f.String("ways", "", "to measure, separated by commas; all: "+wayNames())
	losses := f.String("loss", "0,0.01,0.03", "shares of packets lost, each way of the line")
	save := f.String("json", "bench-table.json", "file of the figures; what it has of other ways and losses stays")
	picture := f.String("svg", "", "file for a picture of all figures; empty: none")
	show := f.Bool("show", false, "measure nothing: print what the file has")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || b.Rate < 1 || b.Users < b.Rate || b.For < time.Second || b.Warm < 0 || b.Delay < 0 {
		return errors.New("no arguments are known beside flags; there are at least as many users as requests a second, and a second at least to measure; see --help")
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	shares, err := numbers(*losses)
	if err != nil {
		return err
	}
	if b.report, err = open(*save); err != nil {
		return err
	}
	if !*show {
		if missing := b.lacks(); missing != "" {
			fmt.Fprintln(stdout, "skipped:", missing)
			return nil
		}
		if err := b.report.take(b.settings); err != nil {
			return fmt.Errorf("%s: %w", *save, err)
		}
		err = b.all(ctx, chosen, shares, *save)
	}
	b.report.print(stdout)
	if *picture != "" {
		err = errors.Join(err, os.WriteFile(*picture, []byte(b.report.svg()), 0o644))
	}
	return err
}

// lacks says what is missing on this machine; empty: nothing.
func (b *bench) lacks() string {
	if os.Geteuid() != 0 {
		return "the two sites are network namespaces, which need root"
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return "the line between the two sites needs /dev/net/tun"
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return "there is no ip on this machine; install it, on Debian by apt-get install iproute2"
	}
	if nginx() == "" {
		return "there is no nginx on this machine; install it, on Debian by apt-get install nginx-light"
	}
	for program, how := range map[string]string{b.bendi: "make build", b.locust: "make scripts/locust/.venv/.installed"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Sprintf("there is no %s; run %s", program, how)
		}
	}
	return ""
}

// all measures ways in turns, loss by loss, and saves what there is after each.
func (b *bench) all(ctx context.Context, ways []way, shares []float64, save string) (err error) {
	if b.dir, err = os.MkdirTemp("", "bench-table-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	for _, program := range []*string{&b.bendi, &b.locust} {
		if *program, err = filepath.Abs(*program); err != nil {
			return err
		}
	}
	b.report.Nginx, b.report.Locust = version(ctx, nginx(), "-v"), version(ctx, b.locust, "--version")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", b.dir+"/line", "./scripts/line").CombinedOutput(); err != nil {
		return fmt.Errorf("building the line: %w: %s", err, out)
	}
	if err := b.papers(); err != nil {
		return err
	}
	for i, share := range shares {
		for _, w := range ways {
			if !w.far && i > 0 {
				continue // it knows nothing of the line
			}
			fmt.Fprintf(b.progress, "%s at %g %% loss\n", w.name, 100*share)
			got, err := b.measure(ctx, w, share)
			if err != nil {
				return fmt.Errorf("%s at %g %% loss: %w", w.name, 100*share, err)
			}
			b.report.add(got)
			if save != "" {
				if err := table.Save(save, b.report); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// version returns what a program says of itself, in a line.
func version(ctx context.Context, program, flag string) string {
	out, _ := exec.CommandContext(ctx, program, flag).CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	line, _, _ = strings.Cut(line, " from ") // and where it lies
	return strings.TrimSpace(line)
}

func numbers(list string) ([]float64, error) {
	var all []float64
	for text := range strings.SplitSeq(list, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || x < 0 || x >= 1 {
			return nil, fmt.Errorf("want shares such as 0,0.01,0.03, have %q", list)
		}
		all = append(all, x)
	}
	return all, nil
}
