package report

import (
	"slices"
	"time"

	"bendi/experiment/stats"
)

// An Experiment is what there is to tell of.
type Experiment struct {
	Name    string
	Route   string
	Units   string // what is drawn into arms, such as "session"
	State   string // such as "running"
	Winner  string // empty: none
	Control string // the arm that others are compared with
	At      time.Time
	Started time.Time // zero: not yet
	Ended   time.Time // zero: not yet
	Arms    []Arm     // in the order in which they are shown

	// Metrics are shown in this order. Those named in Decide decide, each with its
	// part of Alpha; where Decide is empty, all do that have a good direction.
	Metrics []stats.Metric
	Decide  []string
	Alpha   float64 // the chance of a false verdict anywhere, at any look; 0: 0.05

	Draw     *stats.Draw    // of the arms that answer, since their weights last changed; nil: unknown
	Excluded map[string]int // requests that count in no arm, by the reason
	Stops    []Stop
	Trails   []Trail
	Reweighs int // changes of the weights since the start
	Damaged  int // observations that could not be read back
}

// An Arm is one way to answer.
type Arm struct {
	Name     string
	Weight   float64
	Shadow   bool   // it gets copies, and nobody reads its answers
	Stopped  string // the guard that has stopped it; empty: none
	Requests int
	Tallies  map[string]*stats.Tally // by the name of the metric; none is as good as an empty one
}

// A Stop is an arm's end by a guard.
type Stop struct {
	At    time.Time `json:"at"`
	Arm   string    `json:"arm"`
	Guard string    `json:"guard"`
	Why   string    `json:"why"`
}

// A Trail is how the comparison of an arm with the control has come to be.
type Trail struct {
	Metric string  `json:"metric"`
	Arm    string  `json:"arm"`
	Points []Point `json:"points"`
}

// A Point is a comparison as it was at a time.
type Point struct {
	At       time.Time `json:"at"`
	Estimate float64   `json:"estimate"`
	stats.Interval
}

// A Report is what an experiment has shown. Its JSON is described in docs/experiments.md.
type Report struct {
	Name     string         `json:"experiment"`
	Route    string         `json:"route"`
	Units    string         `json:"units"`
	State    string         `json:"state"`
	Winner   string         `json:"winner,omitempty"`
	Control  string         `json:"control"`
	At       time.Time      `json:"at"`
	Started  *time.Time     `json:"started,omitempty"`
	Ended    *time.Time     `json:"ended,omitempty"`
	Alpha    float64        `json:"alpha"`
	Decide   []string       `json:"decide"`
	Arms     []ArmSummary   `json:"arms"`
	Metrics  []Row          `json:"metrics"`
	Warnings []Warning      `json:"warnings"`
	Excluded map[string]int `json:"excluded"`
	Stops    []Stop         `json:"stops"`
	Trails   []Trail        `json:"trails,omitempty"`
}

// An ArmSummary is what is said of an arm beside its metrics.
type ArmSummary struct {
	Name     string  `json:"name"`
	Weight   float64 `json:"weight"`
	Shadow   bool    `json:"shadow,omitempty"`
	Stopped  string  `json:"stopped,omitempty"`
	Requests int     `json:"requests"`
	Units    int64   `json:"units"` // beyond some 5,000 perhaps a lower bound
}

// A Row is one metric in all arms.
type Row struct {
	stats.Metric
	Decides bool         `json:"decides"` // false: its verdicts are hints, to be looked into by an experiment of their own
	Alpha   float64      `json:"alpha"`   // what each of its comparisons has
	Control stats.Value  `json:"control"`
	Arms    []Comparison `json:"arms"`
}

// A Comparison is that of an arm with the control.
type Comparison struct {
	Name string `json:"arm"`
	stats.Comparison
}

// A Warning says why the rest is to be read with care.
type Warning struct {
	Code string  `json:"code"`
	P    float64 `json:"p,omitempty"`
	N    int64   `json:"n,omitempty"`
}

