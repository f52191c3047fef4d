package engine

import (
	"context"
	"errors"
	"time"

	"bendi/inference/watch"
)

// viewEvery is how often the loop takes a new view while it is busy.
const viewEvery = 250 * time.Millisecond

// errAnswered is why a request's context ends whose answer is whole, which the
// loop may not know: a stop string is its reader's business.
var errAnswered = errors.New("the answer is whole")

// errLeft is why the context of any other request ends.
var errLeft = errors.New("the answer is no longer wanted")

// View returns the slots as they were a moment ago: while the engine is busy,
// the view is taken several times a second, but never during a step. An engine
// that does not chat has no slots.
func (e *Engine) View() watch.View {
	if v := e.loop.view.Load(); v != nil {
		return *v
	}
	return watch.View{Sequences: []watch.Slot{}}
}

// look takes a view, unless the last one is recent.
func (l *loop) look(now time.Time) {
	if now.Sub(l.looked) < viewEvery {
		return
	}
	l.looked = now
	v := &watch.View{
		Taken: now, Slots: l.slots, Sequences: make([]watch.Slot, 0, len(l.running)),
		Waiting:   max(0, int(l.stats.pending.Load())-len(l.running)),
		Preempted: l.stats.preempted.Load(),
		Cache:     watch.Cache{Cells: l.cells, Running: l.tree.held()},
	}
	v.Cache.Kept = l.tree.cells - v.Cache.Running
	for _, h := range l.tree.holders {
		if h.kept {
			v.Cache.Prefixes++
		}
	}
	if l.copies != nil {
		v.Cache.Checkpoints, v.Cache.CheckpointBytes = len(l.copies.list), l.copies.bytes
	}
	for _, s := range l.running {
		state := watch.Decode
		switch {
		case s.out.full():
			state = watch.Paused
		case s.pending() > 1 || s.generated() == 0:
			state = watch.Prefill
		}
		v.Sequences = append(v.Sequences, watch.Slot{
			ID: int(s.holder.id), Model: l.names[s.key.adapter], State: state,
			Prompt: s.prompt, Cached: s.progress.Cached, Generated: s.generated(), Budget: s.budget,
			Age: now.Sub(s.progress.Arrived).Milliseconds(),
		})
	}
	l.view.Store(v)
	l.tellPlaces(now)
}

// lookIdle takes a view of a loop that is about to wait. It is not the recent
// one that spares whoever comes next: a long first step would hide behind it.
func (l *loop) lookIdle() {
	l.looked = time.Time{}
	l.look(time.Now())
	l.looked = time.Time{}
}

func (l *loop) observer(s *sequence) watch.Observer { return l.observers[s.key.adapter] }

// noteBegin tells that s has a slot, if it is its first.
func (l *loop) noteBegin(s *sequence) {
	if s.progress.Began.IsZero() {
		s.progress.Began = time.Now()
		s.out.place.Store(0)
		l.observer(s).Began(&s.progress)
	}
}

// noteToken tells that s has got a token of this step.
func (l *loop) noteToken(s *sequence) {
	p := &s.progress
	if p.First.IsZero() {
		p.First = l.drawnAt
	} else {
		p.Gap = l.drawnAt.Sub(p.Latest)
	}
	p.Latest = l.drawnAt
	p.Generated++
	l.observer(s).Token(p)
}

// noteEnd tells that s has left, with its last step.
func (l *loop) noteEnd(s *sequence, last step) {
	p := &s.progress
	p.Ended = time.Now()
	switch {
	case last.finish != "":
		p.Reason = watch.Reason(last.finish)
	case context.Cause(s.ctx) == errAnswered:
		p.Reason = watch.Stop
	case s.ctx.Err() != nil:
		p.Reason = watch.Abort
	default:
		p.Reason = watch.Failed
	}
	l.observer(s).Ended(p)
}
