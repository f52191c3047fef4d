package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"bendi/config"
)

// An estate is the house in force on its ground, and those before it in which
// requests are still being answered: each request is answered from beginning to
// end by the house that it came to.
//
//	building --it is whole--> in force --another is--> left --no guest is left--> closed
//	building --it cannot be--> given up, and the one in force stays
type estate struct {
	*ground
	source   *source
	level    *slog.LevelVar // of the log
	every    time.Duration  // lookEvery
	building chan struct{}  // holds one while a house is being built

	mu     sync.Mutex
	house  *house         // in force
	guests map[*house]int // requests that are being answered
	closed bool
	ending sync.WaitGroup // of houses
	rest   func()         // ends the watch of the house in force
}

// newEstate returns an estate without a house.
func newEstate(g *ground, s *source, level *slog.LevelVar) *estate {
	return &estate{ground: g, source: s, level: level, every: lookEvery, building: make(chan struct{}, 1), guests: make(map[*house]int), rest: func() {}}
}

// found builds the first house.
func (e *estate) found(ctx context.Context, cfg *config.Config) error {
	h, err := e.build(ctx, cfg, true)
	if err == nil {
		e.succeed(h)
		e.measured.Config.InForce(time.Now())
	}
	return err
}

// ServeHTTP has the house in force answer a request.
func (e *estate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := e.enter()
	defer e.leave(h)
	h.served.ServeHTTP(w, r)
}

// serveOperator has the house in force answer what the operator asks.
func (e *estate) serveOperator(w http.ResponseWriter, r *http.Request) {
	h := e.enter()
	defer e.leave(h)
	h.office.ServeHTTP(w, r)
}

func (e *estate) enter() *house {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.guests[e.house]++
	return e.house
}

func (e *estate) leave(h *house) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.guests[h]--; e.guests[h] == 0 {
		e.end(h)
	}
}

// lastTime is how long those whose connections are cut may take to end.
const lastTime = 2 * time.Second

// occupied reports whether requests are being answered.
func (e *estate) occupied() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, n := range e.guests {
		if n > 0 {
			return true
		}
	}
	return false
}

// end closes a house that is no longer in force and has no guests. e.mu is held.
func (e *estate) end(h *house) {
	if h != nil && h != e.house && e.guests[h] == 0 && !e.closed {
		delete(e.guests, h)
		e.ending.Go(h.close)
	}
}

// current returns the house in force.
func (e *estate) current() *house {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.house
}

// succeed puts a house in force.
func (e *estate) succeed(next *house) {
	next.open(e.reloadAction())
	e.mu.Lock()
	old := e.house
	e.house = next
	e.end(old)
	e.mu.Unlock()

	e.rest()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { next.watch(ctx) })
	e.rest = func() { cancel(); wg.Wait() }
	e.level.Set(next.cfg.Log.Level.Level())
	next.prevail()
}

// watch reads the configuration again when its files change, and at once when
// asked to, until ctx ends. A change counts once they look the same twice in a
// row.
func (e *estate) watch(ctx context.Context, ask <-chan os.Signal) {
	ticker := time.NewTicker(e.every)
	defer ticker.Stop()
	var last []stamp
	for {
		select {
		case <-ctx.Done():
			return
		case <-ask:
			e.reload(ctx)
		case <-ticker.C:
			then, now := e.source.look()
			if !slices.Equal(now, then) && slices.Equal(now, last) {
				e.reload(ctx)
			}
			last = now
		}
	}
}

// close ends all houses. It is called when no more requests come, and the
// connections of those that are there are cut: they end, and are recorded.
func (e *estate) close() {
	e.building <- struct{}{} // nothing is built any more
	for begun := time.Now(); e.occupied() && time.Since(begun) < lastTime; {
		time.Sleep(5 * time.Millisecond)
	}
	e.rest()
	e.mu.Lock()
	e.closed = true
	houses := []*house{e.house}
	for h := range e.guests {
		if h != e.house {
			houses = append(houses, h)
		}
	}
	e.mu.Unlock()
	for _, h := range houses {
		if h != nil {
			e.ending.Go(h.close)
		}
	}
	e.ending.Wait()
	e.ground.close()
}
