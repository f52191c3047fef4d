package benchtable

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"text/tabwriter"
)

// A Row is one figure of the table.
type Row struct {
	Suite   string  `json:"suite"`
	What    string  `json:"what"`
	Value   Figure  `json:"value"`          // median of the rounds
	Unit    string  `json:"unit,omitempty"` // of Value and Other
	Against string  `json:"against,omitempty"`
	Other   Figure  `json:"other"`            // what Against reached, median
	Ratio   Figure  `json:"ratio"`            // median of Value / Other in each round
	Rounds  []Pair  `json:"rounds,omitempty"` // Value and Other of each round
	Must    *Target `json:"must,omitempty"`   // for Ratio, or for Value where nothing is compared
	Aim     *Target `json:"aim,omitempty"`
	Verdict string  `json:"verdict"` // see judge; empty without targets
	Note    string  `json:"note,omitempty"`
}

// A Figure is a number; NaN, written as null, is none.
type Figure float64

// MarshalJSON writes f with enough digits to read.
func (f Figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, "%.5g", float64(f)), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Figure) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*f = Figure(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(f))
}

func (f Figure) String() string {
	x := math.Abs(float64(f))
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return "-"
	case x >= 100 || x == math.Trunc(x):
		return fmt.Sprintf("%.0f", float64(f))
	case x >= 10:
		return fmt.Sprintf("%.1f", float64(f))
	case x >= 1:
		return fmt.Sprintf("%.2f", float64(f))
	default:
		return fmt.Sprintf("%.3f", float64(f))
	}
}

// A Pair is what a round gave: ours and what it is compared with.
type Pair [2]Figure

// A Target is a bound.
type Target struct {
	AtMost bool    `json:"at_most"` // else at least
	Bound  float64 `json:"bound"`
}

// AtLeast returns a bound from below.
func AtLeast(x float64) *Target { return &Target{false, x} }

// AtMost returns a bound from above.
func AtMost(x float64) *Target { return &Target{true, x} }

func (t *Target) met(x float64) bool {
	if t.AtMost {
		return x <= t.Bound
	}
	return x >= t.Bound
}

func (t *Target) String() string {
	switch {
	case t == nil:
		return ""
	case t.AtMost:
		return fmt.Sprintf("<= %g", t.Bound)
	default:
		return fmt.Sprintf(">= %g", t.Bound)
	}
}

// Compared fills in the medians and the verdict of a row whose rounds compare
// ours with another.
func (r Row) Compared(rounds []Pair) Row {
	var values, others, ratios []float64
	for _, p := range rounds {
		values, others = append(values, float64(p[0])), append(others, float64(p[1]))
		ratios = append(ratios, float64(p[0]/p[1]))
	}
	r.Rounds = rounds
	r.Value, r.Other, r.Ratio = Figure(Median(values)), Figure(Median(others)), Figure(Median(ratios))
	r.judge(float64(r.Ratio))
	return r
}

// Alone fills in the median and the verdict of a row that compares with
// nothing.
func (r Row) Alone(values ...float64) Row {
	r.Other, r.Ratio = Figure(math.NaN()), Figure(math.NaN())
	for _, v := range values {
		r.Rounds = append(r.Rounds, Pair{Figure(v), r.Other})
	}
	r.Value = Figure(Median(values))
	r.judge(float64(r.Value))
	return r
}

// judge sets the verdict: "missed" where it must be better, "aim" where the aim
// is reached, "ok" in between.
func (r *Row) judge(x float64) {
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

// Print writes the table, and below it the notes of its rows.
func Print(w io.Writer, rows []Row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "suite\twhat\tmeasured\tagainst\tratio\tmust\taim\tverdict")
	suite := ""
	for _, row := range rows {
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
	for _, row := range rows {
		if row.Note != "" {
			fmt.Fprintf(w, "%s, %s: %s\n", row.Suite, row.What, row.Note)
		}
	}
}

// Save writes a report as JSON.
func Save(path string, report any) error {
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
