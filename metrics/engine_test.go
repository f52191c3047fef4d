package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"bendi/inference/watch"
)

// A source is an engine at a moment.
type source struct{ view watch.View }

func (s source) Load() (running, waiting int) { return len(s.view.Sequences), s.view.Waiting }
func (s source) View() watch.View             { return s.view }

// read returns what h serves.
func read(t testing.TB, h http.Handler) string {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(rec.Result().Body)
	if err != nil || rec.Code != http.StatusOK {
		t.Fatalf("status %d, %v: %s", rec.Code, err, body)
	}
	return string(body)
}

// want checks that a text has each of these lines.
func want(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			name, _, _ := strings.Cut(line, "{")
			t.Errorf("there is no line\n%s\nthese are:\n%s", line, strings.Join(regexp.MustCompile("(?m)^"+name+".*$").FindAllString(text, -1), "\n"))
		}
	}
}

// play tells o of a choice: when it began, got its tokens and ended, after its
// arrival, and why.
func play(o watch.Observer, prompt, cached int, why watch.Reason, began time.Duration, tokens []time.Duration, ended time.Duration) {
	arrived := time.Unix(1_700_000_000, 0)
	p := &watch.Progress{Arrived: arrived, Prompt: prompt, Cached: cached}
	if began >= 0 {
		p.Began = arrived.Add(began)
		o.Began(p)
	}
	for i, at := range tokens {
		if i == 0 {
			p.First = arrived.Add(at)
		} else {
			p.Gap = arrived.Add(at).Sub(p.Latest)
		}
		p.Latest = arrived.Add(at)
		p.Generated++
		o.Token(p)
	}
	p.Ended, p.Reason = arrived.Add(ended), why
	o.Ended(p)
}

func TestEngineMeansWhatVLLMMeans(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	e := NewEngine()
	base, service := e.Model("tiny"), e.Model("tiny:service")
	play(base, 100, 64, watch.Stop, 500*ms, []time.Duration{2 * s, 2*s + 20*ms, 2*s + 60*ms}, 3*s)
	play(base, 50, 0, watch.Length, 0, []time.Duration{1 * s}, 1*s)
	play(base, 10, 0, watch.Abort, 0, []time.Duration{7 * s}, 90*s)
	play(base, 7, 0, watch.Abort, -1, nil, 90*s) // never had a slot
	play(base, 3, 0, watch.Failed, 0, nil, 90*s)
	play(base, 5, 5, watch.Stop, 0, nil, 1*s) // ended its turn at once
	service.Step(watch.Step{Whole: 30 * ms, Decode: 20 * ms, Sample: 5 * ms, Prompt: 60, Drawn: 4})
	e.Read("tiny", source{watch.View{
		Slots: 4, Waiting: 3, Preempted: 2, Sequences: make([]watch.Slot, 2),
		Cache: watch.Cache{Cells: 1000, Running: 250, Kept: 125, Prefixes: 1},
	}})
	want(t, read(t, e.Handler()),
		`bendi_num_requests_running{model="tiny"} 2`,
		`bendi_num_requests_waiting{model="tiny"} 3`,
		`bendi_num_slots{model="tiny"} 4`,
		`bendi_kv_cache_usage_perc{model="tiny"} 0.25`,
		`bendi_kv_cache_kept_perc{model="tiny"} 0.125`,
		`bendi_num_preemptions_total{model="tiny"} 2`,
		`bendi_prompt_tokens_total{model="tiny"} 168`,
		`bendi_prefix_cache_queries_total{model="tiny"} 168`,
		`bendi_prefix_cache_hits_total{model="tiny"} 69`,
		`bendi_generation_tokens_total{model="tiny"} 5`,
		`bendi_request_success_total{finished_reason="stop",model="tiny"} 2`,
		`bendi_request_success_total{finished_reason="length",model="tiny"} 1`,
		`bendi_request_success_total{finished_reason="abort",model="tiny"} 2`,
		`bendi_request_success_total{finished_reason="error",model="tiny"} 1`,
		`bendi_time_to_first_token_seconds_sum{model="tiny"} 10`,
		`bendi_time_to_first_token_seconds_count{model="tiny"} 3`,
		`bendi_inter_token_latency_seconds_bucket{model="tiny",le="0.025"} 1`,
		`bendi_inter_token_latency_seconds_bucket{model="tiny",le="0.05"} 2`,
		`bendi_inter_token_latency_seconds_count{model="tiny"} 2`,
		`bendi_e2e_request_latency_seconds_sum{model="tiny"} 5`,
		`bendi_e2e_request_latency_seconds_count{model="tiny"} 3`,
		`bendi_request_queue_time_seconds_sum{model="tiny"} 0.5`,
		`bendi_request_queue_time_seconds_count{model="tiny"} 3`,
		`bendi_request_prefill_time_seconds_sum{model="tiny"} 3.5`,
		`bendi_request_decode_time_seconds_sum{model="tiny"} 0.06`,
		`bendi_request_decode_time_seconds_count{model="tiny"} 2`,
		`bendi_generation_tokens_total{model="tiny:service"} 0`, // a rate of nothing is 0
		`bendi_iteration_tokens_total_sum{model="tiny:service"} 64`,
		`bendi_engine_step_seconds_sum{model="tiny:service"} 0.03`,
		`bendi_engine_decode_seconds_sum{model="tiny:service"} 0.02`,
		`bendi_engine_sample_seconds_sum{model="tiny:service"} 0.005`,
	)
}

// Watching allocates nothing.
func TestWatchingAllocatesNothing(t *testing.T) {
	o := NewEngine().Model("tiny")
	p := &watch.Progress{Generated: 2, Gap: time.Millisecond, Reason: watch.Stop}
	if n := testing.AllocsPerRun(100, func() {
		o.Began(p)
		o.Token(p)
		o.Step(watch.Step{Whole: time.Millisecond})
		o.Ended(p)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// What a token costs, with its share of a step that draws only this one: the
// dearest there is.
func BenchmarkToken(b *testing.B) {
	o := NewEngine().Model("tiny")
	p := &watch.Progress{Generated: 2}
	for b.Loop() {
		p.Gap += 10 * time.Microsecond
		o.Token(p)
		o.Step(watch.Step{Whole: p.Gap, Decode: p.Gap, Sample: p.Gap, Drawn: 1})
	}
	perToken := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(perToken), "ns/token")
	if b.N > 1000 && perToken > time.Microsecond {
		b.Errorf("%v for each token, want less than 1 µs", perToken)
	}
}
