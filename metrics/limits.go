package metrics

import "github.com/prometheus/client_golang/prometheus"

// Limits holds the metrics of how much is asked.
type Limits struct {
	refused   *prometheus.CounterVec
	down      prometheus.Gauge
	unsettled prometheus.Counter
}

func newLimits(r prometheus.Registerer) *Limits {
	return &Limits{
		refused: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bendi_limit_refusals_total", Help: "Requests that were over a limit, by whose it is (key, user or route) and what is limited.",
		}, []string{"of", "limit"})),
		down: register(r, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bendi_limit_store_down", Help: "Whether the Redis that counts for all gateways cannot be reached; 1 or 0.",
		})),
		unsettled: register(r, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bendi_limit_unsettled_total", Help: "Requests that have ended and of which Redis could not be told what they took.",
		})),
	}
}

// Refused counts a request that was over a limit.
func (l *Limits) Refused(of, limit string) { l.refused.WithLabelValues(of, limit).Inc() }

// Down tells whether what counts for all cannot be reached.
func (l *Limits) Down(down bool) { l.down.Set(truth(down)) }

// Unsettled counts a request of which nobody could be told what it took.
func (l *Limits) Unsettled() { l.unsettled.Inc() }
