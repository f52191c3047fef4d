package conversation

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"bendi/chat"
)

// A queue has the turns of each session answered one after the other, by this
// program.
type queue struct {
	mu    sync.Mutex
	heads map[Key]*head
}

// A head is what the turns of a session wait for.
type head struct {
	free  chan struct{} // has one while no turn is answered
	users int           // turns that hold it or wait
	turn  *claim        // that is answered; nil: none is
}

// enter waits until it is the turn's turn, at most for a patience. It reports
// false where that is not so.
func (q *queue) enter(ctx context.Context, key Key, patience time.Duration) bool {
	q.mu.Lock()
	h := q.heads[key]
	if h == nil {
		if q.heads == nil {
			q.heads = make(map[Key]*head)
		}
		h = &head{free: make(chan struct{}, 1)}
		h.free <- struct{}{}
		q.heads[key] = h
	}
	h.users++
	q.mu.Unlock()

	select {
	case <-h.free:
		return true
	default:
	}
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-h.free:
			return true
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	q.part(key, h)
	return false
}

// hold says which claim the turn that was let in has.
func (q *queue) hold(c *claim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.heads[c.key].turn = c
}

// void has the turns that are answered of some sessions not begin those: they
// are deleted. One that is being stored is waited for.
func (q *queue) void(of func(Key) bool) {
	q.mu.Lock()
	var turns []*claim
	for key, h := range q.heads {
		if h.turn != nil && of(key) {
			turns = append(turns, h.turn)
		}
	}
	q.mu.Unlock()
	for _, c := range turns {
		c.saving.Lock()
		c.void = true
		c.saving.Unlock()
	}
}

// leave lets the next turn in.
func (q *queue) leave(key Key) {
	q.mu.Lock()
	h := q.heads[key]
	h.turn = nil
	q.mu.Unlock()
	h.free <- struct{}{}
	q.part(key, h)
}

func (q *queue) part(key Key, h *head) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if h.users--; h.users == 0 {
		delete(q.heads, key)
	}
}

const (
	leaseTime = 6 * time.Second // a gateway that has died holds its sessions for so long
	leasePoll = 100 * time.Millisecond
)

// A claim is a turn's to its session, against the turns here and, where the
// store is shared, everywhere.
type claim struct {
	memory *Memory
	key    Key
	leaser Leaser // nil: the store is not shared
	token  string
	held   bool // the lease is known to be ours
	sent   bool // it may be ours

	saving sync.Mutex // held while the turn is stored; guards void
	void   bool       // the session was deleted since: this turn may not begin it

	done chan struct{} // closed when the lease is not to be renewed any more
	wg   sync.WaitGroup
}

// enter waits for the session to be free, and reads it. One that is new, for its
// name was just drawn, is not there. The claim is there unless the session is
// busy here, and is to be left in any case.
func (m *Memory) enter(ctx context.Context, key Key, b *budget, isNew bool) (*claim, *Session, error) {
	patience := m.Patience
	if m.Busy == Refuse {
		patience = 0
	}
	until := time.Now().Add(patience)
	if !m.queue.enter(ctx, key, patience) {
		return nil, nil, m.busy(ctx)
	}
	c := &claim{memory: m, key: key}
	m.queue.hold(c)
	if c.leaser, _ = m.Store.(Leaser); c.leaser != nil {
		v, err := c.take(ctx, b, until)
		if err != nil {
			return c, nil, err
		}
		s, err := m.believe(key, v)
		return c, s, err
	}
	if isNew {
		return c, nil, ErrNotFound
	}
	s, err := m.use(ctx, b, key)
	return c, s, err
}

// take waits for the lease, and reads the session with it.
func (c *claim) take(ctx context.Context, b *budget, until time.Time) (v Value, err error) {
	c.token = c.memory.name + rand.Text()
	lease := c.lease()
	for {
		err := c.memory.store.spend(ctx, b, b.whole/2, "load", func(ctx context.Context) (err error) {
			c.sent = true
			v, c.held, err = c.leaser.Begin(ctx, c.key, lease, c.memory.TTL)
			return err
		})
		switch {
		case c.held:
			c.keep()
			return v, err
		case err != nil:
			return v, err
		case !time.Now().Before(until):
			c.sent = false
			return v, c.memory.busy(ctx)
		}
		c.sent = false
		select {
		case <-time.After(leasePoll):
			*b = budget{b.whole, b.whole} // the store has answered
		case <-ctx.Done():
			return v, context.Cause(ctx)
		}
	}
}

func (c *claim) lease() Lease { return Lease{c.memory.name, c.token, leaseTime} }

// keep renews the lease until stop. One that is lost meanwhile shows when the
// turn is stored: its version is not that which was read, or it was to begin
// the session.
func (c *claim) keep() {
	done := make(chan struct{})
	c.done = done
	c.wg.Go(func() {
		tick := time.NewTicker(leaseTime / 3)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				c.memory.store.call(context.Background(), "lease", max(c.memory.Limit, probeTime), func(ctx context.Context) error {
					_, err := c.leaser.Renew(ctx, c.key, c.lease())
					return err
				})
			}
		}
	})
}

func (c *claim) stop() {
	if c.done != nil {
		close(c.done)
		c.done = nil
		c.wg.Wait()
	}
}

// save stores what the turn has made of the session, and gives the lease back
// with it.
func (c *claim) save(ctx context.Context, b *budget, was uint64, v Value) error {
	c.stop()
	m := c.memory
	c.saving.Lock()
	defer c.saving.Unlock()
	if c.void && was == 0 {
		return ErrConflict
	}
	return m.store.spend(ctx, b, b.left, "save", func(ctx context.Context) error {
		if c.leaser == nil {
			return m.Store.Save(ctx, c.key, was, v, m.TTL)
		}
		err := c.leaser.Finish(ctx, c.key, was, v, m.TTL, c.token)
		if err == nil {
			c.held, c.sent = false, false
		}
		return err
	})
}

// leave lets the next turn in. Where the store is late, the lease is given back
// behind the turn's back.
func (c *claim) leave(ctx context.Context, b *budget) {
	c.stop()
	release := func(ctx context.Context) error { return c.leaser.Release(ctx, c.key, c.token) }
	if c.held && c.memory.store.spend(context.WithoutCancel(ctx), b, b.left, "lease", release) == nil {
		c.sent = false
	}
	if c.sent {
		c.memory.store.later(release)
	}
	c.memory.queue.leave(c.key)
}

func (m *Memory) busy(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	waited := ""
	if m.Busy != Refuse {
		waited = fmt.Sprintf(" after %v", m.Patience)
	}
	m.Observe.Turn("busy")
	return &chat.Error{Kind: chat.Conflict, Code: CodeBusy, Param: "session_id", RetryAfter: time.Second,
		Msg: "The session is still being answered" + waited + ". Send its turns one after the other."}
}
