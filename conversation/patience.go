package conversation

import (
	"context"
	"sync"
	"time"
)

// A patience is how long somebody waits for the store. It runs out while this
// program runs: where the machine gives it no processor, and its own timers are
// late, that is no fault of the store, and what it has answered meanwhile is
// taken. A store that is slow is waited for as long as was said, and never for
// longer than a second more.
type patience struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu    sync.Mutex
	timer *time.Timer
	limit time.Duration
	spent time.Duration // of the limit, up to last
	begin time.Time
	last  time.Time
}

const (
	ticks       = 10          // that a patience is measured by
	mostStarved = time.Second // that it may last beyond its limit
)

func newPatience(ctx context.Context, limit time.Duration) *patience {
	p := &patience{limit: limit, begin: time.Now()}
	p.last = p.begin
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(limit/ticks, p.tick)
	return p
}

func (p *patience) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.spent += p.since(now)
	p.last = now
	if p.spent >= p.limit || now.Sub(p.begin) >= p.limit+mostStarved {
		p.cancel()
		return
	}
	p.timer.Reset(min(p.limit/ticks, p.limit-p.spent))
}

// since returns what of the time since the last tick counts. A tick that is
// late by more than half its time was kept waiting.
func (p *patience) since(now time.Time) time.Duration {
	return min(now.Sub(p.last), p.limit/ticks*3/2)
}

// end ends the patience and returns how much of it was spent.
func (p *patience) end() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
	p.cancel()
	return p.spent + p.since(time.Now())
}
