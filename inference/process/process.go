package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"bendi/chat"
	"bendi/internal/life"
)

// A Process is a server command that runs when it is needed, and a [chat.Model]
// that answers from it.
//
//	stopped  --somebody asks-->                       queued
//	queued   --there is room-->                       starting
//	queued   --there is none-->                       stopped
//	starting --it is healthy-->                       ready
//	starting --it ends, or StartTimeout passes-->     failed
//	ready    --it ends-->                             failed
//	ready    --UnloadAfter passes, or Unload-->       stopping
//	stopping --nothing of its group is left-->        stopped
//	failed   --its rest is over-->                    stopped, or queued where it is kept
//	any      --Close-->                               closed
//
// One that is kept begins as queued, and is no longer kept once it was stopped.
type Process struct {
	cfg    Config
	ctx    context.Context // ends when Close is called
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the supervisor has ended and nothing is left

	mu       sync.Mutex // guards what follows
	state    state
	changed  chan struct{} // closed and replaced at each change of state
	since    time.Time     // when the state began
	rested   time.Time     // of a failed one: when it may be started again
	kept     bool
	starts   int
	failures int        // in a row
	last     *death     // nil: it has never died
	trial    *trial     // the start that is going on, or the last one
	life     *life.Life // when ready
	busy     int        // requests that wait or are being answered
	used     time.Time
}

type state int

const (
	stopped state = iota
	queued
	starting
	ready
	stopping
	failed
	closed
)

// A trial is a start that somebody has asked for. All who ask meanwhile share
// it, and its end.
type trial struct{ err *chat.Error }

// States of a process, as [Process.State] names them.
const (
	Loaded   = "loaded" // or being stopped: what it takes is not free yet
	Loading  = "loading"
	Unloaded = "unloaded" // or waiting for room
	Failed   = "failed"
)

// Start gets ready to run a command and returns at once. It fails only where
// the command could never be started.
func Start(cfg Config) (*Process, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	p := &Process{cfg: cfg, done: make(chan struct{}), changed: make(chan struct{}), since: time.Now(), kept: cfg.Keep, trial: new(trial)}
	if p.kept {
		p.state = queued
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	go func() {
		defer close(p.done)
		p.supervise()
	}()
	return p, nil
}

// supervise runs the command again and again, whenever it is wanted.
func (p *Process) supervise() {
	for {
		p.mu.Lock()
		state, changed, rest := p.state, p.changed, time.Until(p.rested)
		p.mu.Unlock()
		var over <-chan time.Time
		switch state {
		case closed:
			return
		case queued:
			if done, ok := p.admit(); ok {
				d := p.live(done)
				done()
				p.bury(d)
			}
			continue
		case failed:
			over = time.After(rest)
		}
		select {
		case <-changed:
		case <-over:
			p.recover()
		}
	}
}

// admit waits until there is room, and notes the start; ok is false where there
// is none or nothing is wanted any more. done may be called more than once.
func (p *Process) admit() (done func(), ok bool) {
	done = func() {}
	if p.cfg.Admit != nil {
		var err error
		if done, err = p.cfg.Admit(p.ctx); err != nil {
			p.refuse(err)
			return nil, false
		}
		done = sync.OnceFunc(done)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != queued {
		done()
		return nil, false
	}
	p.starts++
	p.enter(starting)
	return done, true
}

// refuse ends a start for which there is no room.
func (p *Process) refuse(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != queued {
		return
	}
	e, ok := errors.AsType[*chat.Error](err)
	if !ok {
		e = p.unavailable("", "backend %s cannot be started now", p.cfg.Name)
		e.Err = err
	}
	p.cfg.Log.Warn("server not started", "err", err)
	p.trial.err, p.kept = e, false
	p.enter(stopped)
}

// recover ends the rest of a failed process.
func (p *Process) recover() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.state != failed:
	case p.kept:
		p.trial = new(trial)
		p.enter(queued)
	default:
		p.enter(stopped)
	}
}

// arrive notes that the server is healthy.
func (p *Process) arrive(l *life.Life) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != starting {
		return
	}
	p.cfg.Log.Info("server ready", slog.Int("start", p.starts), slog.Duration("took", time.Since(p.since).Round(time.Millisecond)))
	p.life, p.used = l, time.Now()
	p.enter(ready)
}

// steady is how long a server has to have been ready for its failures to be
// forgotten.
const steady = time.Minute

