package router

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"bendi/chat"
)

// A race is a try with its hedge: a second backend that is asked when the first
// takes long, in a goroutine of its own. Whose first token comes first answers,
// and the other is cancelled. The first backend is asked where the client's
// loop runs, so that an answer without a hedge costs nothing more.
type race struct {
	answer *answer
	first  *try
	timer  *time.Timer // until the hedge begins
	events chan chat.Event
	done   chan struct{} // closed when the hedge's goroutine has ended
	err    error         // of the hedge; read when it is done

	mu     sync.Mutex // guards what follows, and the call while the hedge begins
	over   bool       // it is too late for a hedge to begin
	second *try       // nil: it has not begun
	winner *try
	placed bool // it has a place in the budget
}

// hedge prepares the hedge of a try, if there is to be one.
func (a *answer) hedge(t *try) {
	a.race = nil
	if !a.pool.Hedge || a.tries > 1 || a.goesOn {
		return
	}
	if after, ok := t.backend.first.quantile(hedgeQuantile); ok {
		r := &race{answer: a, first: t, events: make(chan chat.Event), done: make(chan struct{})}
		t.race, a.race = r, r
		r.timer = time.AfterFunc(after, r.begin)
	}
}

// begin asks the second backend, if there is one in good health and it is not
// too late. It is called by the timer.
func (r *race) begin() {
	t := r.enter()
	if t == nil {
		return
	}
	defer close(r.done)
	defer func() {
		if p := recover(); p != nil { // nobody else can
			r.err, t.over = fmt.Errorf("panic: %v\n%s", p, debug.Stack()), true
		}
	}()
	r.err = r.answer.stream(t, func(ev chat.Event) bool {
		select {
		case r.events <- ev:
			return true
		case <-t.ctx.Done():
			return false
		}
	})
	t.over = t.ctx.Err() == nil
}

func (r *race) enter() *try {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.answer.call
	if r.over || c.tries >= c.most || !c.pool.Budget.take() {
		return nil
	}
	r.placed = true
	t, _ := c.choose(true)
	if t == nil {
		r.free()
		return nil
	}
	t.race, r.second = r, t
	return t
}

// free gives the place in the budget back. r.mu is held.
func (r *race) free() {
	if r.placed {
		r.placed = false
		r.answer.pool.Budget.give()
	}
}

// win decides the race for t, unless it has been decided for the other, and
// cancels that one.
func (r *race) win(t *try) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner != nil && r.winner != t {
		return false
	}
	r.winner, r.over = t, true
	r.free()
	switch other := r.second; {
	case t == other:
		r.first.cancel(errLost)
	case other != nil:
		other.cancel(errLost)
	}
	return true
}

// finish ends the race when the first try is over with err, and returns how the
// one ended that counts.
func (r *race) finish(err error) (o outcome, committed bool, _ error) {
	r.timer.Stop()
	r.mu.Lock()
	r.over = true
	second := r.second
	r.mu.Unlock()

	first := r.first
	o, err = first.end(err)
	if second == nil {
		return o, first.committed, err
	}
	if !first.committed && (o == lost || o.movesOn() || o == refused && !r.win(first)) {
		r.answer.current = second
		err = r.relay(second)
		o, err = second.end(err)
		r.leave()
		return o, second.committed, err
	}
	r.cancel()
	return o, first.committed, err
}

// relay passes on what the second backend says, and returns how that ended.
func (r *race) relay(second *try) error {
	for {
		select {
		case ev := <-r.events:
			if !r.answer.emit(ev) {
				second.cancel(errLeft)
				<-r.done
				return errLeft
			}
		case <-r.done:
			return r.err
		}
	}
}

// cancel ends a hedge that nobody wants any more.
func (r *race) cancel() {
	r.timer.Stop()
	r.mu.Lock()
	r.over = true
	second := r.second
	r.mu.Unlock()
	if second != nil {
		second.cancel(errLost)
		<-r.done
		if !second.ended {
			second.end(r.err)
		}
	}
	r.leave()
}

func (r *race) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free()
}
