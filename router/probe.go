package router

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Watch has the free probes of backends run about so often, until ctx ends. A
// probe that fails counts as a failure; one that succeeds after others failed
// lets the next request try the backend. No probe ever asks for an answer: that
// is left to requests that want one.
func Watch(ctx context.Context, every time.Duration, backends ...*Backend) {
	for {
		var wg sync.WaitGroup
		for _, b := range backends {
			if b.Probe != nil {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(ctx, every)
					defer cancel()
					err := b.Probe(ctx)
					if ctx.Err() == nil || context.Cause(ctx) == context.DeadlineExceeded {
						b.breaker.probed(err)
					}
				})
			}
		}
		wg.Wait()
		if sleep(ctx, time.Duration(float64(every)*(0.8+0.4*rand.Float64()))) != nil {
			return
		}
	}
}

// sleep waits, or returns the cause of ctx's end.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
