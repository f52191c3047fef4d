package engine

import "math"

// expSum returns the sum of e^(l-best) over logits, none of which is above
// best, to within some 1e-8 of it. Calling [math.Exp] for each would take most
// of the time of a draw from a large vocabulary.
//
// e^d is 2^(n/256) * e^r with |r| < 0.0014, so that a table and three terms of
// the series will do.
func expSum(logits []float32, best float32) float64 {
	const negligible = -30 // e^d of a whole vocabulary is lost in the sum
	a, b := 0.0, 0.0       // two sums, which do not wait for each other
	for i, l := range logits {
		d := float64(l - best)
		if !(d > negligible) { // NaN too
			continue
		}
		n := int(d*(256/math.Ln2) - 0.5) // the nearest: d is not above 0
		r := d - float64(n)*(math.Ln2/256)
		e := powers[n&255] * (1 + r*(1+r*0.5))
		e *= math.Float64frombits(uint64(1023+n>>8) << 52)
		if i&1 == 0 {
			a += e
		} else {
			b += e
		}
	}
	return a + b
}

// powers holds 2^(i/256).
var powers = func() (t [256]float64) {
	for i := range t {
		t[i] = math.Exp2(float64(i) / 256)
	}
	return t
}()
