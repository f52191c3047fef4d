package scan

import "math"

// Block is how many logits have a peak in common.
const Block = 64

// Peaks appends to dst the largest of every Block of x, and of what is left at
// its end. NaN counts as -Inf. Who looks for the largest of all looks where they
// are.
func Peaks(dst, x []float32) []float32 {
	n := len(dst)
	whole := len(x) / Block
	if need := n + whole + 1; cap(dst) < need {
		dst = append(make([]float32, 0, need), dst...)
	}
	dst = dst[:n+whole]
	if vectors && whole > 0 {
		peaksAVX2(&dst[n], &x[0], whole)
	} else {
		peaks(dst[n:], x)
	}
	if rest := x[whole*Block:]; len(rest) > 0 {
		dst = append(dst, peak(rest))
	}
	return dst
}

func peaks(dst, x []float32) {
	for i := range dst {
		dst[i] = peak(x[i*Block:][:Block])
	}
}

func peak(x []float32) float32 {
	most := float32(math.Inf(-1))
	for _, l := range x {
		if l > most {
			most = l
		}
	}
	return most
}

// SumExp returns the sum of e^((l-most)*scale) over x, none of which is above
// most, to within some 1e-7 of it. NaN counts as -Inf.
func SumExp(x []float32, most, scale float32) float64 {
	sum := 0.0
	if whole := len(x) &^ 15; vectors && whole > 0 {
		sum, x = sumExpAVX2(&x[0], whole/16, most, scale), x[whole:]
	}
	return sum + sumExp(x, most, scale)
}

// sumExp computes e^d as 2^(n/256) * e^r with |r| < 0.0014, so that a table and
// three terms of the series will do.
func sumExp(x []float32, most, scale float32) float64 {
	const negligible = -30 // e^d of a whole vocabulary is lost in the sum
	a, b := 0.0, 0.0       // two sums, which do not wait for each other
	for i, l := range x {
		d := float64((l - most) * scale)
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
