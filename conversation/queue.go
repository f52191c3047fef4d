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

// leave lets the next turn in.
func (q *queue) leave(key Key) {
	q.mu.Lock()
	h := q.heads[key]
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

	done chan struct{} // closed when the lease is not to be renewed any more
	wg   sync.WaitGroup
}

// enter waits for the session to be free, and reads it. The claim is there
// unless the session is busy here, and is to be left in any case.
func (m *Memory) enter(ctx context.Context, key Key, b *budget) (*claim, Value, error) {
	patience := m.Patience
	if m.Busy == Refuse {
		patience = 0
	}
	until := time.Now().Add(patience)
	if !m.queue.enter(ctx, key, patience) {
		return nil, Value{}, m.busy(ctx)
	}
	c := &claim{memory: m, key: key}
	if c.leaser, _ = m.Store.(Leaser); c.leaser != nil {
		v, err := c.take(ctx, b, until)
		return c, v, err
	}
	v, err := m.fetch(ctx, b, b.whole/2, key, m.TTL)
	return c, v, err
}

// take waits for the lease, and reads the session with it.
func (c *claim) take(ctx context.Context, b *budget, until time.Time) (v Value, err error) {
	c.token = rand.Text()
	for {
		err := c.memory.store.spend(ctx, b, b.whole/2, "load", func(ctx context.Context) (err error) {
			c.sent = true
			v, c.held, err = c.leaser.Begin(ctx, c.key, Lease{c.token, leaseTime}, c.memory.TTL)
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

// keep renews the lease until stop. One that is lost meanwhile shows when the
// turn is stored: its version is not that which was read.
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
				c.memory.store.call(context.Background(), "lease", c.memory.Limit, func(ctx context.Context) error {
					_, err := c.leaser.Renew(ctx, c.key, Lease{c.token, leaseTime})
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
