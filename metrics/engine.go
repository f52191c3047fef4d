package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"bendi/inference/watch"
)

// An Engine holds the metrics of a worker.
type Engine struct {
	registry *prometheus.Registry

	began, queries, hits, generated, ended        *prometheus.CounterVec
	first, gap, whole, queue, prefill, decode     *prometheus.HistogramVec
	stepTokens, stepWhole, stepDecode, stepSample *prometheus.HistogramVec
}

// NewEngine returns the metrics of an engine that has done nothing yet.
func NewEngine() *Engine {
	e := &Engine{registry: prometheus.NewRegistry()}
	model := []string{"model"}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return register(e.registry, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append(model, labels...)))
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return register(e.registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, model))
	}
	e.began = counter("bendi_prompt_tokens_total", "Tokens of the prompts that got a slot, cached ones too.")
	e.queries = counter("bendi_prefix_cache_queries_total", "Prompt tokens that were looked up in the prefix cache.")
	e.hits = counter("bendi_prefix_cache_hits_total", "Prompt tokens that the prefix cache had.")
	e.generated = counter("bendi_generation_tokens_total", "Tokens generated.")
	e.ended = counter("bendi_request_success_total", "Choices that ended, by reason.", "finished_reason")
	e.first = histogram("bendi_time_to_first_token_seconds", "From the arrival of a request at the engine to its first token.", firstTokenBuckets)
	e.gap = histogram("bendi_inter_token_latency_seconds", "Between two tokens of a choice.", tokenBuckets)
	e.whole = histogram("bendi_e2e_request_latency_seconds", "From the arrival of a request at the engine to its end.", latencyBuckets)
	e.queue = histogram("bendi_request_queue_time_seconds", "From the arrival of a request to its slot.", latencyBuckets)
	e.prefill = histogram("bendi_request_prefill_time_seconds", "From the slot to the first token.", latencyBuckets)
	e.decode = histogram("bendi_request_decode_time_seconds", "From the first token to the last.", latencyBuckets)
	e.stepTokens = histogram("bendi_iteration_tokens_total", "Tokens in a step: of prompts, and drawn.", batchBuckets)
	e.stepWhole = histogram("bendi_engine_step_seconds", "A step of the engine, all of it.", stepBuckets)
	e.stepDecode = histogram("bendi_engine_decode_seconds", "Of a step, what llama.cpp takes.", stepBuckets)
	e.stepSample = histogram("bendi_engine_sample_seconds", "Of a step, drawing the next tokens.", stepBuckets)
	e.registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{Namespace: "bendi_worker"}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "bendi_worker_goroutines", Help: "Goroutines of the worker."},
			func() float64 { return float64(runtime.NumGoroutine()) }))
	return e
}

func register[C prometheus.Collector](r prometheus.Registerer, c C) C {
	r.MustRegister(c)
	return c
}

// truth is 1 for what is so, and 0 for what is not.
func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Handler serves the metrics.
func (e *Engine) Handler() http.Handler {
	return promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{})
}

// A Source is an engine, for what is read from it rather than told by it.
type Source interface {
	// Load returns how many choices have a slot and how many wait for one.
	Load() (running, waiting int)
	// View returns the slots and the cache as they were a moment ago.
	View() watch.View
}

