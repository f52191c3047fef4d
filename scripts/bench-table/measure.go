package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	table "bendi/internal/benchtable"
	"bendi/internal/programs"
)

// measure has people ask over a way while the line loses so much.
func (b *bench) measure(ctx context.Context, w way, loss float64) (result, error) {
	line, err := b.sites(ctx, loss)
	if err != nil {
		return result{}, err
	}
	defer line.Stop()
	r, err := w.start(ctx, b)
	if r != nil {
		defer r.stop()
	}
	if err != nil {
		return result{}, err
	}
	machine := table.Look()
	before, lineBefore := r.processor(), programs.Processor(line.Cmd.Process.Pid)
	list, load, err := b.ask(ctx, r)
	if err != nil {
		return result{}, err
	}
	got := b.sum(list)
	got.Way, got.Loss, got.At, got.Load = w.name, loss, machine.Time, machine.OtherBusy
	if !w.far {
		got.Loss = 0
	}
	all := float64(len(list))
	got.Processor = table.Figure((r.processor() - before).Seconds() * 1000 / all)
	span := list[len(list)-1].Due
	got.LocustCores = table.Figure(load.Seconds() / span)
	got.LineCores = table.Figure((programs.Processor(line.Cmd.Process.Pid) - lineBefore).Seconds() / span)
	got.Memory = r.memory()
	return got, nil
}

// A sample is what became of a request. Times are in seconds since the start, or
// in ms after the request was due.
type sample struct {
	Due, Sent    float64
	First, Total float64 // First is 0 where there was no token
	Fault        string
}

// UnmarshalJSON reads a line of the locustfile's.
func (s *sample) UnmarshalJSON(line []byte) error {
	var first *float64
	if err := json.Unmarshal(line, &[]any{&s.Due, &s.Sent, &first, &s.Total, &s.Fault}); err != nil {
		return err
	}
	if first != nil {
		s.First = *first
	}
	return nil
}

// ask has Locust ask, and returns every request and how much processor time it
// took to make them.
func (b *bench) ask(ctx context.Context, r *running) ([]sample, time.Duration, error) {
	script, err := filepath.Abs("scripts/locust/locustfile.py")
	if err != nil {
		return nil, 0, err
	}
	file := b.dir + "/samples"
	// Locust counts from its own start, and its users are there after 3 s.
	span := 3*time.Second + b.Warm + b.For + time.Second
	ctx, cancel := context.WithTimeout(ctx, span+2*time.Minute)
	defer cancel()
	cmd := at(ctx, siteA, b.locust, "-f", script, "--headless", "--only-summary", "--exit-code-on-error", "0",
		"--users", fmt.Sprint(b.Users), "--spawn-rate", fmt.Sprint(b.Users), "--run-time", fmt.Sprintf("%ds", int(span.Seconds())), "--stop-timeout", "60", "--host", r.url)
	cmd.Env = append(os.Environ(), "BENCH_RATE="+fmt.Sprint(b.Rate), "BENCH_USERS="+fmt.Sprint(b.Users), "BENCH_SAMPLES="+file, "BENCH_EXPECT="+r.expect)
	if r.fields != "" {
		cmd.Env = append(cmd.Env, "BENCH_FIELDS="+r.fields)
	}
	cmd.Dir = b.dir // its bytecode and reports do not belong into the tree
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, 0, fmt.Errorf("locust: %w:\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, 0, err
	}
	var list []sample
	for line := range strings.Lines(string(text)) {
		var s sample
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			return nil, 0, fmt.Errorf("what Locust says of a request: %w", err)
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, 0, errors.New("locust made no request")
	}
	return list, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// sum makes figures of the requests that count.
func (b *bench) sum(list []sample) result {
	from, to := b.Warm.Seconds(), (b.Warm + b.For).Seconds()
	var r result
	var total, first, late []float64
	ended := 0
	for _, s := range list {
		if end := s.Due + s.Total/1000; end >= from && end < to && s.Fault == "" {
			ended++
		}
		if s.Due < from || s.Due >= to {
			continue
		}
		r.Requests++
		total, late = append(total, s.Total), append(late, 1000*(s.Sent-s.Due))
		if s.First > 0 {
			first = append(first, s.First)
		}
		if s.Fault != "" {
			r.Errors++
			r.Fault = s.Fault
		}
	}
	r.Reached = table.Figure(float64(ended) / b.For.Seconds())
	r.P50, r.P99 = table.Figure(table.Percentile(total, 50)), table.Figure(table.Percentile(total, 99))
	r.First50, r.First99 = table.Figure(table.Percentile(first, 50)), table.Figure(table.Percentile(first, 99))
	r.Late99 = table.Figure(table.Percentile(late, 99))
	return r
}

// processor is how much processor time the way itself has used.
func (r *running) processor() (sum time.Duration) {
	for _, p := range r.own {
		for _, pid := range programs.Family(p.Cmd.Process.Pid) {
			sum += programs.Processor(pid)
		}
	}
	return sum
}

// memory is the most that the way itself has had, in bytes.
func (r *running) memory() (sum int64) {
	for _, p := range r.own {
		for _, pid := range programs.Family(p.Cmd.Process.Pid) {
			size, _ := programs.Memory(pid, "VmHWM")
			sum += size
		}
	}
	return sum
}
