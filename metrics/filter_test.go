package metrics

import (
	"fmt"
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	g := NewGateway("1.2.3", nil)
	f := g.Filter
	for range 2 {
		f.Found(Found{"/v1/chat", "request", "fraud", "block", "plain"})
	}
	f.Shadowed("/v1/chat", "answer", "new", true)
	f.Shadowed("/v1/chat", "answer", "new", false)
	f.Reloaded(true)
	held := f.Held("/v1/chat")
	held(0)
	held(6)
	f.InForce(7, []Lexicon{{"old", "1", 5}})
	f.InForce(8, []Lexicon{{"words", "2", 10}, {"words", "2", 20}})
	text := read(t, g.Handler())
	want(t, text,
		`bendi_filter_findings_total{action="block",category="fraud",direction="request",form="plain",route="/v1/chat"} 2`,
		`bendi_filter_shadow_findings_total{direction="answer",lexicon="new",route="/v1/chat"} 2`,
		`bendi_filter_shadow_requests_total{direction="answer",lexicon="new",route="/v1/chat"} 1`,
		`bendi_filter_reloads_total{result="ok"} 1`,
		`bendi_filter_held_bytes_bucket{route="/v1/chat",le="3"} 1`,
		`bendi_filter_held_bytes_sum{route="/v1/chat"} 6`,
		`bendi_filter_reloads_total{result="failed"} 0`,
		`bendi_filter_words{lexicon="words",version="2"} 10`,
		`bendi_filter_words{lexicon="words#2",version="2"} 20`,
		`bendi_filter_rules_loaded_timestamp_seconds 8`,
	)
	if strings.Contains(text, `lexicon="old"`) {
		t.Error("what is no longer in force is still told")
	}
}

// However many categories there are, there are not more labels than a scrape
// can bear.
func TestFilterBoundsItsLabels(t *testing.T) {
	g := NewGateway("1.2.3", nil)
	for i := range 10 * mostCategories {
		g.Filter.Found(Found{"/v1/chat", "answer", fmt.Sprint("second.", i), "log", "plain"})
	}
	text := read(t, g.Handler())
	if n := strings.Count(text, "\nbendi_filter_findings_total{"); n != mostCategories+1 {
		t.Errorf("%d series, want %d", n, mostCategories+1)
	}
	want(t, text, fmt.Sprintf(`bendi_filter_findings_total{action="log",category="other",direction="answer",form="plain",route="/v1/chat"} %d`, 9*mostCategories))
}
