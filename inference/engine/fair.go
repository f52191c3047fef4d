package engine

import (
	"cmp"
	"time"
)

const (
	// ageStep is how long those of one class wait without any of them getting
	// a slot until they count as a priority higher.
	ageStep = 10 * time.Second

	// drawnWeight is what a drawn token counts against one of a prompt: a step
	// that draws one costs as much as several of a prompt together.
	drawnWeight = 2
)

// A line decides who is next where several wait. Who has the higher priority
// is before the others; among equals it is the principal that has been served
// the fewest tokens, and of one principal who came first.
//
// Each principal has a counter of the tokens it was served. One that comes
// back begins where the least served of those present is, so that nobody can
// save up by being away (Sheng et al., "Fairness in Serving Large Language
// Models", 2024). Between two principals that both have something to do, the
// counters differ by no more than what the slots hold.
//
// The requests of a principal with one priority are a class. A class that
// waits, and gets no slot, ages, so a low priority is late and never lost. One
// that is served does not age, however many it has sent.
type line struct {
	principals map[string]*principal
	floor      int // where those begin who come while nobody is here
}

// A principal is somebody who asks, by name.
type principal struct {
	served  int // tokens, weighted
	present int // sequences that wait or run
	running int // of those, in a slot
	classes map[int]*class
}

// A class is what one principal asks with one priority.
type class struct {
	*principal
	priority int
	latest   time.Time // when one of it got a slot, or the first came
	waiting  int
}

func newLine() *line { return &line{principals: make(map[string]*principal)} }

// arrive adds a sequence of somebody, which waits.
func (l *line) arrive(name string, priority int, now time.Time) *class {
	p := l.principals[name]
	if p == nil {
		p = &principal{classes: make(map[int]*class)}
		l.principals[name] = p
	}
	if p.present == 0 {
		p.served = max(p.served, l.least())
	}
	c := p.classes[priority]
	if c == nil {
		c = &class{principal: p, priority: priority}
		p.classes[priority] = c
	}
	c.wait(now)
	p.present++
	return c
}

// least returns the counter of the least served of those present.
func (l *line) least() int {
	first := true
	for _, p := range l.principals {
		if p.present > 0 && (first || p.served < l.floor) {
			l.floor, first = p.served, false
		}
	}
	return l.floor
}

// wait notes that one of the class waits.
func (c *class) wait(now time.Time) {
	if c.waiting == 0 {
		c.latest = now
	}
	c.waiting++
}

// begin notes that one of the class got a slot, and yield that it had to give
// it up and waits again.
func (c *class) begin(now time.Time) {
	c.waiting--
	c.running++
	c.latest = now
}

func (c *class) yield(now time.Time) {
	c.running--
	c.wait(now)
}

// depart forgets a sequence, which had a slot or waited for one. What is known
// of a principal that is gone is dropped as soon as it says nothing any more:
// when the others have caught up, or nobody is left.
func (l *line) depart(c *class, had bool) {
	if had {
		c.running--
	} else {
		c.waiting--
	}
	if c.present--; c.present > 0 {
		return
	}
	floor, anybody := l.least(), false
	for name, p := range l.principals {
		if p.present > 0 {
			anybody = true
		} else if p.served <= floor {
			delete(l.principals, name)
		}
	}
	if !anybody {
		clear(l.principals)
		l.floor = 0
	}
}

// charge counts tokens that one of the class was served.
func (c *class) charge(prompt, drawn int) { c.served += prompt + drawnWeight*drawn }

// rank is the priority of the class, higher the longer it waits.
func (c *class) rank(now time.Time) int {
	return c.priority + int(max(0, now.Sub(c.latest))/ageStep)
}

// compare tells who of two classes goes first: the one that is less.
func (c *class) compare(o *class, now time.Time) int {
	if c == o {
		return 0
	}
	return cmp.Or(cmp.Compare(o.rank(now), c.rank(now)), cmp.Compare(c.served, o.served), cmp.Compare(c.principal.running, o.principal.running))
}

// noteTurn learns how long a sequence has its slot.
func (l *loop) noteTurn(s *sequence) {
	took, known := time.Since(s.progress.Began), time.Duration(l.stats.turn.Load())
	if known == 0 {
		known = took
	}
	l.stats.turn.Store(int64(known + (took-known)/16))
}

// longestRetry bounds what one is told to wait.
const longestRetry = time.Minute

// retryAfter returns when a tenth of a full queue will have been answered, at
// the pace of late, in whole seconds: sooner, those who come back would find it
// full again.
func (l *loop) retryAfter() time.Duration {
	turn := time.Duration(l.stats.turn.Load())
	wait := turn * time.Duration(l.queue) / 10 / time.Duration(l.slots)
	return min(max(wait.Round(time.Second), time.Second), longestRetry)
}

// compareWaiting orders those who wait for a slot.
func compareWaiting(a, b *sequence, now time.Time) int {
	return cmp.Or(a.class.compare(b.class, now), cmp.Compare(a.arrival, b.arrival))
}

// compareYielding orders those who run by who has to give way first: the
// lowest priority, then the youngest.
func compareYielding(a, b *sequence) int {
	return cmp.Or(cmp.Compare(a.class.priority, b.class.priority), cmp.Compare(b.arrival, a.arrival))
}
