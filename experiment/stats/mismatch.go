package stats

import "math"

// Mismatch returns the always valid p-value of units that were drawn into arms by
// the weights given. A tiny one, such as 0.001, means that the draw is broken or
// that one arm loses its units: nothing else that the experiment says can be
// trusted then. Weights that have changed make a new draw: count again.
//
// It is the multinomial test of Lindon and Malek (2022), exact at every look. Its
// mixture is a Dirichlet distribution around the weights.
func Mismatch(units []int64, weights []float64) float64 {
	const concentration = 100
	total, n := 0.0, 0.0
	for i, w := range weights {
		total += w
		n += float64(units[i])
	}
	if total <= 0 || n == 0 {
		return 1
	}
	log := lgamma(concentration) - lgamma(concentration+n)
	for i, w := range weights {
		u := float64(units[i])
		if w <= 0 {
			if u > 0 {
				return 0 // nobody could be drawn into it
			}
			continue
		}
		share := w / total
		a := concentration * share
		log += lgamma(a+u) - lgamma(a) - u*math.Log(share)
	}
	return min(1, math.Exp(-log))
}
