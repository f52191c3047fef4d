package report

import "slices"

// mostPoints is how many points a trail has before every second is dropped.
const mostPoints = 128

// A Follower writes down how the comparisons of an experiment come to be, in so
// many points at most that they can be drawn. Its zero value is at the beginning.
//
// Call Due for each observation and, where it says so, Follow.
type Follower struct {
	seen, stride int64
	looks        int
	trails       []Trail
}

// Due counts an observation, and reports whether it is time for a point.
func (f *Follower) Due() bool {
	f.seen++
	return f.seen%max(f.stride, 1) == 0
}

// Follow adds a point to the trail of each comparison that decides. The points of
// a trail are as many observations apart as another; the distance grows.
func (f *Follower) Follow(r *Report) {
	for _, row := range r.Metrics {
		for _, c := range row.Arms {
			if row.Decides && c.Estimate != nil {
				t := f.trail(row.Name, c.Name)
				t.Points = append(t.Points, Point{r.At, *c.Estimate, *c.Interval})
			}
		}
	}
	if f.looks++; f.looks < mostPoints {
		return
	}
	for i := range f.trails {
		points := f.trails[i].Points
		for k := range len(points) / 2 {
			points[k] = points[2*k+1]
		}
		f.trails[i].Points = points[:len(points)/2]
	}
	f.looks /= 2
	f.stride = 2 * max(f.stride, 1)
}

// Trails returns what was written down.
func (f *Follower) Trails() []Trail {
	all := make([]Trail, len(f.trails))
	for i, t := range f.trails {
		all[i] = Trail{t.Metric, t.Arm, slices.Clone(t.Points)}
	}
	return all
}

func (f *Follower) trail(metric, arm string) *Trail {
	for i := range f.trails {
		if t := &f.trails[i]; t.Metric == metric && t.Arm == arm {
			return t
		}
	}
	f.trails = append(f.trails, Trail{Metric: metric, Arm: arm})
	return &f.trails[len(f.trails)-1]
}
