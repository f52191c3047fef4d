package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	table "bendi/internal/benchtable"
)

// A suite is a part of the table. It is given those that it may measure:
// direct, nginx, copy, bendi, and beside where there is one.
type suite struct {
	name string
	run  func(b *bench, ctx context.Context, all []contestant) error
}

var suites = []suite{
	{"whole", func(b *bench, ctx context.Context, all []contestant) error {
		return b.rates(ctx, "whole", load{false, 32}, all, table.AtLeast(0.40), table.AtLeast(0.50))
	}},
	{"streams", func(b *bench, ctx context.Context, all []contestant) error {
		return b.rates(ctx, "streams", load{true, 16}, all, table.AtLeast(0.75), table.AtLeast(0.95))
	}},
	{"latency", (*bench).latency},
	{"memory", (*bench).memory},
	{"allocations", (*bench).allocations},
}

func suiteNames() string {
	var names []string
	for _, s := range suites {
		names = append(names, s.name)
	}
	return strings.Join(names, ",")
}

// choose returns the suites of a list of names; all for an empty one.
func choose(list string) ([]suite, error) {
	if list == "" {
		return suites, nil
	}
	var chosen []suite
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no suite %q; there are %s", name, suiteNames())
		}
		chosen = append(chosen, suites[i])
	}
	return chosen, nil
}

// all starts the contestants and measures them.
func (b *bench) all(ctx context.Context, chosen []suite) error {
	up, address, err := self(ctx, "upstream")
	if err != nil {
		return err
	}
	defer up.Stop()
	b.address = address
	copying, at, err := self(ctx, "copy", "http://"+address)
	if err != nil {
		return err
	}
	defer copying.Stop()
	const chat = "/v1/chat/completions"
	all := []contestant{{"direct", "http://" + address + chat, nil}, {}, {"copy", "http://" + at + chat, copying}, {}}
	if all[1], err = b.nginx(ctx); err != nil {
		return err
	}
	defer all[1].Stop()
	if all[3], err = b.gateway(ctx, "bendi", b.bendi); err != nil {
		return err
	}
	defer all[3].Stop()
	if b.beside != "" {
		c, err := b.gateway(ctx, "beside", b.beside)
		if err != nil {
			return err
		}
		defer c.Stop()
		all = append(all, c)
	}
	var errs []error
	for _, s := range chosen {
		b.say("%s", s.name)
		if err := s.run(b, ctx, all); err != nil {
			errs = append(errs, fmt.Errorf("suite %s: %w", s.name, err))
		}
		if ctx.Err() != nil { // what has been measured so far is still worth a look
			break
		}
	}
	return errors.Join(errs...)
}

// measured puts a load on each contestant, one after the other, round by round.
func (b *bench) measured(ctx context.Context, all []contestant, l load) ([]map[string]result, error) {
	var rounds []map[string]result
	for range b.rounds {
		results := make(map[string]result)
		for _, c := range all {
			r, err := b.wrk(ctx, c, l)
			if err != nil {
				return nil, err
			}
			results[c.name] = r
		}
		rounds = append(rounds, results)
	}
	return rounds, nil
}

// compare adds a row that compares what of says of a contestant with what it
// says of nginx, in each round.
func (b *bench) compare(row table.Row, rounds []map[string]result, name string, of func(round map[string]result, name string) float64) {
	row.Against = "nginx"
	var pairs []table.Pair
	for _, r := range rounds {
		pairs = append(pairs, table.Pair{table.Figure(of(r, name)), table.Figure(of(r, "nginx"))})
	}
	b.report.Rows = append(b.report.Rows, row.Compared(pairs))
}

// rates compares the requests per second with nginx's.
func (b *bench) rates(ctx context.Context, name string, l load, all []contestant, must, aim *table.Target) error {
	rounds, err := b.measured(ctx, all, l)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d connections", l.connections)
	for _, c := range all {
		if c.name == "nginx" {
			continue
		}
		row := table.Row{Suite: name, What: what + ", " + c.name, Unit: "1/s"}
		if c.name == "bendi" {
			row.Must, row.Aim = must, aim
		}
		b.compare(row, rounds, c.name, func(r map[string]result, name string) float64 { return r[name].perSecond })
	}
	for _, c := range all {
		if c.Process == nil || c.name == "nginx" {
			continue
		}
		row := table.Row{Suite: name, What: "processor time of a request, " + c.name, Unit: "µs"}
		b.compare(row, rounds, c.name, func(r map[string]result, name string) float64 { return r[name].processor })
	}
	return nil
}

// latency compares what is added to the latency of one connection with what
// nginx adds.
func (b *bench) latency(ctx context.Context, all []contestant) error {
	rounds, err := b.measured(ctx, all, load{false, 1})
	if err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		must *table.Target
		of   func(result) float64
	}{
		{"P50", table.AtMost(2.5), func(r result) float64 { return r.p50 }},
		{"P99", nil, func(r result) float64 { return r.p99 }},
	} {
		for _, c := range all {
			if c.name == "nginx" || c.name == "direct" {
				continue
			}
			row := table.Row{Suite: "latency", What: "added at 1 connection, " + p.name + ", " + c.name, Unit: "µs"}
			if c.name == "bendi" {
				row.Must = p.must
			}
			b.compare(row, rounds, c.name, func(r map[string]result, name string) float64 { return p.of(r[name]) - p.of(r["direct"]) })
		}
	}
	return nil
}
