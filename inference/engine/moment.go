package engine

import (
	"sync/atomic"
	"time"
)

// A moment is when something has begun that may not end, such as a step on a
// device that has failed. Others may look at it at any time.
type moment struct{ at atomic.Pointer[time.Time] }

func (m *moment) set(t time.Time) { m.at.Store(&t) }

func (m *moment) clear() { m.at.Store(nil) }

// age is for how long it has been going on; 0 where nothing is.
func (m *moment) age() time.Duration {
	if t := m.at.Load(); t != nil {
		return time.Since(*t)
	}
	return 0
}

// Step returns how long the present step has taken so far: the older one, where
// the engine chats and embeds. 0: there is none. Steps end, unless llama.cpp or a
// device hangs, which nothing else tells.
func (e *Engine) Step() time.Duration { return max(e.loop.stats.began.age(), e.embed.began.age()) }
