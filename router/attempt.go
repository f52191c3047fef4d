package router

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"bendi/chat"
)

// A call is a request on its way to an answer. It is the one thing that
// decides about tries, whatever is asked for:
//
//	choosing  --a backend has a pass--> asking
//	          --no tries, time, budget or backend left--> failed, by the last error
//	asking    --first token--> committed
//	          --fault, and one more may be tried--> backing off --> choosing
//	          --the request is at fault--> failed
//	          --the hedge's first token--> committed, to the other backend
//	committed --whole answer--> done
//	          --fault--> failed, or with Continue: backing off --> choosing
//	any       --client gone, or the time over--> failed, by that cause
//
// Another backend goes before the same one again.
type call struct {
	asker
	pool   *Pool
	ctx    context.Context // with the time that the answer may take
	cancel context.CancelFunc
	ruling ruling
	key    uint64 // of the conversation; 0: none

	tried  uint64 // backends that were asked, by index
	out    uint64 // those not to be asked (again)
	unable uint64 // those that cannot do what is asked for
	goesOn bool   // there is half an answer, which another is to go on with
	window int    // of the largest backend that the prompt did not fit
	rests  []rest

	tries, most int
	retrying    bool // it has a place in the budget
	begun       time.Time
	deadline    time.Time // of the first token
	waited      time.Duration
	last        error // of the last try, as the client is told
	current     *try

	list [8]candidate // where most pools have room
}

func (c *call) init(ctx context.Context, p *Pool, a asker) {
	c.asker, c.pool, c.ctx, c.most, c.begun = a, p, ctx, p.Tries, time.Now()
	c.deadline = c.begun.Add(p.FirstToken)
	if p.Total > 0 {
		c.ctx, c.cancel = context.WithTimeoutCause(ctx, p.Total, tooLong(p.Total))
	}
	if p.outside {
		c.ruling = p.Egress.judge(&c.asker)
	}
	p.Budget.active.Add(1)
}

// close ends the call, if a panic has not let it end by itself.
func (c *call) close() {
	if t := c.current; t != nil {
		t.end(errPanic)
	}
	c.free()
	c.pool.Budget.active.Add(-1)
	if c.cancel != nil {
		c.cancel()
	}
}

// free gives the place in the budget back.
func (c *call) free() {
	if c.retrying {
		c.retrying = false
		c.pool.Budget.give()
	}
}

// Causes of the end of a try's context.
var (
	errOver  = errors.New("the try is over")
	errLost  = errors.New("another backend was faster")
	errLeft  = errors.New("the answer is no longer wanted")
	errPanic = errors.New("panic")
)

// run asks one backend after the other until one has answered, and returns the
// error that the client is told where none has. The function ask asks the
// backend of a try and ends that; half an answer is gone on with where resume
// says so.
func (c *call) run(ask func(*try) (o outcome, committed bool, err error), resume func() bool) error {
	for {
		t, err := c.next()
		if err != nil {
			return err
		}
		c.current = t
		o, committed, err := ask(t)
		switch {
		case o == whole:
			return nil
		case !o.movesOn() || committed && !resume():
			return err
		}
	}
}

// next begins the next try, or returns the error that the request ends with.
func (c *call) next() (*try, error) {
	if c.tries > 0 {
		switch {
		case c.tries >= c.most:
			return nil, c.giveUp(NoTries)
		case !c.retrying && !c.pool.Budget.take():
			return nil, c.giveUp(NoBudget)
		}
		c.retrying = true
		most := min(firstBackOff<<(c.tries-1), maxBackOff)
		if err := c.pause(rand.N(most), BackOff); err != nil {
			return nil, err
		}
	}
	for {
		t, list := c.choose(false)
		if t != nil {
			return t, nil
		}
		wait := resting(list)
		if c.tries == 0 || wait == 0 || c.waited+wait > c.pool.MaxWait {
			err := c.nobody(list)
			c.note(Step{What: GaveUp, Reason: NoBackend, Err: err})
			return nil, err
		}
		c.waited += wait
		if err := c.pause(wait, Resting); err != nil {
			return nil, err
		}
	}
}

// giveUp returns the last error, where there may be no further try.
func (c *call) giveUp(why Reason) error {
	c.note(Step{What: GaveUp, Reason: why, Err: c.last})
	return c.last
}

// pause waits, if the first token can still be in time after that.
func (c *call) pause(d time.Duration, why Reason) error {
	if time.Now().Add(d).After(c.deadline) {
		return c.giveUp(NoTime)
	}
	c.note(Step{What: Waited, Reason: why, Wait: d})
	if err := sleep(c.ctx, d); err != nil {
		c.note(Step{What: Gone, Err: err})
		return err
	}
	return nil
}

// choose begins a try of the best backend there is. Without one it returns what
// it has chosen from.
func (c *call) choose(hedge bool) (*try, []candidate) {
	now := time.Now()
	list := c.pool.rank(c.list[:0], c, now)
	for _, again := range [...]bool{false, true} {
		for i := range list {
			k := &list[i]
			asked := c.tried>>k.index&1 == 1
			if k.why != "" || asked != again || hedge && (again || k.state != closed) {
				continue
			}
			var p pass
			if p, k.why, k.wait = k.backend.breaker.allow(now); k.why == "" {
				c.skipped(list)
				if c.key != 0 && !hedge {
					c.pool.homes.settle(c.key, k.index, now)
				}
				return c.begin(k, p, now, hedge), nil
			}
		}
	}
	c.skipped(list)
	return nil, list
}