// bury notes the end of a server, and ends the requests that it was answering.
func (p *Process) bury(d *death) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.life
	p.life = nil
	switch p.state {
	case closed:
		return
	case stopping:
		l.End(life.ErrOver)
		p.enter(stopped)
		p.cfg.Log.Info("server stopped")
		return
	}
	if p.state == ready && time.Since(p.since) >= steady {
		p.failures = 0
	}
	p.failures++
	p.last = d
	rest := p.rest()
	p.rested = time.Now().Add(rest)
	p.cfg.Log.Warn("server died", slog.Int("start", p.starts), slog.Int("failures in a row", p.failures), slog.Duration("next start not before", rest.Round(time.Millisecond)), slog.Any("err", d))
	if l != nil {
		fate := p.unavailable(chat.CodeEngineFailed, "the server of backend %s died while answering; it is started again when somebody asks: ask again", p.cfg.Name)
		fate.RetryAfter = max(time.Second, rest)
		l.End(fate)
	} else {
		p.trial.err = p.unavailable("", "the server of backend %s could not be started: it %s; the operator finds the reason in the log", p.cfg.Name, d.how)
		p.trial.err.RetryAfter = max(time.Second, rest)
	}
	p.enter(failed)
}

// rest returns how long a process that has failed is left alone, with jitter,
// so that many do not start at once. p.mu is held.
func (p *Process) rest() time.Duration {
	d := p.cfg.Backoff << min(p.failures-1, 16)
	d = min(d, max(maxBackoff, p.cfg.Backoff))
	return d/2 + rand.N(d/2+1)
}

// enter changes the state. p.mu is held.
func (p *Process) enter(s state) {
	p.state, p.since = s, time.Now()
	close(p.changed)
	p.changed = make(chan struct{})
}

// unavailable makes an error with the last death as its cause, but for what the
// server wrote. p.mu is held.
func (p *Process) unavailable(code, format string, args ...any) *chat.Error {
	err := chat.Errorf(chat.Unavailable, format, args...)
	err.Code = code
	if p.last != nil && p.state != closed {
		err.Err = p.last.brief()
	}
	return err
}

// refusal is what a client is told when waiting is of no use. p.mu is held.
func (p *Process) refusal() *chat.Error {
	if p.state == closed {
		return p.unavailable(chat.CodeShuttingDown, "backend %s is being shut down", p.cfg.Name)
	}
	err := p.unavailable("", "the server of backend %s has failed %d times in a row and is left alone for a while; the operator finds the reason in the log", p.cfg.Name, p.failures)
	err.RetryAfter = max(time.Second, time.Until(p.rested))
	return err
}

// Ready returns nil when the server can answer, if only after it was started.
// Otherwise its error says what goes on, and wraps how it died. What it wrote
// before is in the log.
func (p *Process) Ready() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.state == failed, p.state == closed:
		return p.refusal()
	case p.kept && (p.state == queued || p.state == starting):
		return p.unavailable("", "the server of backend %s has been starting for %v", p.cfg.Name, life.Rough(time.Since(p.since)))
	}
	return nil
}

// Wait waits until the server is ready, or nothing is wanted of it, and returns
// nil, or has failed or is closed, and returns what Ready does. When ctx ends
// first, the error wraps its cause.
func (p *Process) Wait(ctx context.Context) error {
	for {
		p.mu.Lock()
		state, changed := p.state, p.changed
		p.mu.Unlock()
		if state != queued && state != starting {
			return p.Ready()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the server of backend %s: %w", p.cfg.Name, context.Cause(ctx))
		}
	}
}

// State says whether the server has memory.
func (p *Process) State() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.state {
	case ready, stopping:
		return Loaded
	case starting:
		return Loading
	case failed:
		return Failed
	}
	return Unloaded
}

// SetReadyWait has a request from now on wait so long for a server that is not
// ready.
func (p *Process) SetReadyWait(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cfg.ReadyWait = d
}

// Restarts returns how often the command was started after the first time.
func (p *Process) Restarts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, p.starts-1)
}

// Idle returns since when nobody has asked for a server that is ready; ok is
// false when it is not, or somebody waits for it or is being answered.
func (p *Process) Idle() (since time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used, p.state == ready && p.busy == 0
}

// Unload stops a server that nobody needs, and waits until its memory is free.
// It reports whether it is.
func (p *Process) Unload(ctx context.Context) bool {
	p.mu.Lock()
	p.dismiss()
	for p.state == stopping {
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
		p.mu.Lock()
	}
	defer p.mu.Unlock()
	return p.state == stopped
}

// dismiss begins to stop the server, unless somebody needs it. p.mu is held.
func (p *Process) dismiss() {
	if p.state == ready && p.busy == 0 {
		p.kept = false
		p.enter(stopping)
		close(p.life.Leave)
	}
}

// tire stops the server, if nobody has asked for long enough. Else it returns
// how long to wait until it may be so.
func (p *Process) tire() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.cfg.UnloadAfter - time.Since(p.used)
	switch {
	case p.busy > 0:
		return p.cfg.UnloadAfter
	case left <= 0:
		p.dismiss()
		return p.cfg.UnloadAfter
	}
	return left
}

// Close ends the process group of the server, and with it every answer, and
// waits until nothing is left of it: SIGTERM first, SIGKILL after StopTimeout.
// It may be called more than once.
func (p *Process) Close() {
	p.mu.Lock()
	if p.state != closed {
		p.enter(closed)
		p.cancel(p.refusal())
	}
	p.mu.Unlock()
	<-p.done
}
