package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A load is what wrk does to a contestant.
type load struct {
	stream      bool
	connections int
}

// A result is what came of a load.
type result struct {
	perSecond float64
	seconds   float64
	p50, p99  float64 // microseconds
	processor float64 // microseconds of processor time that a request took the contestant; 0: not known
}

// wrk puts a load on a contestant.
func (b *bench) wrk(ctx context.Context, c contestant, l load) (result, error) {
	script := filepath.Join(b.dir, fmt.Sprintf("ask-%v.lua", l.stream))
	if err := os.WriteFile(script, fmt.Appendf(nil, lua, question(l.stream)), 0o644); err != nil {
		return result{}, err
	}
	before := c.processor()
	out, err := exec.CommandContext(ctx, path("wrk"), "--latency", "-t", strconv.Itoa(min(l.connections, b.cores)), "-c", strconv.Itoa(l.connections),
		"-d", strconv.Itoa(int(b.each/time.Second))+"s", "-s", script, c.url).Output()
	if err != nil {
		return result{}, fmt.Errorf("%s: wrk: %w: %s", c.name, err, out)
	}
	r, err := read(string(out))
	if err != nil {
		return result{}, fmt.Errorf("%s: %w", c.name, err)
	}
	r.processor = (c.processor() - before) / (r.perSecond * r.seconds)
	return r, nil
}

const lua = `
wrk.method = "POST"
wrk.body = [==[%s]==]
wrk.headers["Content-Type"] = "application/json"
`

var (
	rate    = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	taken   = regexp.MustCompile(`requests in ([\d.]+)s`)
	latency = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([\d.]+)(us|ms|s)\s*$`)
)

// read reads what wrk prints. A load of which requests failed is none.
func read(out string) (result, error) {
	var r result
	for line := range strings.Lines(out) {
		if s := strings.TrimSpace(line); strings.HasPrefix(s, "Non-2xx") || strings.HasPrefix(s, "Socket errors") {
			return r, fmt.Errorf("requests failed: %s", s)
		}
	}
	if m := rate.FindStringSubmatch(out); m != nil {
		r.perSecond, _ = strconv.ParseFloat(m[1], 64)
	}
	if m := taken.FindStringSubmatch(out); m != nil {
		r.seconds, _ = strconv.ParseFloat(m[1], 64)
	}
	for _, m := range latency.FindAllStringSubmatch(out, -1) {
		x, _ := strconv.ParseFloat(m[2], 64)
		x *= map[string]float64{"us": 1, "ms": 1e3, "s": 1e6}[m[3]]
		if m[1] == "50" {
			r.p50 = x
		} else {
			r.p99 = x
		}
	}
	if r.perSecond == 0 || r.seconds == 0 || r.p50 == 0 || r.p99 == 0 {
		return r, fmt.Errorf("wrk printed no figures: %s", out)
	}
	return r, nil
}