// excludes says why a backend is not to be asked for this request, whatever its
// state is, and for how long.
func (c *call) excludes(i int, now time.Time) (Reason, time.Duration) {
	b := c.pool.backends[i]
	switch {
	case c.pool.outside && !c.ruling.lets(b):
		return Forbidden, 0
	case c.unable>>i&1 == 1:
		return Unable, 0
	case c.out>>i&1 == 1:
		return Failed, 0
	case c.goesOn && !b.Prefill:
		return NoPrefill, 0
	case c.window > 0 && b.window(c.model) <= c.window:
		return Small, 0
	}
	for _, r := range c.rests {
		if r.index == i && now.Before(r.until) {
			return Resting, r.until.Sub(now)
		}
	}
	return "", 0
}

// A rest is until when a backend that failed has said not to be asked again.
type rest struct {
	index int
	until time.Time
}

// A try is one request to one backend.
type try struct {
	call      *call
	backend   *Backend
	index     int // of it
	number    int // of the try, from 1
	pass      pass
	ctx       context.Context
	cancel    context.CancelCauseFunc
	begun     time.Time
	overdue   *time.Timer // of the first token
	idle      *time.Timer // of the next event; nil: not bounded
	race      *race       // nil: without a hedge
	hedge     bool        // this is the hedge
	timed     bool        // its first event tells when the backend began to answer
	committed bool
	over      bool // it was by itself, before its context ended
	ended     bool
}

func (c *call) begin(k *candidate, p pass, now time.Time, hedge bool) *try {
	c.tries++
	c.tried |= 1 << k.index
	b := k.backend
	b.outstanding.Add(1)
	t := &try{call: c, backend: b, index: k.index, number: c.tries, pass: p, begun: now, hedge: hedge}
	t.ctx, t.cancel = context.WithCancelCause(c.ctx)
	limit := c.deadline.Sub(now)
	if b.FirstToken > 0 {
		limit = min(limit, b.FirstToken)
	}
	t.overdue = time.AfterFunc(limit, func() { t.cancel(slow(b, limit)) })
	if hedge {
		c.note(Step{What: Hedged, Backend: b.Name, Try: t.number})
	} else {
		c.note(Step{What: Asked, Backend: b.Name, Try: t.number})
	}
	return t
}

// commit makes the backend the one that answers, unless that comes too late.
func (t *try) commit() error {
	if !t.overdue.Stop() || t.race != nil && !t.race.win(t) {
		<-t.ctx.Done() // it says how
		return context.Cause(t.ctx)
	}
	t.committed = true
	took := time.Since(t.begun)
	if t.timed {
		t.backend.first.add(took)
	}
	t.pass.alive()
	if t.race == nil {
		t.call.free()
	}
	t.call.note(Step{What: Committed, Backend: t.backend.Name, Try: t.number, Took: took})
	return nil
}

// hears tells that there was an event: the backend has time for the next one
// from now on.
func (t *try) hears() {
	switch d := t.backend.Idle; {
	case d <= 0:
	case t.idle == nil:
		t.idle = time.AfterFunc(d, func() { t.cancel(silent(t.backend)) })
	default:
		t.idle.Reset(d)
	}
}

// end tells the backend's breaker how a try went, and returns what that means
// and what the client is told.
func (t *try) end(err error) (outcome, error) {
	c, b := t.call, t.backend
	if t.ended = true; c.current == t {
		c.current = nil
	}
	t.overdue.Stop()
	if t.idle != nil {
		t.idle.Stop()
	}
	b.outstanding.Add(-1)

	o, e := whole, (*chat.Error)(nil)
	switch cause := context.Cause(t.ctx); {
	case err == nil:
	case err == errPanic:
		o, e = fault, &chat.Error{Kind: chat.Internal}
	case cause == errLost && !t.over:
		o = lost
	case c.ctx.Err() != nil:
		if o = gone; !errors.Is(err, context.Cause(c.ctx)) {
			err = context.Cause(c.ctx)
		}
	case err == errLeft:
		o = gone
	default:
		if cause != nil && !t.over { // whatever broke, this is why
			err = cause
		}
		if o, e = meaning(err); o == small {
			if c.window = max(c.window, b.window(c.model)); b.window(c.model) == 0 {
				o = refused // nobody knows which window is larger
			}
		}
		err = told(err, o, e, b)
	}
	t.cancel(errOver)

	switch {
	case o == whole:
		t.pass.whole()
	case o.faulty():
		t.pass.fault(e.Kind, e.RetryAfter)
		if e.RetryAfter > 0 {
			c.rests = append(c.rests, rest{t.index, time.Now().Add(min(e.RetryAfter, maxPark))})
		}
	case o == limited:
		b.breaker.park(cmp.Or(e.RetryAfter, defaultPark))
		t.pass.nothing()
	default:
		t.pass.nothing()
	}
	switch o {
	case absent, barred:
		c.out |= 1 << t.index
	case deadly:
		c.most = min(c.most, c.tries+1)
	}
	if o != whole && o != lost {
		c.last = err
	}
	c.note(Step{What: whats[o], Backend: b.Name, Try: t.number, Took: time.Since(t.begun), Err: err})
	return o, err
}
