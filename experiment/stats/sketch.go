package stats

import (
	"maps"
	"math"
	"slices"
)

// growth is the ratio of a sketch's neighbouring marks: a quantile is at most 1 %
// off.
const growth = 1.02

// A sketch counts values by their magnitude, as DDSketch does (Masson, Rim and
// Lee, 2019).
type sketch struct {
	marks map[int]int64 // a positive value's power of growth, counted from offset; negative values mirrored
}

// offset keeps the marks of tiny values positive, so that their sign tells that of
// the value. Zero has mark 0.
const offset = 1 << 16

func (s *sketch) add(x float64) {
	if s.marks == nil {
		s.marks = map[int]int64{}
	}
	s.marks[markOf(x)]++
}

// at returns the value of the given rank, from 0 for the least.
func (s *sketch) at(rank float64) float64 {
	marks := slices.Sorted(maps.Keys(s.marks))
	seen := 0.0
	for _, m := range marks {
		if seen += float64(s.marks[m]); rank < seen {
			return valueOf(m)
		}
	}
	if len(marks) == 0 {
		return 0
	}
	return valueOf(marks[len(marks)-1])
}

func markOf(x float64) int {
	switch {
	case x > 0:
		return offset + int(math.Round(math.Log(x)/math.Log(growth)))
	case x < 0:
		return -markOf(-x)
	}
	return 0
}

func valueOf(mark int) float64 {
	switch {
	case mark > 0:
		return math.Pow(growth, float64(mark-offset))
	case mark < 0:
		return -valueOf(-mark)
	}
	return 0
}
