package llamacpp

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"bendi/chat"
	"bendi/internal/life"
)

// A Worker is one model, answered by a supervised process.
//
//	loading    --ready line-->              ready
//	loading    --death or StartTimeout-->   restarting, or failed
//	ready      --death-->                   restarting, or failed
//	restarting --delay passes-->            loading
//	failed     --a minute passes, one attempt gets ready--> ready
//	any        --Close-->                   closed
//
// The delay and the step to failed are the [record]'s. A failed worker
// refuses requests at once; while it is loading or restarting they wait.
//
// One that is loaded on demand begins as unloaded:
//
//	unloaded  --somebody asks-->                  loading
//	loading   --death, or there is no room-->     unloaded, or failed
//	ready     --death-->                          unloaded, or failed
//	ready     --UnloadAfter passes, or Unload-->  unloading
//	unloading --the process has ended-->          unloaded
//	failed    --a minute passes-->                unloaded
//
// So does any other from when it was unloaded for the first time.
type Worker struct {
	cfg    Config
	socket string
	secret []byte           // that hides from the process who asks
	models []chat.ModelInfo // guarded by mu

	changing sync.Mutex // held while an adapter comes or goes

	ctx    context.Context // ends when Close is called
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the supervisor has ended and nothing is left

	mu      sync.Mutex // guards what follows
	state   state
	changed chan struct{} // closed and replaced at each change of state
	since   time.Time     // when the state began; restarting and failed: when the next attempt does, zero when it has
	attempt int           // counts the processes from 1
	last    *death        // of the process before; nil: there was none
	deaths  record
	proc    *process  // when ready
	trial   *trial    // of a model that is loaded on demand; nil: it is not, so far
	busy    int       // requests that wait or are being answered
	used    time.Time // when busy became 0
	window  int       // tokens of a sequence, as the last process said; 0: none has
}

type state int

const (
	loading state = iota
	ready
	restarting
	failed
	closed
	unloaded
	unloading
)

// A process is one life of the worker.
type process struct {
	*life.Life
	info Info
}

// Start begins to run a worker and returns at once; Wait waits until it is
// ready. It fails only where no process could ever be started.
func Start(cfg Config) (*Worker, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	socket, leave, err := life.Socket(cfg.SocketDir, "engine.sock")
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", cfg.Name, err)
	}
	w := &Worker{
		cfg: cfg, socket: socket, secret: []byte(rand.Text()), models: cfg.models(),
		done: make(chan struct{}), changed: make(chan struct{}),
		since: time.Now(), attempt: 1,
	}
	if cfg.Demand {
		w.state, w.trial, w.attempt = unloaded, new(trial), 0
	}
	w.ctx, w.cancel = context.WithCancelCause(context.Background())
	go func() {
		defer close(w.done)
		defer leave()
		w.supervise()
	}()
	return w, nil
}

// supervise starts one process after the other until Close.
func (w *Worker) supervise() {
	for w.ctx.Err() == nil {
		done, ok := w.wanted()
		if !ok {
			continue
		}
		d := w.live(done)
		done()
		select {
		case <-time.After(w.bury(d)):
			w.rise()
		case <-w.ctx.Done():
		}
	}
}

// rise notes that the next process is being started, or may be.
func (w *Worker) rise() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.trial != nil {
		if w.state == failed {
			w.enter(unloaded, time.Now())
		}
		return
	}
	w.attempt++
	switch w.state {
	case failed:
		w.since = time.Time{} // it stays failed until the attempt succeeds
	case restarting:
		w.enter(loading, time.Now())
	}
}

// arrive notes that the process is ready.
func (w *Worker) arrive(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == closed {
		return
	}
	w.cfg.Log.Info("engine ready", slog.Int("attempt", w.attempt), slog.String("what", p.info.Model),
		slog.String("device", p.info.Device), slog.String("library", p.info.Library), slog.Duration("load", p.info.LoadTime))
	w.proc = p
	w.used, w.window = time.Now(), p.info.Context
	w.deaths.ready()
	w.enter(ready, time.Now())
}

