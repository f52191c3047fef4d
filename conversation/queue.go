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
	leaseTime = 15 * time.Second // a gateway that has died holds its sessions for so long
	leasePoll = 100 * time.Millisecond
)

// enter waits for the session to be free, here and, where the store is shared,
// everywhere. What it returns ends the turn.
func (m *Memory) enter(ctx context.Context, key Key) (leave func(), err error) {
	patience := m.Patience
	if m.Busy == Refuse {
		patience = 0
	}
	until := time.Now().Add(patience)
	if !m.queue.enter(ctx, key, patience) {
		return nil, m.busy(ctx)
	}
	leave = func() { m.queue.leave(key) }
	leaser, shared := m.store.Store.(Leaser)
	if !shared {
		return leave, nil
	}
	token := rand.Text()
	for {
		ours := false
		err := m.store.call(ctx, "lease", m.Limit, func(ctx context.Context) (err error) {
			ours, err = leaser.Lease(ctx, key, token, leaseTime)
			return err
		})
		switch {
		case err != nil:
			leave()
			return nil, err
		case ours:
			return m.hold(ctx, leaser, key, token, leave), nil
		case !time.Now().Before(until):
			leave()
			return nil, m.busy(ctx)
		}
		select {
		case <-time.After(leasePoll):
		case <-ctx.Done():
			leave()
			return nil, context.Cause(ctx)
		}
	}
}

// hold renews a lease until leave is called. A lease that is lost meanwhile
// shows when the turn is stored: its version is not that which was read.
func (m *Memory) hold(ctx context.Context, leaser Leaser, key Key, token string, leave func()) func() {
	ctx = context.WithoutCancel(ctx)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(leaseTime / 3)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				m.store.call(ctx, "lease", m.Limit, func(ctx context.Context) error {
					_, err := leaser.Lease(ctx, key, token, leaseTime)
					return err
				})
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
		m.store.call(ctx, "lease", m.Limit, func(ctx context.Context) error { return leaser.Release(ctx, key, token) })
		leave()
	}
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
