package metrics

import (
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"bendi/ledger"
	"bendi/openaicompat"
)

// A Gateway holds the metrics of a gateway. It is an [openaicompat.Observer].
type Gateway struct {
	Filter   *Filter
	Router   *Router
	Sessions *Sessions
	Ledger   *Ledger
	Limits   *Limits
	Config   *Config
	Front    *Front
	Links    *Links

	Experiments *Experiments

	registry *prometheus.Registry
	workers  atomic.Pointer[map[string]Worker] // by model id

	requests, gone  *prometheus.CounterVec
	running         *prometheus.GaugeVec
	first, duration *prometheus.HistogramVec
}

// NewGateway returns the metrics of a gateway of that version over workers, by
// the ids of their models.
func NewGateway(version string, workers map[string]Worker) *Gateway {
	g := &Gateway{registry: prometheus.NewRegistry()}
	g.Employ(workers)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return register(g.registry, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return register(g.registry, prometheus.NewHistogramVec(
			prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, append([]string{"route", "backend", "model"}, labels...)))
	}
	g.requests = counter("bendi_http_requests_total", "Requests that have ended, by the status they ended with.", "route", "backend", "model", "status")
	g.gone = counter("bendi_http_client_gone_total", "Requests whose client left before the end.", "route", "backend", "model")
	g.running = register(g.registry, prometheus.NewGaugeVec(
		prometheus.GaugeOpts{Name: "bendi_http_requests_in_flight", Help: "Requests being answered."}, []string{"route"}))
	g.first = histogram("bendi_http_time_to_first_token_seconds", "From a request to the first piece of its streamed answer.", firstTokenBuckets)
	g.duration = histogram("bendi_http_request_duration_seconds", "From a request to the end of its whole answer, by what was asked for.", latencyBuckets, "operation")
	g.Filter, g.Router, g.Config = newFilter(g.registry), newRouter(g.registry), newConfig(g.registry)
	g.Experiments = newExperiments(g.registry)
	g.Sessions = newSessions(g.registry)
	g.Front = newFront(g.registry)
	g.Links = newLinks(g.registry)
	g.Ledger = newLedger(g.registry)
	g.Limits = newLimits(g.registry)
	g.registry.MustRegister(built(version), workerCollector{g},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return g
}

// built tells of which version a program is.
func built(version string) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bendi_build_info", Help: "Which program this is; always 1.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	return info
}

// Employ has the gateway tell of these workers from now on, by the ids of their
// models.
func (g *Gateway) Employ(workers map[string]Worker) { g.workers.Store(&workers) }

// Enter counts a request as running until leave is called.
func (g *Gateway) Enter(route string) (leave func()) {
	running := g.running.WithLabelValues(route)
	running.Inc()
	return running.Dec
}

// Admit admits every request: each can be counted.
func (g *Gateway) Admit() error { return nil }

// Ended counts a request. The times are of whole answers alone: how soon a
// request was refused says nothing of how long one has to wait.
func (g *Gateway) Ended(o *ledger.Entry) {
	g.requests.WithLabelValues(o.Route, o.Backend, o.Model, strconv.Itoa(o.Status)).Inc()
	if o.Status == openaicompat.StatusGone {
		g.gone.WithLabelValues(o.Route, o.Backend, o.Model).Inc()
	}
	if o.Route == "" || o.Status != http.StatusOK {
		return
	}
	seconds(g.duration.WithLabelValues(o.Route, o.Backend, o.Model, o.Operation), o.Total)
	if o.Stream && o.First > 0 {
		seconds(g.first.WithLabelValues(o.Route, o.Backend, o.Model), o.First)
	}
}

// Handler serves the metrics of the gateway and of its workers. A worker that
// does not answer shows in them, and never keeps them from being served.
func (g *Gateway) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all := append(prometheus.Gatherers{g.registry}, scrape(r.Context(), *g.workers.Load())...)
		promhttp.HandlerFor(all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
	})
}
