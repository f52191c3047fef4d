package main

import (
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// As much is lost as was asked for, in runs as long as was asked for.
func TestLoss(t *testing.T) {
	for _, tt := range []struct{ loss, burst float64 }{{0, 1}, {0.01, 1}, {0.03, 3}, {0.1, 5}} {
		l := &line{loss: tt.loss, burst: tt.burst}
		random := rand.New(rand.NewPCG(1, 2))
		const n = 1_000_000
		lost, runs, before := 0, 0, false
		for range n {
			now := l.loses(before, random)
			if now {
				lost++
				if !before {
					runs++
				}
			}
			before = now
		}
		if got := float64(lost) / n; math.Abs(got-tt.loss) > 0.05*tt.loss {
			t.Errorf("loss %v in runs of %v: %v were lost", tt.loss, tt.burst, got)
		}
		if want := max(tt.burst, 1/(1-tt.loss)); runs > 0 && math.Abs(float64(lost)/float64(runs)-want) > 0.05*want {
			t.Errorf("loss %v in runs of %v: the runs have %v in the mean", tt.loss, tt.burst, float64(lost)/float64(runs))
		}
	}
}

// A packet takes the delay of the line and its time on the wire, those behind
// it wait, and those for which there is no room are lost.
func TestDelayAndRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{delay: 80 * time.Millisecond, rate: 1, burst: 1, queue: 30 * time.Millisecond} // 1000 bytes take 8 ms
		in, feed := io.Pipe()
		out := make(stamps, 10)
		var n count
		go l.carry(in, out, 1, &n)
		begin := time.Now()
		for range 6 {
			feed.Write(make([]byte, 1000))
		}
		for i := range 4 {
			if got, want := (<-out).Sub(begin), time.Duration(88+8*i)*time.Millisecond; got != want {
				t.Errorf("packet %d came after %v, want %v", i, got, want)
			}
		}
		feed.Close()
		synctest.Wait()
		if n.carried.Load() != 4 || n.full.Load() != 2 {
			t.Errorf("%d carried, %d without room, want 4 and 2", n.carried.Load(), n.full.Load())
		}
	})
}

type stamps chan time.Time

func (s stamps) Write(p []byte) (int, error) {
	s <- time.Now()
	return len(p), nil
}
