package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A RelayState is how a relay is, and what it has done since it began.
type RelayState struct {
	Refused map[string]uint64 // links, by why
	Edges   map[string]EdgeState
}

// An EdgeState is how an edge is, as its relay has it.
type EdgeState struct {
	Sessions, Links, Streams int
	RTT                      time.Duration // of the quickest link; 0: not known
	Backlog                  int64         // bytes
	Requests                 map[string]uint64
	Asked, Answer            int64 // bytes of bodies
}

// relayCollector reads the state of a relay whenever it is asked for. All its
// labels come from the configuration.
type relayCollector struct{ state func() RelayState }

var edgeLabels = []string{"edge"}

var (
	relayRefused  = prometheus.NewDesc("bendi_relay_links_refused_total", "Links that were refused, by why.", []string{"reason"}, nil)
	relaySessions = prometheus.NewDesc("bendi_relay_sessions", "Gateways that are there under the name of an edge; more than one share the name.", edgeLabels, nil)
	relayLinks    = prometheus.NewDesc("bendi_relay_connections", "Links of an edge.", edgeLabels, nil)
	relayStreams  = prometheus.NewDesc("bendi_relay_requests_active", "Requests of an edge that are being answered.", edgeLabels, nil)
	relayRTT      = prometheus.NewDesc("bendi_relay_round_trip_seconds", "Round trip of the quickest link of an edge.", edgeLabels, nil)
	relayBacklog  = prometheus.NewDesc("bendi_relay_backlog_bytes", "Bytes sent or waiting of which the edge has not told.", edgeLabels, nil)
	relayRequests = prometheus.NewDesc("bendi_relay_requests_total", "Requests of an edge that have ended, by how.", append(edgeLabels, "outcome"), nil)
	relayBytes    = prometheus.NewDesc("bendi_relay_body_bytes_total", "Bytes of the bodies of requests and of answers, less what was sent twice.", append(edgeLabels, "of"), nil)
)

// NewRelay serves the metrics of a relay of that version.
func NewRelay(version string, state func() RelayState) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(relayCollector{state}, built(version), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// Describe tells which metrics there are.
func (relayCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{relayRefused, relaySessions, relayLinks, relayStreams, relayRTT, relayBacklog, relayRequests, relayBytes} {
		to <- d
	}
}

// Collect tells how the relay is at the moment.
func (c relayCollector) Collect(to chan<- prometheus.Metric) {
	s := c.state()
	count := func(d *prometheus.Desc, n float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, n, labels...)
	}
	for reason, n := range s.Refused {
		count(relayRefused, float64(n), reason)
	}
	for edge, e := range s.Edges {
		for d, value := range map[*prometheus.Desc]float64{
			relaySessions: float64(e.Sessions), relayLinks: float64(e.Links), relayStreams: float64(e.Streams), relayRTT: e.RTT.Seconds(), relayBacklog: float64(e.Backlog),
		} {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, edge)
		}
		for how, n := range e.Requests {
			count(relayRequests, float64(n), edge, how)
		}
		count(relayBytes, float64(e.Asked), edge, "requests")
		count(relayBytes, float64(e.Answer), edge, "answers")
	}
}
