package limit

import (
	"sync"
	"time"
)

// retryEvery is how long a Counter that has failed is left alone, so that not
// each request waits for it in vain.
const retryEvery = time.Second

// A Health remembers whether a shared Counter works.
//
//	works --a call fails--> down --retryEvery passes--> one call tries it again
type Health struct {
	tell func(down bool, err error) // of each change; may be nil
	lost func(err error)            // of each grant that could not be settled; may be nil

	mu    sync.Mutex
	down  bool
	after time.Time // when the next call may try
}

// NewHealth returns the Health of a Counter that works. Changes are told to tell,
// and grants that could not be settled to lost.
func NewHealth(tell func(down bool, err error), lost func(err error)) *Health {
	return &Health{tell: tell, lost: lost}
}

// try reports whether the Counter is to be asked.
func (h *Health) try() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down && time.Now().Before(h.after) {
		return false
	}
	if h.down {
		h.after = time.Now().Add(retryEvery) // others do not wait beside this one
	}
	return true
}

func (h *Health) works() { h.set(false, nil) }

func (h *Health) fails(err error) { h.set(true, err) }

func (h *Health) set(down bool, err error) {
	h.mu.Lock()
	changed := h.down != down
	h.down = down
	if down {
		h.after = time.Now().Add(retryEvery)
	}
	h.mu.Unlock()
	if changed && h.tell != nil {
		h.tell(down, err)
	}
}

func (h *Health) settles(err error) {
	if h.lost != nil {
		h.lost(err)
	}
}
