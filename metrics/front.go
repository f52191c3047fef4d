package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Front holds the metrics of connections, of wrong keys and of the certificate.
type Front struct {
	refused  *prometheus.CounterVec
	wrong    *prometheus.CounterVec
	registry prometheus.Registerer
}

func newFront(r prometheus.Registerer) *Front {
	f := &Front{registry: r, refused: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bendi_connections_refused_total", Help: "Connections that were one too many, by the limit that they met."}, []string{"limit"}))}
	for _, limit := range []string{"total", "address"} {
		f.refused.WithLabelValues(limit)
	}
	f.wrong = register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bendi_wrong_keys_total", Help: "Keys and tokens that open nothing, by whether that was said (refused) or there were too many from the address (braked)."}, []string{"answer"}))
	for _, answer := range []string{"refused", "braked"} {
		f.wrong.WithLabelValues(answer)
	}
	return f
}

// WrongKey counts a key that opens nothing.
func (f *Front) WrongKey(braked bool) {
	answer := "refused"
	if braked {
		answer = "braked"
	}
	f.wrong.WithLabelValues(answer).Inc()
}

// Refused counts a connection that was one too many.
func (f *Front) Refused(limit string) { f.refused.WithLabelValues(limit).Inc() }

// Read has the metrics tell how many connections there are.
func (f *Front) Read(count func() int) {
	f.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "bendi_connections", Help: "Connections that are open."}, func() float64 { return float64(count()) }))
}

// ReadTLS has the metrics tell when the certificate ends, and what is stapled
// to it; what there is not is 0.
func (f *Front) ReadTLS(ends func() (cert, stapled time.Time)) {
	gauge := func(name, help string, of func() time.Time) {
		f.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if at := of(); !at.IsZero() {
				return float64(at.Unix())
			}
			return 0
		}))
	}
	gauge("bendi_tls_certificate_expires_timestamp_seconds", "When the certificate that is served ends.", func() time.Time { cert, _ := ends(); return cert })
	gauge("bendi_tls_staple_expires_timestamp_seconds", "When what the CA says of the certificate, and is stapled to it, ends; 0: nothing is stapled.", func() time.Time { _, stapled := ends(); return stapled })
}
