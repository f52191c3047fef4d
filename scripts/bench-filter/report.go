package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// A row is one figure of the table.
type row struct {
	Suite   string  `json:"words"`
	What    string  `json:"what"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Against string  `json:"against,omitempty"` // a library
	Other   float64 `json:"other,omitempty"`   // what it reached
	Ratio   float64 `json:"ratio,omitempty"`
	Must    *target `json:"must,omitempty"` // for Ratio, or for Value where nothing is compared
	Verdict string  `json:"verdict,omitempty"`
	Note    string  `json:"note,omitempty"`
}

// A target is a bound.
type target struct {
	AtMost bool    `json:"at_most"` // else at least
	Bound  float64 `json:"bound"`
}

func atLeast(x float64) *target { return &target{false, x} }
func atMost(x float64) *target  { return &target{true, x} }

func (t *target) verdict(x float64) string {
	switch {
	case t == nil:
		return ""
	case t.AtMost && x <= t.Bound, !t.AtMost && x >= t.Bound:
		return "ok"
	}
	return "missed"
}

func (t *target) String() string {
	switch {
	case t == nil:
		return ""
	case t.AtMost:
		return fmt.Sprintf("<= %g", t.Bound)
	}
	return fmt.Sprintf(">= %g", t.Bound)
}

// A report is everything that a run gave, as saved.
type report struct {
	Machine machine `json:"machine"`
	Turns   int     `json:"turns"`
	Quick   bool    `json:"quick"`
	Rows    []row   `json:"rows"`
}

func (r *report) add(suite, what string, value float64, unit string, must *target, note string) {
	r.Rows = append(r.Rows, row{Suite: suite, What: what, Value: value, Unit: unit, Must: must, Verdict: must.verdict(value), Note: note})
}

func (r *report) compare(suite, what string, value float64, unit, against string, other float64, must *target, note string) {
	ratio := value / other
	r.Rows = append(r.Rows, row{suite, what, value, unit, against, other, ratio, must, must.verdict(ratio), note})
}

// print writes the table.
func (r *report) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "words\twhat\tmeasured\tagainst\tratio\tmust\tverdict\tnote")
	for i, x := range r.Rows {
		suite := x.Suite
		if i > 0 && r.Rows[i-1].Suite == suite {
			suite = ""
		}
		against, ratio := "", ""
		if x.Against != "" {
			against, ratio = x.Against+" "+digits(x.Other), digits(x.Ratio)
		}
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\t%s\t%s\t%s\n", suite, x.What, digits(x.Value), x.Unit, against, ratio, x.Must, x.Verdict, x.Note)
	}
	t.Flush()
}

// digits writes three of them.
func digits(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	case x >= 1 || x == 0:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3f", x)
}

// save writes the report as JSON.
func (r *report) save(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// A machine is where and when the figures were measured.
type machine struct {
	Time  time.Time  `json:"time"`
	CPU   string     `json:"cpu"`
	Cores int        `json:"cores"`
	Load  [3]float64 `json:"load_average"` // at the start, of 1, 5 and 15 minutes
	Go    string     `json:"go"`
}

// look describes this machine. What /proc does not say stays zero.
func look() machine {
	m := machine{Time: time.Now().Round(time.Second), Cores: runtime.NumCPU(), Go: runtime.Version()}
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(data), &m.Load[0], &m.Load[1], &m.Load[2])
	}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%d cores of %s, load %.1f, %s", m.Cores, m.CPU, m.Load[0], m.Go)
}
