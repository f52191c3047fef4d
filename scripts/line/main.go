// Command line imitates a long and bad line between two sites on one machine,
// and measures the link over it beside nginx.
//
//	go run ./scripts/line up --delay 80ms --loss 0.02
//	go run ./scripts/line bench --loss 0,0.01,0.03
//	go run -race ./scripts/line soak --loss 0.03 --for 10m
//
// It needs Linux, root and /dev/net/tun: the sites are network namespaces,
// line-a (10.99.0.1) and line-b (10.99.0.2), and every packet from one to the
// other passes through this program. `ip netns exec line-a COMMAND` runs a
// command at a site.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "line:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("want a command: up, bench or soak; see the beginning of scripts/line/main.go")
	}
	switch args[0] {
	case "up":
		return up(args[1:])
	case "bench":
		return bench(args[1:])
	case "soak":
		return soak(args[1:])
	case "site-b": // of both
		return siteB(args[1:])
	case "site-a":
		return siteA(args[1:])
	}
	return fmt.Errorf("%q is no command; there are up, bench and soak", args[0])
}

// lineFlags adds the flags of a line, but for its loss.
func lineFlags(f *flag.FlagSet, l *line) {
	f.StringVar(&l.name, "name", "line", "of the sites: NAME-a and NAME-b, at most 10 letters")
	f.DurationVar(&l.delay, "delay", 80*time.Millisecond, "of each packet, one way")
	f.DurationVar(&l.jitter, "jitter", 0, "further delay, at most; the order is kept")
	f.Float64Var(&l.burst, "burst", 1, "packets that are lost in a row, in the mean")
	f.Float64Var(&l.rate, "rate", 100, "Mbit/s")
	f.DurationVar(&l.queue, "queue", 200*time.Millisecond, "most that a packet waits for others; then it is lost")
}

// up keeps the line until it is interrupted.
func up(args []string) error {
	f := flag.NewFlagSet("up", flag.ContinueOnError)
	l := &line{}
	lineFlags(f, l)
	f.Float64Var(&l.loss, "loss", 0, "share of packets lost, each way")
	control := f.String("congestion", "", "control of TCP at both sites: cubic, bbr or reno; empty: as the machine has it")
	if err := f.Parse(args); err != nil {
		return err
	}
	s, err := newSites(l, *control)
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Printf("%s (10.99.0.1) and %s (10.99.0.2): %v\ntry: ip netns exec %[1]s ping 10.99.0.2\n", l.site(0), l.site(1), l)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	<-stop
	fmt.Println(s.counts())
	return nil
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
