package benchtable

import (
	"math"
	"slices"
	"time"
)

// Percentile returns the value below which p of 100 of the samples lie, by
// linear interpolation between the two nearest; NaN without samples.
func Percentile(samples []float64, p float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(samples))
	at := p / 100 * float64(len(s)-1)
	i := int(at)
	if i+1 == len(s) {
		return s[i]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}

// Median returns the value in the middle.
func Median(samples []float64) float64 { return Percentile(samples, 50) }

// Milliseconds converts durations for the functions above.
func Milliseconds(list []time.Duration) []float64 {
	out := make([]float64, len(list))
	for i, d := range list {
		out[i] = d.Seconds() * 1000
	}
	return out
}
