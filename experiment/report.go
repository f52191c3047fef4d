package experiment

import (
	"maps"
	"strings"
	"time"

	"bendi/experiment/metric"
	"bendi/experiment/report"
	"bendi/experiment/stats"
)

// Report returns what an experiment has shown.
func (l *Lab) Report(name string) (*report.Report, error) {
	x, err := l.find(name)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return report.New(x.told()), nil
}

// told returns what there is to tell of the experiment. Its caller holds mu, for
// as long as that is used.
func (x *Experiment) told() report.Experiment {
	v := x.now.Load()
	units := make([]string, len(x.plan.By))
	for i, by := range x.plan.By {
		units[i] = string(by)
	}
	e := report.Experiment{
		Name: x.name, Route: x.plan.Route, Units: strings.Join(units, ", "), State: string(v.state), Winner: v.winner, Control: x.plan.Control,
		At: time.Now(), Started: x.started, Ended: x.ended, Metrics: metric.All(), Decide: x.plan.Decide, Draw: x.draw, Trails: x.follow.Trails(),
		Excluded: maps.Clone(x.excluded), Reweighs: x.reweighs, Damaged: x.damaged,
	}
	for _, c := range x.stoppedArms() {
		e.Stops = append(e.Stops, report.Stop{At: c.At, Arm: c.Arm, Guard: c.Guard, Why: c.Why})
	}
	for _, name := range x.plan.names() {
		p := x.plan.arm(name)
		a := report.Arm{Name: name, Weight: float64(p.Weight), Shadow: p.Shadow, Stopped: v.stopped[name], Tallies: map[string]*stats.Tally{}}
		if t := x.tallies[name]; t != nil {
			a.Requests, a.Tallies = t.requests, t.metrics
		}
		e.Arms = append(e.Arms, a)
	}
	return e
}
