package report_test

import (
	"testing"
	"time"

	"bendi/experiment/report"
)

// However long an experiment runs, its trails are short, go on to its end, and
// have their points in order of time.
func TestFollower(t *testing.T) {
	e := experiment(ran(t, "base", 1, 400, 1, 0.1), ran(t, "tuned", 1, 400, 1.2, 0.1))
	var f report.Follower
	r := report.New(e)
	for i := range 20_000 {
		if f.Due() {
			r.At = day.Add(time.Duration(i) * time.Second)
			f.Follow(r)
		}
	}
	trails := f.Trails()
	if len(trails) != 4 { // feedback has too few data
		t.Errorf("%d trails, want 4", len(trails))
	}
	for _, trail := range trails {
		n := len(trail.Points)
		if n < 60 || n >= 128 {
			t.Errorf("%s: %d points, want 64 to 127", trail.Metric, n)
		}
		if last := trail.Points[n-1].At.Sub(day); last < 19_600*time.Second {
			t.Errorf("%s: the last point is from %v, of 20,000 s", trail.Metric, last)
		}
		for i := range n - 1 {
			if !trail.Points[i].At.Before(trail.Points[i+1].At) {
				t.Errorf("%s: point %d is from %v, the next from %v", trail.Metric, i, trail.Points[i].At, trail.Points[i+1].At)
			}
		}
	}
}
