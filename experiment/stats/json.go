package stats

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
)

// tallyJSON is a Tally on the wire. Cells and marks are pairs and triples, to be
// short.
type tallyJSON struct {
	Kind   Kind         `json:"kind"`
	N      int64        `json:"n"`
	Mean   float64      `json:"mean"`
	M2     float64      `json:"m2"`
	Min    float64      `json:"min"`
	Max    float64      `json:"max"`
	Origin float64      `json:"origin,omitempty"`
	Cells  [][3]float64 `json:"cells,omitempty"` // number, observations, sum less origin
	Marks  [][2]int64   `json:"marks,omitempty"` // of the sketch: mark, count
}

// MarshalJSON writes all that the tally knows, for another process to merge.
func (t *Tally) MarshalJSON() ([]byte, error) {
	j := tallyJSON{Kind: t.kind, N: t.n, Mean: t.mean, M2: t.m2, Min: t.min, Max: t.max, Origin: t.cells.origin}
	for i, n := range t.cells.n {
		if n > 0 {
			j.Cells = append(j.Cells, [3]float64{float64(i), n, t.cells.s[i]})
		}
	}
	for _, m := range slices.Sorted(maps.Keys(t.sketch.marks)) {
		j.Marks = append(j.Marks, [2]int64{int64(m), t.sketch.marks[m]})
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON has written.
func (t *Tally) UnmarshalJSON(data []byte) error {
	var j tallyJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("reading a tally: %w", err)
	}
	if err := j.check(); err != nil {
		return fmt.Errorf("reading a tally: %w", err)
	}
	read := Tally{kind: j.Kind, n: j.N, mean: j.Mean, m2: j.M2, min: j.Min, max: j.Max}
	read.cells.origin = j.Origin
	for _, c := range j.Cells {
		read.cells.put(int(c[0]), c[1], c[2])
	}
	if len(j.Marks) > 0 {
		read.sketch.marks = make(map[int]int64, len(j.Marks))
	}
	for _, m := range j.Marks {
		read.sketch.marks[int(m[0])] += m[1]
	}
	*t = read
	return nil
}

// check returns what no tally can be like. What passes can be computed with.
func (j *tallyJSON) check() error {
	limit := largest // of what is averaged
	switch j.Kind {
	case Mean:
	case LogMean:
		limit = math.Log(largest)
	case Rate, Vote:
		limit = 1
	default:
		return fmt.Errorf("kind %q is none of %s, %s, %s, %s", j.Kind, Mean, LogMean, Rate, Vote)
	}
	within := func(x, limit float64) bool { return math.Abs(x) <= limit }
	least := -largest
	if j.Kind != Mean {
		least = 0
	}
	n := float64(j.N)
	if j.N < 0 || !within(j.Mean, limit) || !within(j.Origin, limit) || !(j.M2 >= 0 && j.M2 <= 4*limit*limit*n) ||
		!(least <= j.Min && j.Min <= j.Max && j.Max <= largest) {
		return fmt.Errorf("n %d, mean %v, m2 %v, min %v, max %v and origin %v are not those of a %s", j.N, j.Mean, j.M2, j.Min, j.Max, j.Origin, j.Kind)
	}
	if j.Kind != LogMean && !(j.Mean >= j.Min-1e-9*limit && j.Mean <= j.Max+1e-9*limit) {
		return fmt.Errorf("the mean %v is not between %v and %v", j.Mean, j.Min, j.Max)
	}
	inCells, inMarks := 0.0, int64(0)
	for _, c := range j.Cells {
		if !(c[0] >= 0 && c[0] < cellCount) || c[0] != math.Trunc(c[0]) || !(c[1] >= 1 && c[1] <= n) || !within(c[2], 2*limit*c[1]) {
			return fmt.Errorf("cell %v has %v observations and a sum of %v; want cells 0 to %d with 1 observation at least", c[0], c[1], c[2], cellCount-1)
		}
		inCells += c[1]
	}
	for _, m := range j.Marks {
		if m[1] < 1 || m[1] > j.N || !within(float64(m[0]), float64(markOf(largest))) {
			return fmt.Errorf("mark %d has %d observations; want 1 to %d", m[0], m[1], j.N)
		}
		inMarks += m[1]
	}
	if inCells != n {
		return fmt.Errorf("its cells hold %v observations, and it says %d", inCells, j.N)
	}
	if (j.Kind == Mean || j.Kind == LogMean) && inMarks != j.N {
		return fmt.Errorf("its marks hold %d observations, and it says %d", inMarks, j.N)
	}
	return nil
}
