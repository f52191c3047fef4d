package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"bendi/experiment"
)

// Experiments holds the metrics of experiments. It is an [experiment.Observer].
// All its labels come from the configuration or the program.
type Experiments struct {
	requests, excluded, stops *prometheus.CounterVec
	collector                 *experimentCollector
}

func newExperiments(r prometheus.Registerer) *Experiments {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	return &Experiments{
		requests:  counter("bendi_experiment_requests_total", "Requests that count in an arm, copies for shadow arms too, by how they ended.", "experiment", "arm", "outcome"),
		excluded:  counter("bendi_experiment_excluded_total", "Requests and copies that count in no arm, by why.", "experiment", "reason"),
		stops:     counter("bendi_experiment_guard_stops_total", "Arms that a guard has stopped.", "experiment", "arm", "guard"),
		collector: register(r, new(experimentCollector)),
	}
}

// Read has the state of experiments read from a function whenever it is asked
// for. It is called once, before anything is served.
func (e *Experiments) Read(states func() []experiment.Status) { e.collector.states = states }

// Counted counts a request of an arm.
func (e *Experiments) Counted(name, arm, outcome string) {
	e.requests.WithLabelValues(name, arm, outcome).Inc()
}

// Excluded counts a request of no arm.
func (e *Experiments) Excluded(name, why string) { e.excluded.WithLabelValues(name, why).Inc() }

// Stopped counts the end of an arm by a guard.
func (e *Experiments) Stopped(name, arm, guard string) {
	e.stops.WithLabelValues(name, arm, guard).Inc()
}

// An experimentCollector tells how experiments are at the moment.
type experimentCollector struct{ states func() []experiment.Status }

var (
	experimentRunning = prometheus.NewDesc("bendi_experiment_running", "Whether an experiment runs, 1 or 0.", []string{"experiment", "route"}, nil)
	experimentArm     = prometheus.NewDesc("bendi_experiment_arm_stopped", "Whether a guard has stopped an arm, 1 or 0.", []string{"experiment", "arm"}, nil)
)

func (*experimentCollector) Describe(to chan<- *prometheus.Desc) {
	to <- experimentRunning
	to <- experimentArm
}

func (c *experimentCollector) Collect(to chan<- prometheus.Metric) {
	if c.states == nil {
		return
	}
	gauge := func(d *prometheus.Desc, is bool, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, truth(is), labels...)
	}
	for _, s := range c.states() {
		gauge(experimentRunning, s.State == experiment.Running, s.Name, s.Route)
		for _, a := range s.Arms {
			gauge(experimentArm, a.Stopped != "", s.Name, a.Name)
		}
	}
}
