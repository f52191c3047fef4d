package experiment

import (
	"time"
	"unicode/utf8"

	"bendi/chat"
	"bendi/experiment/metric"
	"bendi/experiment/stats"
	"bendi/ledger"
)

// An Observation is what is kept of a request that counts. It has no words:
// names are keyed hashes.
type Observation struct {
	At      time.Time      `json:"at"`
	Arm     string         `json:"arm"`
	Unit    string         `json:"unit"`
	IDs     []string       `json:"ids,omitempty"` // of the request and of its answer, each with who asked
	Outcome ledger.Outcome `json:"outcome"`
	Code    string         `json:"code,omitempty"` // of an error
	Backend string         `json:"backend,omitempty"`

	First  time.Duration `json:"first,omitempty"` // nanoseconds
	Total  time.Duration `json:"total"`
	Prompt int           `json:"prompt,omitempty"`
	Tokens int           `json:"tokens,omitempty"`
	Runes  int           `json:"runes,omitempty"`

	Cost     *float64 `json:"cost,omitempty"`
	Filtered bool     `json:"filtered,omitempty"` // the filter found something in the answer
	Refused  bool     `json:"refused,omitempty"`  // by the protocol, or as content_filter
	Phrase   bool     `json:"phrase,omitempty"`   // it begins as refusals do
}

// Failed reports whether the request ended in an error.
func (o *Observation) Failed() bool { return o.Outcome == ledger.Failed }

// observe sums an entry up, that the client or nobody has seen.
func (p *Plan) observe(e *ledger.Entry, arm string) *Observation {
	o := &Observation{
		At: e.Start.Add(e.Total), Arm: arm, Unit: e.Unit, Outcome: e.Outcome, Backend: e.Backend,
		First: e.First, Total: e.Total, Prompt: e.Usage.PromptTokens, Tokens: e.Usage.CompletionTokens, Runes: e.Runes,
		Filtered: e.Answer != nil, Refused: e.Refusal || e.Finish == chat.ContentFilter, Phrase: e.Phrase,
	}
	if o.Failed() {
		o.Code = e.Code()
	}
	price, ok := p.Prices[e.Backend]
	if !ok {
		price, ok = p.Prices[e.Model] // which the route answers by itself
	}
	if ok && e.Usage != (chat.Usage{}) {
		o.Cost = new((float64(e.Usage.PromptTokens)*price.Prompt + float64(e.Usage.CompletionTokens)*price.Completion) / 1e6)
	}
	return o
}

// A tally counts one arm.
type tally struct {
	requests int
	metrics  map[string]*stats.Tally
}

func newTally() *tally {
	t := &tally{metrics: make(map[string]*stats.Tally)}
	for _, m := range metric.All() {
		t.metrics[m.Name] = stats.NewTally(m.Kind)
	}
	return t
}

// add counts a request. What a request that failed or was left says of speed,
// length and refusals is not about the answer, and is not counted.
func (t *tally) add(o *Observation) {
	t.requests++
	put := func(name string, x float64) {
		t.metrics[name].Add(o.Unit, x) // which leaves out what is no number above 0, where the metric wants one
	}
	share := func(name string, is bool) {
		x := 0.0
		if is {
			x = 1
		}
		put(name, x)
	}
	share("errors", o.Failed())
	share("gone", o.Outcome == ledger.Gone)
	share("filter_hits", o.Filtered)
	if o.First > 0 {
		put("ttft", ms(o.First))
	}
	if o.Cost != nil {
		put("cost", *o.Cost)
	}
	if o.Outcome != ledger.Success {
		return
	}
	put("duration", ms(o.Total))
	share("refusals", o.Refused)
	share("refusal_phrases", o.Phrase)
	put("tokens", float64(o.Tokens))
	put("length", float64(o.Runes))
	if took := o.Total - o.First; o.First > 0 && o.Tokens >= leastForSpeed && took > 0 {
		put("speed", float64(o.Tokens-1)/took.Seconds())
	}
}

// leastForSpeed is how many tokens an answer has of which a speed is told: of a
// few that come at once it would be any.
const leastForSpeed = 8

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// longestComment is the length of the longest comment that is taken, in bytes.
const longestComment = 4096

// A Score is feedback about one answer.
type Score struct {
	At      time.Time `json:"at"`
	Arm     string    `json:"arm"`
	Unit    string    `json:"unit"`
	ID      string    `json:"id"` // of the answer, as in the observation
	Score   *float64  `json:"score,omitempty"`
	Tags    []string  `json:"tags,omitempty"`
	Comment string    `json:"comment,omitempty"`
}

// A Vote says which of two answers is the better one.
type Vote struct {
	At     time.Time `json:"at"`
	Unit   string    `json:"unit"`
	A      string    `json:"a"` // arms
	B      string    `json:"b"`
	ID     string    `json:"id"`     // of the pair of answers
	Winner string    `json:"winner"` // a, b or tie
}

func validComment(s string) bool { return len(s) <= longestComment && utf8.ValidString(s) }
