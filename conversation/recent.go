package conversation

import (
	"container/list"
	"sync"
	"time"
)

// mostRecent is how many bytes of sessions, as they are stored, a memory has at
// hand.
const mostRecent = 32 << 20

// recent has the sessions at hand that were stored last. Where no other program
// changes them, their next turn need not ask the store for them; where others
// do, it need not take apart what it is given, if that is the same version. A
// change by anybody but a turn, and a conflict, has it forget what it has.
type recent struct {
	age time.Duration // for which a session is at hand

	mu    sync.Mutex
	bytes int
	at    map[Key]*list.Element // of order
	order list.List             // of atHand, that stored last in front
	era   int                   // grows with all that is forgotten
}

type atHand struct {
	session *Session
	stored  time.Time
}

// begin returns the era that a session is saved in.
func (r *recent) begin() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.era
}

// keep has a session at hand that was saved, unless something was forgotten
// since its saving began: that may have been it.
func (r *recent) keep(s *Session, era int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(r.at[s.Key])
	if era != r.era || s.size > mostRecent/4 {
		return
	}
	if r.at == nil {
		r.at = make(map[Key]*list.Element)
	}
	r.at[s.Key] = r.order.PushFront(atHand{s, time.Now()})
	r.bytes += s.size
	for e := r.order.Back(); e != nil && (r.bytes > mostRecent || time.Since(e.Value.(atHand).stored) >= r.age); e = r.order.Back() {
		r.remove(e)
	}
}

func (r *recent) remove(e *list.Element) {
	if e == nil {
		return
	}
	s := r.order.Remove(e).(atHand).session
	delete(r.at, s.Key)
	r.bytes -= s.size
}

// get returns a session that is at hand. Nobody changes it.
func (r *recent) get(key Key) *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.at[key]
	if e == nil {
		return nil
	}
	if h := e.Value.(atHand); time.Since(h.stored) < r.age {
		return h.session
	}
	r.remove(e)
	return nil
}

// forget forgets a session.
func (r *recent) forget(key Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.era++
	r.remove(r.at[key])
}

// forgetAll forgets the sessions of an owner.
func (r *recent) forgetAll(owner Owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.era++
	for key, e := range r.at {
		if key.Owner == owner {
			r.remove(e)
		}
	}
}
