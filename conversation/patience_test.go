package conversation

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A store that is slow uses patience up in its time. A machine that keeps the
// program waiting does not, up to a second of it.
func TestPatience(t *testing.T) {
	const limit = 50 * time.Millisecond
	for _, tt := range []struct {
		name string
		late time.Duration // what each tick comes later
		want time.Duration
	}{
		{"a store that is slow", 0, limit},
		{"a machine that is busy", 10 * time.Millisecond, 7 * 15 * time.Millisecond}, // each tick counts as 7.5 ms
		{"a machine that stands still", 400 * time.Millisecond, 3 * 405 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPatience(t.Context(), limit)
				if tt.late > 0 {
					p.timer.Stop()
					go func() {
						for p.ctx.Err() == nil {
							time.Sleep(limit/ticks + tt.late)
							p.tick()
							p.timer.Stop() // we are the timer
						}
					}()
				}
				<-p.ctx.Done()
				if took := time.Since(p.begin); took != tt.want {
					t.Errorf("it ran out after %v, want %v", took, tt.want)
				}
				if spent := p.end(); tt.late == 0 && spent != limit {
					t.Errorf("%v was spent, want %v", spent, limit)
				}
			})
		})
	}
	p := newPatience(t.Context(), time.Hour)
	if spent := p.end(); spent > time.Minute || p.ctx.Err() != context.Canceled {
		t.Errorf("%v was spent at once, %v", spent, p.ctx.Err())
	}
}
