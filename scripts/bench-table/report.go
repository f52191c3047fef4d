package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	table "bendi/internal/benchtable"
)

// A report is everything that was measured, as saved.
type report struct {
	Machine  table.Machine `json:"machine"`
	Nginx    string        `json:"nginx"`
	Locust   string        `json:"locust"`
	Settings settings      `json:"settings"`
	Pieces   int           `json:"pieces"` // of an answer
	Pause    string        `json:"piece_pause"`
	Results  []result      `json:"results"`
}

// A result is what a way gave at a loss. Times are in ms after a request was due,
// of answers and errors alike.
type result struct {
	Way  string  `json:"way"`
	Loss float64 `json:"loss"`

	Requests int          `json:"requests"`
	Errors   int          `json:"errors"`
	Fault    string       `json:"fault,omitempty"` // of one of them
	Reached  table.Figure `json:"answers_per_second"`
	P50      table.Figure `json:"p50"`
	P99      table.Figure `json:"p99"`
	First50  table.Figure `json:"first_token_p50"`
	First99  table.Figure `json:"first_token_p99"`

	Processor table.Figure `json:"processor_seconds_per_1000"` // of the way's own processes
	Memory    int64        `json:"peak_memory"`                // likewise, in bytes

	At          time.Time    `json:"at"`
	Load        float64      `json:"busy_cores_at_start"`
	Late99      table.Figure `json:"sent_late_p99"` // how late Locust sent them
	LocustCores table.Figure `json:"locust_cores"`
	LineCores   table.Figure `json:"line_cores"`
}

// open reads a report that there may be.
func open(path string) (*report, error) {
	r := &report{}
	if path == "" {
		return r, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, r)
	}
	return r, err
}

// take has the report be one of these settings.
func (r *report) take(s settings) error {
	if len(r.Results) > 0 && r.Settings != s {
		return fmt.Errorf("its figures are of other settings, %+v, and would be no table with those of %+v; take it away, or name another file with --json", r.Settings, s)
	}
	r.Machine, r.Settings, r.Pieces, r.Pause = table.Look(), s, pieces, piecePause.String()
	return nil
}

// add puts a result in the place of an earlier one.
func (r *report) add(got result) {
	r.Results = slices.DeleteFunc(r.Results, func(o result) bool { return o.Way == got.Way && o.Loss == got.Loss })
	r.Results = append(r.Results, got)
	slices.SortStableFunc(r.Results, func(a, b result) int { return placeOf(a.Way) - placeOf(b.Way) })
	slices.SortStableFunc(r.Results, func(a, b result) int {
		if a.Way != b.Way || a.Loss == b.Loss {
			return 0
		} else if a.Loss < b.Loss {
			return -1
		}
		return 1
	})
}

func placeOf(name string) int {
	return slices.IndexFunc(ways, func(w way) bool { return w.name == name })
}

// of returns the results of a way.
func (r *report) of(w way) []result {
	return slices.DeleteFunc(slices.Clone(r.Results), func(o result) bool { return o.Way != w.name })
}

func (o result) share() float64 { return float64(o.Errors) / float64(max(o.Requests, 1)) }

// print writes the table in Markdown.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%v\n%s; %s; %d requests/s of %d users for %v after %v, %v one way, %s; an answer of the far model is %d pieces, one every %s\n\n",
		r.Machine, r.Nginx, r.Locust, r.Settings.Rate, r.Settings.Users, r.Settings.For, r.Settings.Warm, r.Settings.Delay, r.Settings.Control, r.Pieces, r.Pause)
	fmt.Fprintln(w, "| way | loss | P50 | P99 | note: P99 | first token P50 | P99 | errors | note | answers/s | CPU s per 1,000 | peak MiB |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, way := range ways {
		for i, o := range r.of(way) {
			name, p99, errors := "", "", ""
			if i == 0 {
				name = way.name
				if way.says.P99 > 0 {
					p99, errors = fmt.Sprintf("%.0f", way.says.P99), percent(way.says.Errors)
				}
			}
			loss := percent(o.Loss)
			if !way.far {
				loss = "–"
			}
			fmt.Fprintf(w, "| %s | %s | %.0f | %.0f | %s | %v | %v | %s | %s | %v | %v | %d |\n",
				name, loss, float64(o.P50), float64(o.P99), p99, o.First50, o.First99, percent(o.share()), errors, o.Reached, o.Processor, o.Memory>>20)
		}
	}
	fmt.Fprintln(w)
	for _, o := range r.Results {
		fmt.Fprintf(w, "%s at %s: %d requests, sent at most %v ms late (P99); Locust took %v cores, the line %v; others kept %.1f busy before", o.Way, percent(o.Loss), o.Requests, o.Late99, o.LocustCores, o.LineCores, o.Load)
		if o.Fault != "" {
			fmt.Fprintf(w, "; an error: %.200s", o.Fault)
		}
		fmt.Fprintln(w)
	}
}

// percent writes a share with as many digits as it takes.
func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }
