package stats

import "maps"

// MaxDrawn is how many units a Draw remembers. A draw that is right for so many is
// right; those that come later are not looked at.
const MaxDrawn = 1 << 16

// A Draw counts which units were drawn into which arms, each once, to tell whether
// the draw follows the weights. Its zero value is empty. A shadow arm, which
// everybody is in, has no place here.
type Draw struct {
	arms  map[uint64]string // by unit
	units map[string]int64
	moved int64
}

// Add notes that a unit was seen in the arm. A unit counts where it was seen
// first.
func (d *Draw) Add(arm, unit string) {
	if d.arms == nil {
		d.arms, d.units = map[uint64]string{}, map[string]int64{}
	}
	h := hash(unit)
	was, ok := d.arms[h]
	switch {
	case ok && was != arm:
		d.moved++
		d.arms[h] = arm
	case !ok && len(d.arms) < MaxDrawn:
		d.arms[h] = arm
		d.units[arm]++
	}
}

// Units returns how many units each arm has seen first.
func (d *Draw) Units() map[string]int64 { return maps.Clone(d.units) }

// Full reports whether further units are not looked at.
func (d *Draw) Full() bool { return len(d.arms) >= MaxDrawn }

// Moved returns how often a unit was seen in another arm than before: what is
// known of it tells of two arms at once then.
func (d *Draw) Moved() int64 { return d.moved }

// Mismatch returns the p-value of Mismatch for the weights given, by arm. Weights
// that have changed begin a new Draw.
func (d *Draw) Mismatch(weights map[string]float64) float64 {
	var n []int64
	var w []float64
	for arm, weight := range weights {
		n = append(n, d.units[arm])
		w = append(w, weight)
	}
	return Mismatch(n, w)
}
