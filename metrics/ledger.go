package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"bendi/ledger/chain"
)

// Ledger holds the metrics of the ledger. It reads them when it is asked.
type Ledger struct {
	stats, texts           atomic.Pointer[func() chain.Stats]
	records, lost, refused *prometheus.Desc
	waiting, failing       *prometheus.Desc
	kept, forgone          *prometheus.Desc // of texts
}

func newLedger(r prometheus.Registerer) *Ledger {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	l := &Ledger{
		records: desc("bendi_ledger_lines_total", "Lines that were written to the ledger."),
		lost:    desc("bendi_ledger_lost_total", "Records that could not be kept, which a later line says."),
		refused: desc("bendi_ledger_refused_total", "Requests that were refused because their records could not have been kept."),
		waiting: desc("bendi_ledger_waiting", "Records that wait to be written."),
		failing: desc("bendi_ledger_failing", "Whether records cannot be written now: 1, and else 0."),
		kept:    desc("bendi_ledger_text_lines_total", "Lines that were written of the words of requests."),
		forgone: desc("bendi_ledger_text_lost_total", "Requests whose words were to be kept and could not be."),
	}
	r.MustRegister(l)
	return l
}

// Read has the metrics read from a ledger from now on.
func (l *Ledger) Read(stats func() chain.Stats) { l.stats.Store(&stats) }

// ReadTexts has the metrics of the words of requests read from a chain from now on.
func (l *Ledger) ReadTexts(stats func() chain.Stats) { l.texts.Store(&stats) }

// Describe implements prometheus.Collector.
func (l *Ledger) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{l.records, l.lost, l.refused, l.waiting, l.failing, l.kept, l.forgone} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Without a ledger there is nothing to
// tell.
func (l *Ledger) Collect(ch chan<- prometheus.Metric) {
	counter, gauge := prometheus.CounterValue, prometheus.GaugeValue
	if read := l.texts.Load(); read != nil {
		s := (*read)()
		ch <- prometheus.MustNewConstMetric(l.kept, counter, float64(s.Written))
		ch <- prometheus.MustNewConstMetric(l.forgone, counter, float64(s.Lost))
	}
	read := l.stats.Load()
	if read == nil {
		return
	}
	s := (*read)()
	ch <- prometheus.MustNewConstMetric(l.records, counter, float64(s.Written))
	ch <- prometheus.MustNewConstMetric(l.lost, counter, float64(s.Lost))
	ch <- prometheus.MustNewConstMetric(l.refused, counter, float64(s.Refused))
	ch <- prometheus.MustNewConstMetric(l.waiting, gauge, float64(s.Waiting))
	ch <- prometheus.MustNewConstMetric(l.failing, gauge, truth(s.Failing))
}
