package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Sessions holds the metrics of the memory of conversations. It is an observer
// of that.
type Sessions struct {
	registry prometheus.Registerer

	latency *prometheus.HistogramVec
	errors  *prometheus.CounterVec
	turns   *prometheus.CounterVec
	leftOut prometheus.Counter
}

func newSessions(r prometheus.Registerer) *Sessions {
	return &Sessions{
		registry: r,
		latency: register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bendi_session_store_seconds", Help: "How long calls of the session store took.",
			Buckets: []float64{.0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .5, 2, 10},
		}, []string{"call"})),
		errors: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bendi_session_store_errors_total", Help: "Calls of the session store that failed.",
		}, []string{"call"})),
		turns: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bendi_session_turns_total", Help: "Requests of sessions that have ended, by what became of the turn.",
		}, []string{"outcome"})),
		leftOut: register(r, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bendi_session_messages_left_out_total", Help: "Messages of histories that models were not shown, to fit their windows.",
		})),
	}
}

// Read has the number of stored sessions read from a function whenever it is
// asked for. It is called once at the most.
func (s *Sessions) Read(count func() int) {
	register(s.registry, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "bendi_sessions", Help: "Sessions that are stored, as of the last minute.",
	}, func() float64 { return float64(count()) }))
}

// Store counts a call of the session store.
func (s *Sessions) Store(call string, took time.Duration, err error) {
	s.latency.WithLabelValues(call).Observe(took.Seconds())
	if err != nil {
		s.errors.WithLabelValues(call).Inc()
	}
}

// Turn counts a turn of a session.
func (s *Sessions) Turn(outcome string) { s.turns.WithLabelValues(outcome).Inc() }

// LeftOut counts messages of a history that was cut.
func (s *Sessions) LeftOut(messages int) { s.leftOut.Add(float64(messages)) }
