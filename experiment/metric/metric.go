// Package metric has what is counted of each arm of an experiment, for the
// configuration that names some of it and the experiment that counts.
package metric

import "bendi/experiment/stats"

// Names of metrics that not every request has.
const (
	Feedback = "feedback"
	Votes    = "votes"
)

// All returns the metrics, the most telling first.
func All() []stats.Metric {
	return []stats.Metric{
		{Name: Feedback, Kind: stats.Mean, Better: stats.Higher},
		{Name: Votes, Kind: stats.Vote, Better: stats.Higher},
		{Name: "errors", Kind: stats.Rate, Better: stats.Lower},
		{Name: "gone", Kind: stats.Rate, Better: stats.Lower},
		{Name: "ttft", Kind: stats.LogMean, Better: stats.Lower, Unit: "ms"},
		{Name: "speed", Kind: stats.LogMean, Better: stats.Higher, Unit: "tokens/s"},
		{Name: "duration", Kind: stats.LogMean, Better: stats.Lower, Unit: "ms"},
		{Name: "filter_hits", Kind: stats.Rate, Better: stats.Lower},
		{Name: "refusals", Kind: stats.Rate, Better: stats.Neither},
		{Name: "refusal_phrases", Kind: stats.Rate, Better: stats.Neither},
		{Name: "tokens", Kind: stats.LogMean, Better: stats.Neither},
		{Name: "length", Kind: stats.LogMean, Better: stats.Neither, Unit: "characters"},
		{Name: "cost", Kind: stats.Mean, Better: stats.Lower},
	}
}

// Names returns the names of the metrics.
func Names() []string {
	var names []string
	for _, m := range All() {
		names = append(names, m.Name)
	}
	return names
}