// The codes of warnings.
const (
	Mismatch = "sample_ratio_mismatch" // units are not in the arms by the weights; P says how unlikely that is
	Moved    = "units_moved"           // N times a unit changed its arm
	Reweighs = "weights_changed"       // N times
	Damaged  = "observations_lost"     // N could not be read back
)

// mismatchAlpha is the p-value at which a draw is called broken.
const mismatchAlpha = 0.001

// New compares the arms.
func New(e Experiment) *Report {
	r := &Report{
		Name: e.Name, Route: e.Route, Units: e.Units, State: e.State, Winner: e.Winner, Control: e.Control,
		At: e.At, Started: known(e.Started), Ended: known(e.Ended), Alpha: e.Alpha, Decide: e.Decide,
		Excluded: e.Excluded, Stops: e.Stops, Trails: e.Trails, Warnings: warnings(&e),
	}
	if r.Alpha == 0 {
		r.Alpha = 0.05
	}
	if len(r.Decide) == 0 {
		r.Decide = []string{}
		for _, m := range e.Metrics {
			if m.Better != stats.Neither {
				r.Decide = append(r.Decide, m.Name)
			}
		}
	}
	var control Arm
	for _, a := range e.Arms {
		r.Arms = append(r.Arms, e.summary(a))
		if a.Name == e.Control {
			control = a
		}
	}
	for _, m := range e.Metrics {
		row := Row{Metric: m, Decides: slices.Contains(r.Decide, m.Name), Arms: []Comparison{}}
		row.Alpha = r.share(e.Metrics, row.Decides, len(e.Arms)-1)
		if t := control.Tallies[m.Name]; t != nil && m.Kind != stats.Vote {
			row.Control = t.Value(row.Alpha)
		}
		for _, a := range e.Arms {
			if a.Name != e.Control {
				row.Arms = append(row.Arms, Comparison{a.Name, stats.Compare(m, control.Tallies[m.Name], a.Tallies[m.Name], row.Alpha)})
			}
		}
		r.Metrics = append(r.Metrics, row)
	}
	return r
}

// share returns what of alpha one comparison has. Those that decide divide it
// among them, and those that do not divide as much. All of them count, with data
// or without: what is shown must not depend on what has been seen.
func (r *Report) share(metrics []stats.Metric, decides bool, arms int) float64 {
	n := 0
	for _, m := range metrics {
		if slices.Contains(r.Decide, m.Name) == decides {
			n++
		}
	}
	return r.Alpha / float64(n*max(arms, 1))
}

// summary says what there is to say of an arm. Its units are known exactly as long
// as there is one draw, and it is not full.
func (e *Experiment) summary(a Arm) ArmSummary {
	s := ArmSummary{Name: a.Name, Weight: a.Weight, Shadow: a.Shadow, Stopped: a.Stopped, Requests: a.Requests}
	if e.Draw != nil && !a.Shadow && e.Reweighs == 0 && !e.Draw.Full() {
		s.Units = e.Draw.Units()[a.Name]
		return s
	}
	for _, t := range a.Tallies {
		s.Units = max(s.Units, t.Units())
	}
	return s
}

func warnings(e *Experiment) []Warning {
	all := []Warning{}
	if e.Draw != nil {
		weights := map[string]float64{}
		for _, a := range e.Arms {
			if !a.Shadow && a.Stopped == "" {
				weights[a.Name] = a.Weight
			}
		}
		// An arm that a guard has stopped gets nobody any more, and the control gets
		// those: then the weights say nothing.
		if p := e.Draw.Mismatch(weights); p <= mismatchAlpha && len(e.Stops) == 0 {
			all = append(all, Warning{Code: Mismatch, P: p})
		}
		if n := e.Draw.Moved(); n > 0 {
			all = append(all, Warning{Code: Moved, N: n})
		}
	}
	if e.Reweighs > 0 {
		all = append(all, Warning{Code: Reweighs, N: int64(e.Reweighs)})
	}
	if e.Damaged > 0 {
		all = append(all, Warning{Code: Damaged, N: int64(e.Damaged)})
	}
	return all
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
