package stats

import "math"

// cellCount bounds the memory of a tally. Units are spread over so many cells; a
// cell is as good as a unit, since a sum over several independent units is as
// independent of other sums as one unit is.
const cellCount = 1024

// cells hold the sums of units.
type cells struct {
	origin float64 // is subtracted from every value, so that squares lose no digits
	n      []float64
	s      []float64
	used   int

	ss, sn, nn float64 // sums over the cells of s*s, s*n and n*n
}

// cellOf returns the cell of a unit. The nth observation without one gets a cell
// as a unit of its own would.
func cellOf(unit string, nth int64) int {
	if unit == "" {
		return int(mix(uint64(nth)) % cellCount)
	}
	return int(hash(unit) % cellCount)
}

// hash is FNV-1a from a start of its own, so that it has nothing to do with the
// hash that arms are drawn with, and mixed at the end.
func hash(unit string) uint64 {
	h := uint64(14695981039346656037) ^ 0x63656c6c
	for i := range len(unit) {
		h = (h ^ uint64(unit[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the end of MurmurHash3: each bit of h changes about half of the result's.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// add adds an observation to a cell.
func (c *cells) add(i int, y float64) {
	if c.n == nil {
		c.n, c.s = make([]float64, cellCount), make([]float64, cellCount)
	}
	n0, s0 := c.n[i], c.s[i]
	if n0 == 0 {
		c.used++
	}
	n1, s1 := n0+1, s0+(y-c.origin)
	c.n[i], c.s[i] = n1, s1
	c.nn += n1*n1 - n0*n0
	c.sn += s1*n1 - s0*n0
	c.ss += s1*s1 - s0*s0
}

// residual returns the sum over the cells of (s - mean*n)².
func (c *cells) residual(mean float64) float64 {
	return max(0, c.ss-2*mean*c.sn+mean*mean*c.nn)
}

// units estimates how many units are in the cells, by how many are still empty.
func (c *cells) units() int64 {
	empty := max(float64(cellCount-c.used), 0.5)
	return max(int64(c.used), int64(math.Round(-cellCount*math.Log(empty/cellCount))))
}
