// Command bench-filter measures the automaton of the content filter: how long
// it takes to build and how large it is with ten thousand, a hundred thousand
// and a million words, how fast it reads Chinese text, how much of a stream it
// holds back, and what a stream costs. Other libraries read the same text in
// the same run. `make bench-filter` runs it; docs/performance.md explains the
// table.
//
// Times are processor time, the best of several turns, since a shared machine
// is never twice the same.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	table "bendi/internal/benchtable"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench-filter:", err)
		os.Exit(1)
	}
}

// A bench is what the measurements share.
type bench struct {
	turns    int
	chars    []rune   // that words are made of
	from     []string // the sentences of the text
	progress io.Writer
	report   report
}

// run measures and reports.
func run(args []string, stdout, stderr io.Writer) error {
	b := &bench{progress: stderr}
	f := flag.NewFlagSet("bench-filter", flag.ContinueOnError)
	f.SetOutput(stderr)
	quick := f.Bool("quick", false, "without the million words and the other libraries, in seconds")
	corpus := f.String("corpus", "scripts/demo-model/corpus", "folder of the texts")
	save := f.String("json", "bench-filter.json", "file for the figures as JSON; empty: none")
	f.IntVar(&b.turns, "turns", 50, "turns of each measurement, of which the best counts")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || b.turns < 1 {
		return errors.New("no arguments are known beside flags, and turns begin at 1; see --help")
	}
	var err error
	if b.chars, err = common(); err != nil {
		return err
	}
	if b.from, err = sentences(*corpus); err != nil {
		return err
	}
	b.report = report{Machine: table.Look(), Turns: b.turns, Quick: *quick}
	fmt.Fprintln(stdout, b.report.Machine)
	if err := b.all(*quick); err != nil {
		return err
	}
	table.Print(stdout, b.report.Rows)
	if *save == "" {
		return nil
	}
	return table.Save(*save, b.report)
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintln(b.progress, strings.TrimSpace(fmt.Sprintf(format, args...)))
}
