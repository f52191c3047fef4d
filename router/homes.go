package router

import (
	"sync"
	"time"
)

// homes remembers at which backend a conversation was last, by its key: there its
// beginning lies in a cache. It forgets those that have not come for a while.
type homes struct {
	mu     sync.Mutex // guards what follows
	young  map[uint64]uint8
	old    map[uint64]uint8 // without those that are in young
	since  time.Time        // young is filled
	counts [maxBackends]int
}

// A generation of conversations is so many, or those of so long a time; two are
// remembered.
const (
	mostYoung = 4096
	youngTime = 10 * time.Minute
)

// of returns the backend of a conversation, or -1, and how many conversations
// each of them has.
func (h *homes) of(key uint64) (at int, counts [maxBackends]int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at = -1
	if i, ok := h.young[key]; ok {
		at = int(i)
	} else if i, ok := h.old[key]; ok {
		at = int(i)
	}
	return at, h.counts
}

// settle notes that a conversation has gone to a backend.
func (h *homes) settle(key uint64, at int, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.young == nil || len(h.young) >= mostYoung || now.Sub(h.since) > youngTime {
		for _, i := range h.old {
			h.counts[i]--
		}
		h.young, h.old, h.since = make(map[uint64]uint8), h.young, now
	}
	for _, m := range [...]map[uint64]uint8{h.young, h.old} {
		if i, ok := m[key]; ok {
			h.counts[i]--
			delete(m, key)
		}
	}
	h.young[key] = uint8(at)
	h.counts[at]++
}
