package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"bendi/router"
)

// A Router holds the metrics of the choice between backends. All its labels
// come from the configuration or the program.
type Router struct {
	attempts, skipped, gaveUp        *prometheus.CounterVec
	retries, hedges, resumed, waited *prometheus.CounterVec
	collector                        *backendCollector
}

func newRouter(r prometheus.Registerer) *Router {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	return &Router{
		attempts:  counter("bendi_backend_attempts_total", "Requests to a backend that have ended, by how.", "backend", "outcome"),
		skipped:   counter("bendi_backend_skipped_total", "Times that a backend was not asked, by why.", "backend", "reason"),
		retries:   counter("bendi_router_retries_total", "Requests that were put to one more backend, or to the same again.", "route"),
		hedges:    counter("bendi_router_hedges_total", "Requests that were put to a second backend since the first was slow.", "route"),
		resumed:   counter("bendi_router_resumed_total", "Answers that broke off and another backend went on with.", "route"),
		waited:    counter("bendi_router_waits_total", "Times that a request waited before it was put to a backend.", "route", "reason"),
		gaveUp:    counter("bendi_router_gave_up_total", "Requests that nobody was asked any more, by why.", "route", "reason"),
		collector: register(r, new(backendCollector)),
	}
}

// Watch has the state of backends told from now on, in place of others.
func (r *Router) Watch(backends []*router.Backend) { r.collector.backends.Store(&backends) }

// Step counts a decision about a request of a route.
func (r *Router) Step(route string, s router.Step) {
	switch s.What {
	case router.Skipped:
		r.skipped.WithLabelValues(s.Backend, string(s.Reason)).Inc()
	case router.Asked:
		if s.Try > 1 {
			r.retries.WithLabelValues(route).Inc()
		}
	case router.Hedged:
		r.hedges.WithLabelValues(route).Inc()
	case router.Resumed:
		r.resumed.WithLabelValues(route).Inc()
	case router.Waited:
		r.waited.WithLabelValues(route, string(s.Reason)).Inc()
	case router.GaveUp:
		r.gaveUp.WithLabelValues(route, string(s.Reason)).Inc()
	case router.Done, router.Lost, router.Faulted, router.Declined, router.Invalid, router.Gone:
		if s.Backend != "" {
			r.attempts.WithLabelValues(s.Backend, string(s.What)).Inc()
		}
	}
}

// A backendCollector tells what is known about backends at the moment.
type backendCollector struct {
	backends atomic.Pointer[[]*router.Backend]
}

var (
	backendState       = prometheus.NewDesc("bendi_backend_state", "Whether a backend's breaker is in a state; 1 for one of them.", []string{"backend", "zone", "state"}, nil)
	backendOutstanding = prometheus.NewDesc("bendi_backend_requests_in_flight", "Requests that a backend is answering.", []string{"backend", "zone"}, nil)
	backendShare       = prometheus.NewDesc("bendi_backend_share", "Share of the requests meant for a backend that it gets; below 1 after it has recovered.", []string{"backend", "zone"}, nil)
	backendFirst       = prometheus.NewDesc("bendi_backend_time_to_first_token_p95_seconds", "Within which time 95 of 100 answers of a backend began of late.", []string{"backend", "zone"}, nil)
)

func (*backendCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{backendState, backendOutstanding, backendShare, backendFirst} {
		to <- d
	}
}

func (c *backendCollector) Collect(to chan<- prometheus.Metric) {
	all := c.backends.Load()
	if all == nil {
		return
	}
	for _, b := range *all {
		s := b.Status()
		zone := s.Zone.String()
		for _, state := range []string{"closed", "open", "probing"} {
			to <- prometheus.MustNewConstMetric(backendState, prometheus.GaugeValue, truth(state == s.State), s.Backend, zone, state)
		}
		to <- prometheus.MustNewConstMetric(backendOutstanding, prometheus.GaugeValue, float64(s.Outstanding), s.Backend, zone)
		to <- prometheus.MustNewConstMetric(backendShare, prometheus.GaugeValue, s.Share, s.Backend, zone)
		if s.FirstToken > 0 {
			to <- prometheus.MustNewConstMetric(backendFirst, prometheus.GaugeValue, s.FirstToken.Seconds(), s.Backend, zone)
		}
	}
}
