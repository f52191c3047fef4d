package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A measurement is the server at rest.
type measurement struct {
	name            string
	requests        int64
	gateway, worker process
	running         float64 // sequences that have a slot or wait for one
	used, kept      float64 // shares of the KV cache that sequences hold, and kept prefixes alone
	restarts        float64
}

// A process is what /proc and the metrics tell of one.
type process struct {
	pid        int
	memory     int64 // resident bytes, the least of several looks
	goroutines float64
	files      int
	threads    int
}

// restTime is how long the server rests before it is measured: collectors run,
// idle connections stay.
const restTime = 3 * time.Second

// measure waits until the server is at rest, and measures it.
func (s *server) measure(ctx context.Context) (m measurement, err error) {
	var values map[string]float64
	for deadline := time.Now().Add(30 * time.Second); ; {
		select {
		case <-s.done:
			return m, fmt.Errorf("the server has ended: %v\n%s", s.err, s.printed())
		case <-ctx.Done():
			return m, ctx.Err()
		case <-time.After(restTime):
		}
		if values, err = s.metrics(ctx); err != nil {
			return m, err
		}
		m.running = values["bendi_num_requests_running"] + values["bendi_num_requests_waiting"]
		if m.running == 0 || time.Now().After(deadline) {
			break
		}
	}
	m.used, m.kept, m.restarts = values["bendi_kv_cache_usage_perc"], values["bendi_kv_cache_kept_perc"], values["bendi_worker_restarts_total"]
	m.gateway = process{pid: s.cmd.Process.Pid, goroutines: values["go_goroutines"]}
	m.worker = process{pid: child(s.cmd.Process.Pid), goroutines: values["bendi_worker_goroutines"]}
	if m.worker.pid == 0 {
		return m, errors.New("the gateway has no worker")
	}
	for range 5 {
		for _, p := range []*process{&m.gateway, &m.worker} {
			if err := p.look(); err != nil {
				return m, err
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	return m, nil
}

// look reads what the system knows of the process.
func (p *process) look() error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		switch fields := strings.Fields(value); {
		case name == "VmRSS" && len(fields) > 0:
			kib, _ := strconv.ParseInt(fields[0], 10, 64)
			if bytes := kib << 10; p.memory == 0 || bytes < p.memory {
				p.memory = bytes
			}
		case name == "Threads" && len(fields) > 0:
			p.threads, _ = strconv.Atoi(fields[0])
		}
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid))
	p.files = len(files)
	return err
}

// child returns the process that another has started, or 0.
func child(parent int) int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var pid, of int
		var state string
		head, rest, _ := strings.Cut(string(data), " (")
		end := strings.LastIndex(rest, ")")
		if end < 0 || rest[:end] != "bendi-engine" {
			continue
		}
		fmt.Sscan(head, &pid)
		if fmt.Sscan(rest[end+1:], &state, &of); of == parent && state != "Z" {
			return pid
		}
	}
	return 0
}

// metrics returns the server's metrics by name. Of several with one name, it
// is the sum.
func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics: status %d, %v", res.StatusCode, err)
	}
	values := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(line, "#") {
			continue
		}
		name, _, _ := strings.Cut(fields[0], "{")
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err == nil {
			values[name] += value
		}
	}
	return values, nil
}

const mib = 1 << 20

func (m measurement) print(w io.Writer, first bool) {
	if first {
		fmt.Fprintf(w, "%-7s %9s | %8s %10s %5s %7s | %8s %10s %5s %7s | %7s %6s %6s %8s\n", "", "requests",
			"gateway", "goroutines", "files", "threads", "worker", "goroutines", "files", "threads", "running", "used", "kept", "restarts")
	}
	fmt.Fprintf(w, "%-7s %9d | %5.1fMiB %10.0f %5d %7d | %5.1fMiB %10.0f %5d %7d | %7.0f %5.1f%% %5.1f%% %8.0f\n", m.name, m.requests,
		float64(m.gateway.memory)/mib, m.gateway.goroutines, m.gateway.files, m.gateway.threads,
		float64(m.worker.memory)/mib, m.worker.goroutines, m.worker.files, m.worker.threads,
		m.running, 100*m.used, 100*m.kept, m.restarts)
}

// How much more there may be at the end than in the middle. Memory goes up and
// down with the collector, and parts of the KV cache are touched late; of
// 100,000 requests, a leak of 1 KiB in each shows.
const (
	moreMemory     = 32 * mib
	moreMemoryPart = 0.10
	moreGoroutines = 20
	moreFiles      = 10
	moreThreads    = 8
	mostKept       = 0.6 // of the KV cache
)

// verdict says what has grown.
func verdict(at [3]measurement, l *load) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	middle, end := at[1], at[2]
	compare := func(who string, a, b process) {
		if a.pid != b.pid {
			bad("the %s was started again", who)
			return
		}
		if limit := a.memory + max(moreMemory, int64(moreMemoryPart*float64(a.memory))); b.memory > limit {
			bad("the memory of the %s grew from %.1f to %.1f MiB", who, float64(a.memory)/mib, float64(b.memory)/mib)
		}
		if b.goroutines > a.goroutines+moreGoroutines {
			bad("the goroutines of the %s grew from %.0f to %.0f", who, a.goroutines, b.goroutines)
		}
		if b.files > a.files+moreFiles {
			bad("the open files of the %s grew from %d to %d", who, a.files, b.files)
		}
		if b.threads > a.threads+moreThreads {
			bad("the threads of the %s grew from %d to %d", who, a.threads, b.threads)
		}
	}
	compare("gateway", middle.gateway, end.gateway)
	compare("worker", middle.worker, end.worker)
	for _, m := range at {
		if m.running > 0 || m.used > 0 {
			bad("at rest, at the %s, %.0f sequences are left and hold %.1f%% of the KV cache", m.name, m.running, 100*m.used)
		}
		if m.kept > mostKept {
			bad("at the %s, kept prefixes hold %.1f%% of the KV cache", m.name, 100*m.kept)
		}
	}
	if end.restarts > 0 {
		bad("the worker died %.0f times", end.restarts)
	}
	if n := l.failed.Load(); n > 0 {
		bad("%d of %d requests were not answered as they should; the first: %s", n, l.asked.Load(), l.first())
	}
	return errors.Join(errs...)
}
