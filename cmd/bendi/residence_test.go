package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
	"bendi/inference/llamacpp"
	"bendi/models/fit"
)

// A lodger is a model that takes memory of a pretended machine.
type lodger struct {
	mu    sync.Mutex
	state string
	busy  bool
	used  time.Time
	asked sync.Mutex // held while it is being loaded and used
	house *pretended
	id    string
}

// A pretended machine has GiB for lodgers.
type pretended struct {
	mu       sync.Mutex
	total    int64
	lodgers  map[string]*lodger
	tenants  map[string]*tenant
	unloaded []string
	rooms    *residence
}

const gib = 1 << 30

func (l *lodger) State() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *lodger) Idle() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used, l.state == llamacpp.Loaded && !l.busy
}

func (l *lodger) Unload(context.Context) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != llamacpp.Loaded || l.busy {
		return false
	}
	l.state = llamacpp.Unloaded
	l.house.mu.Lock()
	l.house.unloaded = append(l.house.unloaded, l.id)
	l.house.mu.Unlock()
	return true
}

func (l *lodger) set(state string, busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state, l.busy, l.used = state, busy, time.Now()
}

// newPretended returns a machine with so many GiB and models of these sizes,
// none of them loaded.
func newPretended(total int64, sizes map[string]int64) *pretended {
	p := &pretended{total: total * gib, lodgers: make(map[string]*lodger), tenants: make(map[string]*tenant)}
	p.rooms = newResidence(func(context.Context) fit.Machine { return fit.Machine{Free: max(p.free(), 1), Limit: "memory"} }, slog.New(slog.DiscardHandler))
	for id, size := range sizes {
		p.lodgers[id] = &lodger{house: p, id: id, state: llamacpp.Unloaded}
		p.tenants[id] = &tenant{
			Model:  fit.Model{ID: id, Estimate: fit.Estimate{Host: fit.Memory{Cache: size * gib}}},
			worker: p.lodgers[id], onDemand: true,
		}
		p.rooms.moveIn(p.tenants[id])
	}
	return p
}

func (p *pretended) free() int64 {
	free := p.total
	for id, l := range p.lodgers {
		if l.State() == llamacpp.Loaded {
			free -= p.tenants[id].Host.Total()
		}
	}
	return free
}

// load has a model loaded as its worker does.
func (p *pretended) load(ctx context.Context, id string) error {
	done, err := p.rooms.admit(ctx, p.tenants[id])
	if err != nil {
		return err
	}
	p.lodgers[id].set(llamacpp.Loaded, false)
	done()
	return nil
}

func TestMakingRoom(t *testing.T) {
	sizes := map[string]int64{"a": 4, "b": 4, "c": 4, "big": 9, "giant": 20}
	tests := []struct {
		name     string
		loaded   string // space-separated, in the order of use; one with a star is busy, one with a plus was loaded at the start
		ask      string
		unloaded string
		says     string // of a refusal
		retry    bool
	}{
		{"an empty machine", "", "a", "", "", false},
		{"room beside others", "a", "b", "", "", false},
		{"the one that has been idle for longest goes", "b a", "c", "b", "", false},
		{"as many as have to", "a b", "big", "a b", "", false},
		{"a busy one stays", "a* b", "c", "b", "", false},
		{"nothing goes in vain", "a* b", "big", "", "a can be unloaded, which is busy", true},
		{"busy ones alone", "a* b*", "c", "", "a or b can be unloaded, which is busy", true},
		{"one from the start stays", "a+ b", "c", "b", "", false},
		{"those from the start alone", "a+ b+", "c", "", "the models need 4.0 GiB, and 2.0 GiB of memory is free", false},
		{"too large for the machine", "a", "giant", "", "the models need 20.0 GiB, and 6.0 GiB of memory is free", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPretended(10, sizes)
				for _, name := range strings.Fields(tt.loaded) {
					id := strings.Trim(name, "*+")
					p.lodgers[id].set(llamacpp.Loaded, strings.HasSuffix(name, "*"))
					p.tenants[id].onDemand = !strings.HasSuffix(name, "+")
					time.Sleep(time.Second)
				}
				err := p.load(t.Context(), tt.ask)
				if got := strings.Join(p.unloaded, " "); got != tt.unloaded {
					t.Errorf("%q were unloaded, want %q", got, tt.unloaded)
				}
				e, _ := errors.AsType[*chat.Error](err)
				switch {
				case (err != nil) != (tt.says != ""):
					t.Errorf("got %v", err)
				case err != nil && (e == nil || e.Kind != chat.Unavailable || !strings.Contains(e.Msg, tt.says) || (e.RetryAfter > 0) != tt.retry):
					t.Errorf("got %+v, want %q, to be tried again: %v", e, tt.says, tt.retry)
				}
			})
		})
	}
}

