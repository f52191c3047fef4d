package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// A Worker is a supervised process. Where it is one of ours, it has pages, too.
type Worker interface {
	// Ready returns nil when the worker can answer, if only after its model
	// has been loaded.
	Ready() error
	// State says whether the model is in memory: loaded, loading, unloaded or
	// failed.
	State() string
	// Restarts returns how often it had to be started again.
	Restarts() int
}

// A paged is a Worker that serves more than answers.
type paged interface {
	// Get returns what the worker serves at a path.
	Get(ctx context.Context, path string) ([]byte, error)
}

// scrapeTimeout is how long all workers together have for their metrics. It is
// well below the 10 seconds that Prometheus waits for ours.
const scrapeTimeout = time.Second

// scrape fetches the metrics of all workers at once, and whether each answered.
func scrape(ctx context.Context, workers map[string]Worker) []prometheus.Gatherer {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	ids := slices.Sorted(maps.Keys(workers))
	fetched := make([]prometheus.Gatherer, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		w, ours := workers[id].(paged)
		if !ours || workers[id].State() == "unloaded" { // there is none to be up
			fetched[i] = gathered(nil)
			continue
		}
		wg.Go(func() {
			families, err := fetch(ctx, w)
			up := 1.0
			if err != nil {
				families, up = nil, 0
			}
			fetched[i] = gathered(append(label(families, id), isUp(id, up)))
		})
	}
	wg.Wait()
	return fetched
}

// fetch returns the metrics of a worker. They are all ours, or it is not one of
// our workers.
func fetch(ctx context.Context, w paged) ([]*dto.MetricFamily, error) {
	text, err := w.Get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	byName, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(byName) == 0 {
		return nil, errors.New("the worker has no metrics")
	}
	var families []*dto.MetricFamily
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if !strings.HasPrefix(name, "bendi_") {
			return nil, fmt.Errorf("the worker has a metric %s", name)
		}
		families = append(families, byName[name])
	}
	return families, nil
}

// label gives metrics that are of the worker as a whole the id of its model.
func label(families []*dto.MetricFamily, id string) []*dto.MetricFamily {
	for _, f := range families {
		for _, m := range f.Metric {
			if !slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == "model" }) {
				m.Label = append(m.Label, &dto.LabelPair{Name: new("model"), Value: new(id)})
			}
		}
	}
	return families
}

// isUp is the metric that says whether a worker answered.
func isUp(id string, up float64) *dto.MetricFamily {
	return &dto.MetricFamily{
		Name: new("bendi_worker_up"), Help: new("Whether the worker gave its metrics."), Type: new(dto.MetricType_GAUGE),
		Metric: []*dto.Metric{{Label: []*dto.LabelPair{{Name: new("model"), Value: new(id)}}, Gauge: &dto.Gauge{Value: new(up)}}},
	}
}

// gathered is a Gatherer of what has been gathered before.
func gathered(families []*dto.MetricFamily) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
}

var (
	workerReady    = prometheus.NewDesc("bendi_worker_ready", "Whether the worker can answer, if only after its model has been loaded on demand.", []string{"model"}, nil)
	modelState     = prometheus.NewDesc("bendi_model_state", "Whether the model is in memory: 1 for the state that it is in, 0 for the others.", []string{"model", "state"}, nil)
	workerRestarts = prometheus.NewDesc("bendi_worker_restarts_total", "How often the worker had to be started again.", []string{"model"}, nil)
)

// A workerCollector tells what the supervisors know of their workers.
type workerCollector struct{ gateway *Gateway }

func (c workerCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- workerReady
	ch <- modelState
	ch <- workerRestarts
}

func (c workerCollector) Collect(ch chan<- prometheus.Metric) {
	for id, w := range *c.gateway.workers.Load() {
		ch <- prometheus.MustNewConstMetric(workerReady, prometheus.GaugeValue, truth(w.Ready() == nil), id)
		now := w.State()
		for _, state := range []string{"loaded", "loading", "unloaded", "failed"} {
			ch <- prometheus.MustNewConstMetric(modelState, prometheus.GaugeValue, truth(state == now), id, state)
		}
		ch <- prometheus.MustNewConstMetric(workerRestarts, prometheus.CounterValue, float64(w.Restarts()), id)
	}
}
