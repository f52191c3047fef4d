package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"text/tabwriter"
)

// A row is one figure of the table.
type row struct {
	Suite   string  `json:"suite"`
	What    string  `json:"what"`
	Value   figure  `json:"value"`          // median of the rounds
	Unit    string  `json:"unit,omitempty"` // of Value and Other
	Against string  `json:"against,omitempty"`
	Other   figure  `json:"other"`            // what Against reached, median
	Ratio   figure  `json:"ratio"`            // median of Value / Other in each round
	Rounds  []pair  `json:"rounds,omitempty"` // Value and Other of each round
	Must    *target `json:"must,omitempty"`   // for Ratio, or for Value where nothing is compared
	Aim     *target `json:"aim,omitempty"`
	Verdict string  `json:"verdict"` // see judge; empty without targets
	Note    string  `json:"note,omitempty"`
}

// A figure is a number; NaN, written as null, is none.
type figure float64

// MarshalJSON writes f with enough digits to read.
func (f figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, "%.5g", float64(f)), nil
}

func (f figure) String() string {
	x := math.Abs(float64(f))
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return "-"
	case x >= 100 || x == math.Trunc(x):
		return fmt.Sprintf("%.0f", float64(f))
	case x >= 10:
		return fmt.Sprintf("%.1f", float64(f))
	default:
		return fmt.Sprintf("%.2f", float64(f))
	}
}

// A pair is what a round gave: ours and what it is compared with.
type pair [2]figure

// A target is a bound.
type target struct {
	AtMost bool    `json:"at_most"` // else at least
	Bound  float64 `json:"bound"`
}

func atLeast(x float64) *target { return &target{false, x} }
func atMost(x float64) *target  { return &target{true, x} }

func (t *target) met(x float64) bool {
	if t.AtMost {
		return x <= t.Bound
	}
	return x >= t.Bound
}

func (t *target) String() string {
	switch {
	case t == nil:
		return ""
	case t.AtMost:
		return fmt.Sprintf("<= %g", t.Bound)
	default:
		return fmt.Sprintf(">= %g", t.Bound)
	}
}

// compared fills in the medians and the verdict of a row whose rounds compare
// ours with another.
func (r row) compared(rounds []pair) row {
	var values, others, ratios []float64
	for _, p := range rounds {
		values, others = append(values, float64(p[0])), append(others, float64(p[1]))
		ratios = append(ratios, float64(p[0]/p[1]))
	}
	r.Rounds = rounds
	r.Value, r.Other, r.Ratio = figure(median(values)), figure(median(others)), figure(median(ratios))
	r.judge(float64(r.Ratio))
	return r
}

// alone fills in the median and the verdict of a row that compares with
// nothing.
func (r row) alone(values []float64) row {
	r.Other, r.Ratio = figure(math.NaN()), figure(math.NaN())
	for _, v := range values {
		r.Rounds = append(r.Rounds, pair{figure(v), r.Other})
	}
	r.Value = figure(median(values))
	r.judge(float64(r.Value))
	return r
}

// judge sets the verdict: "missed" where it must be better, "aim" where the aim
// is reached, "ok" in between.
func (r *row) judge(x float64) {
	switch {
	case math.IsNaN(x) || r.Must == nil && r.Aim == nil:
	case r.Must != nil && !r.Must.met(x):
		r.Verdict = "missed"
	case r.Aim != nil && r.Aim.met(x):
		r.Verdict = "aim"
	case r.Must == nil:
		r.Verdict = "below aim"
	default:
		r.Verdict = "ok"
	}
}

// A report is everything that a run gave, as saved.
type report struct {
	Machine machine  `json:"machine"`
	Shapes  []string `json:"shapes"`
	Threads int      `json:"threads"`
	Rounds  int      `json:"rounds"`
	Quick   bool     `json:"quick"`
	Llama   string   `json:"llama_server,omitempty"` // its version, where one was given
	Rows    []row    `json:"rows"`
	Skipped []string `json:"skipped,omitempty"` // what was not measured, and why
	Seconds figure   `json:"seconds"`
}

// print writes the table.
func (r *report) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "suite\twhat\tmeasured\tagainst\tratio\tmust\taim\tverdict")
	suite := ""
	for _, row := range r.Rows {
		name := row.Suite
		if name == suite {
			name = ""
		}
		suite = row.Suite
		against, ratio := "", ""
		if row.Against != "" {
			against, ratio = fmt.Sprintf("%s %s", row.Against, row.Other), row.Ratio.String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\t%s\t%s\t%s\n", name, row.What, row.Value, row.Unit, against, ratio, row.Must, row.Aim, row.Verdict)
	}
	t.Flush()
	for _, row := range r.Rows {
		if row.Note != "" {
			fmt.Fprintf(w, "%s, %s: %s\n", row.Suite, row.What, row.Note)
		}
	}
	for _, s := range r.Skipped {
		fmt.Fprintln(w, "not measured:", s)
	}
}

// save writes the report as JSON.
func (r *report) save(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