// Whatever is asked in whatever order, more than there is is never taken, no
// busy model is unloaded, and nobody waits for ever.
func TestRoomIsNeverExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPretended(10, map[string]int64{"a": 3, "b": 4, "c": 5, "d": 6})
		random := rand.New(rand.NewPCG(1, 2))
		var wg sync.WaitGroup
		for range 300 {
			id := string(rune('a' + random.IntN(4)))
			busyFor, after := time.Duration(random.IntN(2000))*time.Millisecond, time.Duration(random.IntN(20000))*time.Millisecond
			wg.Go(func() {
				time.Sleep(after)
				l := p.lodgers[id]
				if !l.asked.TryLock() {
					return // its worker has it loaded once for all who ask
				}
				defer l.asked.Unlock()
				if l.State() == llamacpp.Loaded {
					return
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				done, err := p.rooms.admit(ctx, p.tenants[id])
				if err != nil {
					if e, ok := errors.AsType[*chat.Error](err); !ok || e.RetryAfter == 0 {
						t.Error(err)
					}
					return
				}
				l.set(llamacpp.Loading, true)
				time.Sleep(100 * time.Millisecond)
				l.set(llamacpp.Loaded, true)
				done()
				if p.free() < 0 {
					t.Errorf("more than %d GiB are taken", p.total/gib)
				}
				time.Sleep(busyFor)
				l.set(llamacpp.Loaded, false)
			})
		}
		wg.Wait()
	})
}

// Whether a model could be loaded at all counts those on demand as gone, and
// those from the start as there.
func TestCouldFit(t *testing.T) {
	p := newPretended(10, map[string]int64{"a": 4, "b": 4, "new": 7})
	for _, id := range []string{"a", "b"} {
		p.lodgers[id].set(llamacpp.Loaded, true)
	}
	if err := p.rooms.couldFit(t.Context(), p.tenants["new"]); err != nil {
		t.Errorf("beside two on demand: %v", err)
	}
	p.tenants["a"].onDemand = false
	if err := p.rooms.couldFit(t.Context(), p.tenants["new"]); err == nil || !strings.Contains(err.Error(), "model new could not be loaded when somebody asks for it: the models need 7.0 GiB, and 6.0 GiB") {
		t.Errorf("beside one from the start: %v", err)
	}
	p.rooms.set(0, true)
	if err := p.rooms.couldFit(t.Context(), p.tenants["new"]); err != nil {
		t.Errorf("where a shortage is only warned of: %v", err)
	}
	p.rooms.moveOut(p.tenants["a"])
	if tenants, _, _ := p.rooms.now(); len(tenants) != 2 {
		t.Errorf("%d tenants after one has moved out, want 2", len(tenants))
	}
}

// A limit counts by estimates, whatever is free.
func TestMemoryLimit(t *testing.T) {
	p := newPretended(100, map[string]int64{"a": 4, "b": 4, "c": 4})
	p.rooms.set(9*gib, false)
	for _, id := range []string{"a", "b", "c"} {
		if err := p.load(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if got := fmt.Sprint(p.unloaded); got != "[a]" {
		t.Errorf("%s were unloaded to keep to 9 GiB", got)
	}
	for _, l := range p.lodgers {
		l.busy = true
	}
	if err := p.load(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "the models need 4.0 GiB, and 1.0 GiB of engine.memory_limit is left") {
		t.Errorf("got %v", err)
	}
	p.rooms.set(9*gib, true)
	if err := p.load(t.Context(), "a"); err != nil {
		t.Errorf("where a shortage is only warned of: %v", err)
	}
}