// bury notes a death, ends the requests that the process was answering, and
// returns how long to wait before the next attempt.
func (w *Worker) bury(d *death) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == closed {
		return 0
	}
	p := w.proc
	w.proc = nil
	if w.state == unloading {
		p.End(life.ErrOver)
		w.enter(unloaded, time.Now())
		w.cfg.Log.Info("model unloaded")
		return 0
	}
	w.last = d
	delay, gaveUp := w.deaths.died(time.Now(), d.wasReady)
	var fate *chat.Error
	if gaveUp {
		delay = w.cfg.testOnlyTimes.rest
		w.enter(failed, time.Now().Add(delay))
		fate = w.refusal()
		w.cfg.Log.Error("engine failed", slog.String("why", w.deaths.failed), slog.Duration("next attempt in", delay), slog.Any("err", d))
	} else if w.trial != nil {
		fate = w.unavailable(chat.CodeEngineFailed, "the engine of model %s died while answering; it is loaded again when somebody asks: ask again", w.cfg.Name)
		fate.RetryAfter = time.Second
		w.cfg.Log.Warn("engine died", slog.Int("attempt", w.attempt), slog.Bool("loaded", d.wasReady), slog.Any("err", d))
		if !d.wasReady {
			w.trial.err = w.unavailable(chat.CodeEngineFailed, "model %s could not be loaded: its engine died on the way; the operator finds the reason in the log. Ask again to have it tried again", w.cfg.Name)
			w.trial.err.RetryAfter = max(time.Second, delay)
		}
		w.enter(unloaded, time.Now())
	} else {
		w.enter(restarting, time.Now().Add(delay))
		fate = w.unavailable(chat.CodeEngineFailed, "the engine of model %s died while answering; it is being restarted, ask again", w.cfg.Name)
		fate.RetryAfter = time.Second
		w.cfg.Log.Warn("engine died", slog.Int("attempt", w.attempt), slog.Duration("next attempt in", delay), slog.String("how", d.brief()))
	}
	if p != nil {
		p.End(fate)
	}
	return delay
}

// enter changes the state. w.mu is held.
func (w *Worker) enter(s state, since time.Time) {
	w.state, w.since = s, since
	close(w.changed)
	w.changed = make(chan struct{})
}

// Ready returns nil when the worker can answer, if only after its model has
// been loaded on demand. Otherwise its error says what goes on, and wraps why
// the last process died, with the end of its log: that part is for the operator.
func (w *Worker) Ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.trial != nil && (w.state == unloaded || w.state == loading || w.state == unloading) {
		return nil
	}
	if err := w.condition(); err != nil {
		return err
	}
	return nil
}

// condition is what keeps the process from answering now, or nil. w.mu is held.
func (w *Worker) condition() *chat.Error {
	switch w.state {
	case unloaded, unloading:
		return w.unavailable("", "model %s is not loaded", w.cfg.Name)
	case ready:
		return nil
	case closed:
		return w.refusal()
	case failed:
		next := "it is being tried again now"
		if w.trial != nil {
			next = "it is tried again when somebody asks for it later than " + life.Rough(time.Until(w.since)).String() + " from now"
		} else if !w.since.IsZero() {
			next = fmt.Sprintf("it is tried again in %v", life.Rough(time.Until(w.since)))
		}
		return w.unavailable(chat.CodeEngineFailed, "model %s has failed: its engine %s; %s", w.cfg.Name, w.deaths.failed, next)
	case restarting:
		return w.unavailable(chat.CodeEngineFailed, "model %s is restarting, attempt %d in %v", w.cfg.Name, w.attempt+1, life.Rough(time.Until(w.since)))
	}
	return w.unavailable("", "model %s has been loading for %v, attempt %d", w.cfg.Name, life.Rough(time.Since(w.since)), w.attempt)
}

// refusal is what a client is told when waiting is of no use. w.mu is held.
func (w *Worker) refusal() *chat.Error {
	if w.state == closed {
		return w.unavailable(chat.CodeShuttingDown, "model %s is being shut down", w.cfg.Name)
	}
	err := w.unavailable(chat.CodeEngineFailed, "the engine of model %s %s; the operator finds the reason in the log and with `bendi doctor`", w.cfg.Name, w.deaths.failed)
	err.RetryAfter = max(time.Second, time.Until(w.since))
	return err
}

// unavailable makes an error with the last death as its cause. w.mu is held.
func (w *Worker) unavailable(code, format string, args ...any) *chat.Error {
	err := chat.Errorf(chat.Unavailable, format, args...)
	err.Code = code
	if w.last != nil && w.state != closed {
		err.Err = w.last
	}
	return err
}

// Wait waits until the worker is ready, or nothing is wanted of it yet, and
// returns nil, or has failed or is closed, and returns what Ready does. When
// ctx ends first, the error wraps
// its cause and says how far the worker had come.
func (w *Worker) Wait(ctx context.Context) error {
	for {
		w.mu.Lock()
		state, changed, err := w.state, w.changed, w.condition()
		w.mu.Unlock()
		switch state {
		case ready, unloaded, unloading:
			return nil
		case failed, closed:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), w.Ready())
		}
	}
}

// SetReadyWait has a request from now on wait so long for a worker that is not
// ready.
func (w *Worker) SetReadyWait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cfg.ReadyWait = d
}

// Info returns what the worker says of itself; ok is false unless it is ready.
func (w *Worker) Info() (info Info, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != ready {
		return Info{}, false
	}
	return w.proc.info, true
}

// Close ends the worker's process group, and with it every answer, and waits
// until nothing is left of it: SIGTERM first, SIGKILL two seconds later. It
// may be called more than once.
func (w *Worker) Close() error {
	w.mu.Lock()
	if w.state != closed {
		w.enter(closed, time.Now())
		w.cancel(w.refusal())
	}
	w.mu.Unlock()
	<-w.done
	return nil
}
