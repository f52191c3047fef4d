package metrics

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// A Filter holds the metrics of the content filter.
type Filter struct {
	findings, shadows, shadowed *prometheus.CounterVec
	reloads                     *prometheus.CounterVec
	words, updated              *prometheus.GaugeVec
	held                        *prometheus.HistogramVec

	mu         sync.Mutex // guards categories
	categories map[string]bool
}

// mostCategories bounds how many categories become labels: they come from the
// lexicons of the operator, and from the answers of models that judge.
const mostCategories = 256

func newFilter(r prometheus.Registerer) *Filter {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
	}
	f := &Filter{categories: make(map[string]bool)}
	f.findings = counter("bendi_filter_findings_total", "What the filter found, and what was done about it.", "route", "direction", "category", "action", "form")
	f.shadows = counter("bendi_filter_shadow_findings_total", "What lexicons in the shadow would have found.", "route", "direction", "lexicon")
	f.shadowed = counter("bendi_filter_shadow_requests_total", "Requests and answers in which a lexicon in the shadow would have found something.", "route", "direction", "lexicon")
	f.reloads = counter("bendi_filter_reloads_total", "Times that changed lexicons were read again.", "result")
	f.words = gauge("bendi_filter_words", "Words of each lexicon in force.", "lexicon", "version")
	f.updated = gauge("bendi_filter_rules_loaded_timestamp_seconds", "When the rules in force were put there.")
	f.held = register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "bendi_filter_held_bytes", Help: "What of an answer waits to be decided on, after each piece of it.", Buckets: heldBuckets,
	}, []string{"route"}))
	for _, result := range []string{"ok", "failed"} {
		f.reloads.WithLabelValues(result)
	}
	return f
}

// A Found is a finding without anything of the text.
type Found struct{ Route, Direction, Category, Action, Form string }

// Found counts a finding.
func (f *Filter) Found(x Found) {
	f.findings.WithLabelValues(x.Route, x.Direction, f.category(x.Category), x.Action, x.Form).Inc()
}

// category is a name, or other where there are too many.
func (f *Filter) category(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.categories[name] {
		if len(f.categories) >= mostCategories {
			return "other"
		}
		f.categories[name] = true
	}
	return name
}

// Held returns what is told how much of an answer of a route waits after each
// piece of it.
func (f *Filter) Held(route string) func(bytes int) {
	held := f.held.WithLabelValues(route)
	return func(bytes int) { held.Observe(float64(bytes)) }
}

// Shadowed counts what a lexicon in the shadow would have found: first says
// that it is the first time in this request or answer.
func (f *Filter) Shadowed(route, direction, lexicon string, first bool) {
	f.shadows.WithLabelValues(route, direction, lexicon).Inc()
	if first {
		f.shadowed.WithLabelValues(route, direction, lexicon).Inc()
	}
}

// Reloaded counts that lexicons were read again.
func (f *Filter) Reloaded(ok bool) {
	result := "ok"
	if !ok {
		result = "failed"
	}
	f.reloads.WithLabelValues(result).Inc()
}

// A Lexicon is one of those in force.
type Lexicon struct {
	Name, Version string
	Words         int
}

// InForce tells which lexicons are in force, since a Unix time.
func (f *Filter) InForce(since int64, lexicons []Lexicon) {
	f.words.Reset()
	seen := make(map[Lexicon]int)
	for _, l := range lexicons {
		key := Lexicon{Name: l.Name, Version: l.Version}
		if seen[key]++; seen[key] > 1 { // two files by one name and version
			l.Name += "#" + strconv.Itoa(seen[key])
		}
		f.words.WithLabelValues(l.Name, l.Version).Set(float64(l.Words))
	}
	f.updated.WithLabelValues().Set(float64(since))
}
