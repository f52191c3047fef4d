package router

import (
	"cmp"
	"math/bits"
	"math/rand/v2"
	"sync"
	"time"

	"bendi/chat"
)

// BreakerOptions say when a backend is left alone, and for how long. Each zero
// is a default.
type BreakerOptions struct {
	Failures    int           // in a row that open it; 5. Half of the last 20 do so too
	Cooldown    time.Duration // the first time; 1 s. It doubles while the backend does not recover
	MaxCooldown time.Duration // 60 s
	SlowStart   time.Duration // how long its share grows after it has recovered; 10 s
}

func (o BreakerOptions) orDefaults() BreakerOptions {
	return BreakerOptions{
		Failures:    cmp.Or(o.Failures, 5),
		Cooldown:    cmp.Or(o.Cooldown, time.Second),
		MaxCooldown: cmp.Or(o.MaxCooldown, time.Minute),
		SlowStart:   cmp.Or(o.SlowStart, 10*time.Second),
	}
}

const (
	recentOutcomes = 20        // of which half must be faults
	slowestShare   = 0.1       // of a backend that has recovered just now
	maxPark        = time.Hour // whatever a backend asks for
)

// A breaker keeps requests away from a backend that keeps failing.
//
//	closed  --failures in a row, or half of the last 20--> open
//	open    --cooldown passes, allow--> probing (one request at a time)
//	probing --first token--> closed, with a small share that grows
//	        --fault--> open, for twice as long
//	        --learnt nothing--> open, cooldown over
//
// It may be parked in any state: a backend that says when to come again is left
// alone until then, which is no fault of its.
type breaker struct {
	BreakerOptions

	mu       sync.Mutex // guards what follows
	state    breakerState
	era      uint64 // grows with each change of state
	failures int    // in a row
	recent   uint32 // the last outcomes, the newest lowest; 1 is a fault
	seen     int    // how many of them there were
	opened   int    // times, without a recovery that lasted
	until    time.Time
	parked   time.Time
	healed   time.Time // when it was closed last
	down     bool      // the last free probe failed
	faults   map[chat.Kind]uint64
}

type breakerState uint8

const (
	closed breakerState = iota
	open
	probing
)

var breakerStates = [...]string{closed: "closed", open: "open", probing: "probing"}

// A pass is the right to send a request, and how to tell what came of it. What
// a pass of an earlier era tells is old news.
type pass struct {
	breaker *breaker
	era     uint64
}

// allow returns a pass, or for how long there will be none at least.
func (b *breaker) allow(now time.Time) (p pass, no Reason, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if no, wait = b.refusal(now); no != "" {
		return pass{}, no, wait
	}
	if b.state == open {
		b.enter(probing)
	}
	return pass{b, b.era}, "", 0
}

// peek is allow, for somebody who sends nothing.
func (b *breaker) peek(now time.Time) (state breakerState, share float64, no Reason, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	no, wait = b.refusal(now)
	return b.state, b.share(now), no, wait
}

// refusal says why there is no pass now. b.mu is held.
func (b *breaker) refusal(now time.Time) (Reason, time.Duration) {
	switch {
	case now.Before(b.parked):
		return Resting, b.parked.Sub(now)
	case b.state == open && now.Before(b.until):
		return Open, b.until.Sub(now)
	case b.state == probing:
		return Probing, b.Cooldown
	}
	return "", 0
}

// alive tells that the first token has come.
func (p *pass) alive() {
	b := p.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.era == b.era && b.state == probing {
		b.enter(closed)
		b.healed = time.Now()
		p.era = b.era // how the answer ends is news of the new era
	}
}

// whole tells that the answer was.
func (p *pass) whole() {
	p.alive()
	b := p.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.era != b.era {
		return
	}
	b.failures = 0
	b.count(0)
	if time.Since(b.healed) > b.SlowStart {
		b.opened = 0
	}
}

// fault tells of a failure of the backend's, which may have said when it can be
// asked again.
func (p *pass) fault(kind chat.Kind, again time.Duration) {
	b := p.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.faults == nil {
		b.faults = make(map[chat.Kind]uint64)
	}
	b.faults[kind]++
	if p.era != b.era {
		return
	}
	b.failures++
	b.count(1)
	half := b.seen == recentOutcomes && bits.OnesCount32(b.recent)*2 >= recentOutcomes
	if b.state == probing || b.failures >= b.Failures || half {
		b.trip(again)
	}
}

// nothing tells that nothing was learnt: the client has left, or was at fault.
func (p *pass) nothing() {
	b := p.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.era == b.era && b.state == probing {
		b.enter(open) // the cooldown is over: the next request may probe
	}
}

// park leaves the backend alone for so long.
func (b *breaker) park(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := time.Now().Add(min(d, maxPark)); until.After(b.parked) {
		b.parked = until
	}
}

// probed tells what a free probe said. That a backend is there does not mean
// that it can answer: only that it is there again is news.
func (b *breaker) probed(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.down
	b.down = err != nil
	switch {
	case err == nil && was && b.state == open:
		b.until = time.Now()
	case err != nil && b.state == open:
		b.until = time.Now().Add(b.MaxCooldown) // or until a probe succeeds
	case err != nil && b.state == closed:
		if b.failures++; b.failures >= b.Failures {
			b.trip(0)
		}
	}
}

// trip opens the breaker. b.mu is held.
func (b *breaker) trip(atLeast time.Duration) {
	d := b.Cooldown
	for range b.opened {
		if d = 2 * d; d >= b.MaxCooldown {
			break
		}
	}
	d = time.Duration(float64(d) * (0.75 + rand.Float64()/2)) // not all gateways at once
	b.opened++
	b.until = time.Now().Add(max(min(d, b.MaxCooldown), min(atLeast, maxPark)))
	b.enter(open)
}

// enter changes the state. b.mu is held.
func (b *breaker) enter(s breakerState) {
	b.state = s
	b.era++
	b.failures, b.recent, b.seen = 0, 0, 0
}

// count notes an outcome. b.mu is held.
func (b *breaker) count(fault uint32) {
	b.recent = (b.recent<<1 | fault) & (1<<recentOutcomes - 1)
	b.seen = min(b.seen+1, recentOutcomes)
}

// share returns which part of its requests the backend gets. b.mu is held.
func (b *breaker) share(now time.Time) float64 {
	if b.healed.IsZero() {
		return 1
	}
	return min(1, max(slowestShare, float64(now.Sub(b.healed))/float64(b.SlowStart)))
}

func (b *breaker) status(now time.Time) Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Status{State: breakerStates[b.state], Share: b.share(now), Faults: make(map[chat.Kind]uint64)}
	if b.state == open && now.Before(b.until) {
		s.Until = b.until
	}
	if now.Before(b.parked) && b.parked.After(s.Until) {
		s.Until = b.parked
	}
	for kind, n := range b.faults {
		s.Faults[kind] = n
	}
	return s
}