// Read adds the metrics that are read from src whenever they are asked for. It
// is called once, with the id of the engine's own model: they are of the
// engine, whose slots the model and its adapters share.
func (e *Engine) Read(model string, src Source) {
	labels := prometheus.Labels{"model": model}
	gauge := func(name, help string, value func() float64) {
		e.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value))
	}
	gauge("bendi_num_requests_running", "Choices that have a slot.", func() float64 {
		running, _ := src.Load()
		return float64(running)
	})
	gauge("bendi_num_requests_waiting", "Choices that wait for a slot.", func() float64 {
		_, waiting := src.Load()
		return float64(waiting)
	})
	gauge("bendi_num_slots", "Choices that can run at once.", func() float64 { return float64(src.View().Slots) })
	share := func(part func(watch.Cache) int) func() float64 {
		return func() float64 {
			c := src.View().Cache
			return float64(part(c)) / float64(max(c.Cells, 1))
		}
	}
	gauge("bendi_kv_cache_usage_perc", "Share of the KV cache that running choices hold, 0 to 1.",
		share(func(c watch.Cache) int { return c.Running }))
	gauge("bendi_kv_cache_kept_perc", "Share of the KV cache that kept prefixes alone hold, 0 to 1: free for who needs it.",
		share(func(c watch.Cache) int { return c.Kept }))
	e.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "bendi_num_preemptions_total", Help: "Choices that had to give way, since the cache was full.", ConstLabels: labels,
	}, func() float64 { return float64(src.View().Preempted) }))
}

// Model returns the observer of one of the engine's models. All its metrics
// exist from here on, so that a rate of nothing is 0 and not missing.
func (e *Engine) Model(model string) watch.Observer {
	m := &observer{
		prompt: e.began.WithLabelValues(model), queries: e.queries.WithLabelValues(model), hits: e.hits.WithLabelValues(model),
		generated: e.generated.WithLabelValues(model), ended: make(map[watch.Reason]prometheus.Counter),
		first: e.first.WithLabelValues(model), gap: e.gap.WithLabelValues(model), whole: e.whole.WithLabelValues(model),
		queue: e.queue.WithLabelValues(model), prefill: e.prefill.WithLabelValues(model), decode: e.decode.WithLabelValues(model),
		stepTokens: e.stepTokens.WithLabelValues(model), stepWhole: e.stepWhole.WithLabelValues(model),
		stepDecode: e.stepDecode.WithLabelValues(model), stepSample: e.stepSample.WithLabelValues(model),
	}
	for _, why := range watch.Reasons {
		m.ended[why] = e.ended.WithLabelValues(model, string(why))
	}
	return m
}

// An observer counts for one model. What it counts into is looked up once, so
// that a token costs a few atomic operations.
type observer struct {
	prompt, queries, hits, generated              prometheus.Counter
	ended                                         map[watch.Reason]prometheus.Counter
	first, gap, whole, queue, prefill, decode     prometheus.Observer
	stepTokens, stepWhole, stepDecode, stepSample prometheus.Observer
}

func (o *observer) Began(p *watch.Progress) {
	o.prompt.Add(float64(p.Prompt))
	o.queries.Add(float64(p.Prompt))
	o.hits.Add(float64(p.Cached))
}

func (o *observer) Token(p *watch.Progress) {
	o.generated.Inc()
	if p.Generated == 1 {
		seconds(o.first, p.First.Sub(p.Arrived))
	} else {
		seconds(o.gap, p.Gap)
	}
}

// Ended measures only choices that came to their end, as vLLM does: how soon a
// client loses patience says nothing about the engine.
func (o *observer) Ended(p *watch.Progress) {
	o.ended[p.Reason].Inc()
	if p.Reason != watch.Stop && p.Reason != watch.Length {
		return
	}
	seconds(o.whole, p.Ended.Sub(p.Arrived))
	seconds(o.queue, p.Began.Sub(p.Arrived))
	if p.First.IsZero() { // the model had nothing to say
		seconds(o.prefill, p.Ended.Sub(p.Began))
		return
	}
	seconds(o.prefill, p.First.Sub(p.Began))
	seconds(o.decode, p.Latest.Sub(p.First))
}

func (o *observer) Step(s watch.Step) {
	o.stepTokens.Observe(float64(s.Prompt + s.Drawn))
	seconds(o.stepWhole, s.Whole)
	seconds(o.stepDecode, s.Decode)
	seconds(o.stepSample, s.Sample)
}

func seconds(o prometheus.Observer, d time.Duration) { o.Observe(d.Seconds()) }
