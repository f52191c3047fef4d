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
	up, address, err := self("upstream")
	if err != nil {
		return err
	}
	defer up.stop()
	b.address = address
	copying, at, err := self("copy", "http://"+address)
	if err != nil {
		return err
	}
	defer copying.stop()
	const chat = "/v1/chat/completions"
	all := []contestant{{"direct", "http://" + address + chat, nil}, {}, {"copy", "http://" + at + chat, copying}, {}}
	if all[1], err = b.nginx(ctx); err != nil {
		return err
	}
	defer all[1].stop()
	if all[3], err = b.gateway(ctx, "bendi", b.bendi); err != nil {
		return err
	}
	defer all[3].stop()
	if b.beside != "" {
		c, err := b.gateway(ctx, "beside", b.beside)
		if err != nil {
			return err
		}
		defer c.stop()
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

// round puts a load on each contestant, one after the other.
func (b *bench) round(ctx context.Context, all []contestant, l load) (map[string]result, error) {
	results := make(map[string]result)
	for _, c := range all {
		r, err := b.wrk(ctx, c, l)
		if err != nil {
			return nil, err
		}
		results[c.name] = r
	}
	return results, nil
}

// rates compares the requests per second with nginx's.
func (b *bench) rates(ctx context.Context, name string, l load, all []contestant, must, aim *table.Target) error {
	var rounds []map[string]result
	for range b.rounds {
		r, err := b.round(ctx, all, l)
		if err != nil {
			return err
		}
		rounds = append(rounds, r)
	}
	what := fmt.Sprintf("%d connections", l.connections)
	for _, c := range all {
		if c.name == "nginx" {
			continue
		}
		row := table.Row{Suite: name, What: what + ", " + c.name, Unit: "1/s", Against: "nginx"}
		if c.name == "bendi" {
			row.Must, row.Aim = must, aim
		}
		var pairs []table.Pair
		for _, r := range rounds {
			pairs = append(pairs, table.Pair{table.Figure(r[c.name].perSecond), table.Figure(r["nginx"].perSecond)})
		}
		b.report.Rows = append(b.report.Rows, row.Compared(pairs))
	}
	for _, c := range all {
		if c.process == nil || c.name == "nginx" {
			continue
		}
		row := table.Row{Suite: name, What: "processor time of a request, " + c.name, Unit: "µs", Against: "nginx"}
		var pairs []table.Pair
		for _, r := range rounds {
			pairs = append(pairs, table.Pair{table.Figure(r[c.name].processor), table.Figure(r["nginx"].processor)})
		}
		b.report.Rows = append(b.report.Rows, row.Compared(pairs))
	}
	return nil
}

// latency compares what is added to the latency of one connection with what
// nginx adds.
func (b *bench) latency(ctx context.Context, all []contestant) error {
	var rounds []map[string]result
	for range b.rounds {
		r, err := b.round(ctx, all, load{false, 1})
		if err != nil {
			return err
		}
		rounds = append(rounds, r)
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
			row := table.Row{Suite: "latency", What: "added at 1 connection, " + p.name + ", " + c.name, Unit: "µs", Against: "nginx"}
			if c.name == "bendi" {
				row.Must = p.must
			}
			var pairs []table.Pair
			for _, r := range rounds {
				direct := p.of(r["direct"])
				pairs = append(pairs, table.Pair{table.Figure(p.of(r[c.name]) - direct), table.Figure(p.of(r["nginx"]) - direct)})
			}
			b.report.Rows = append(b.report.Rows, row.Compared(pairs))
		}
	}
	return nil
}
