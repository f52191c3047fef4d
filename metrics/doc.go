// Package metrics makes Prometheus metrics of what the house does.
//
// An [Engine] is the worker's side: it is told of each token and each step.
// A [Gateway] is the other: requests as clients see them, and the state of the
// workers, whose own metrics it fetches whenever it is asked for all.
//
// The names are vLLM's with our prefix, and mean the same, in the same buckets.
// A label holds a route, a model, a backend, a status or a reason: names that
// the configuration or this program has given, never a key, nor anything that a
// client wrote. Categories of the filter come from lexicons; there are not more
// of them than a scrape can bear.
package metrics
