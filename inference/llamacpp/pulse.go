package llamacpp

import (
	"fmt"
	"sync"
	"time"
)

// A pulse is what is known of whether a process that is ready lives. One whose
// device hangs, or that something has stopped, keeps its socket open and
// answers nobody.
//
// It is looked at every so often, and what counts is the looks: where the
// gateway itself was stopped meanwhile, there were none.
type pulse struct {
	mu    sync.Mutex
	step  time.Duration // as the process said last
	quiet int           // looks since then
}

// beat notes what the process says of itself.
func (p *pulse) beat(step time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.quiet = step, 0
}

// look says how the process hangs, if it does. It is called once in every
// interval.
func (p *pulse) look(interval, limit time.Duration) (how string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet++
	silence := time.Duration(p.quiet) * interval
	switch {
	case limit < 0:
	case p.step > limit:
		return fmt.Sprintf("a step has taken %v, killed", p.step.Round(time.Second))
	case silence > max(limit/10, 3*interval, 5*AliveEvery):
		return fmt.Sprintf("silent for %v, killed", silence)
	}
	return ""
}
