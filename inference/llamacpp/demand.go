package llamacpp

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"bendi/chat"
)

// A trial is an attempt to load a model that somebody has asked for. All who
// ask meanwhile share it, and its end.
type trial struct {
	err *chat.Error // why it failed; nil: it has not
}

// call has the model loaded, if it is not. w.mu is held.
func (w *Worker) call() {
	if w.state == unloaded {
		w.trial = new(trial)
		w.enter(loading, time.Now())
	}
}

// wanted waits until a process is to be started and there is room for it. It
// reports false when there is none, or the worker is being closed.
func (w *Worker) wanted() (done func(), ok bool) {
	done = func() {}
	for {
		w.mu.Lock()
		state, changed, trial := w.state, w.changed, w.trial
		w.mu.Unlock()
		switch {
		case state == closed:
			return nil, false
		case state == unloaded:
			select {
			case <-changed:
			case <-w.ctx.Done():
			}
			continue
		case trial == nil || w.cfg.Admit == nil:
		default:
			var err error
			if done, err = w.cfg.Admit(w.ctx); err != nil {
				w.refuse(trial, err)
				return nil, false
			}
			done = sync.OnceFunc(done)
		}
		if trial != nil {
			w.mu.Lock()
			w.attempt++
			w.mu.Unlock()
		}
		return done, true
	}
}

// refuse ends a trial for which there is no room.
func (w *Worker) refuse(t *trial, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == closed {
		return
	}
	e, ok := err.(*chat.Error)
	if !ok {
		e = w.unavailable("", "model %s cannot be loaded now", w.cfg.Name)
		e.Err = err
	}
	w.cfg.Log.Warn("model refused", "err", err)
	t.err = e
	w.enter(unloaded, time.Now())
}

// come notes a request, so that the model is not unloaded under it.
func (w *Worker) come() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy++
}

// part notes its end.
func (w *Worker) part() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy--; w.busy == 0 {
		w.used = time.Now()
	}
}

// unloadTimer fires after d; never where a model is not to be unloaded.
func (w *Worker) unloadTimer(d time.Duration) <-chan time.Time {
	if w.cfg.UnloadAfter == 0 {
		return nil
	}
	return time.After(d)
}

// tire unloads the model, if nobody has asked for long enough. Else it returns
// how long to wait until it may be so.
func (w *Worker) tire() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := w.cfg.UnloadAfter - time.Since(w.used)
	switch {
	case w.busy > 0:
		return w.cfg.UnloadAfter
	case left <= 0:
		w.dismiss()
		return w.cfg.UnloadAfter
	}
	return left
}

// dismiss begins to unload the model, unless somebody needs it. w.mu is held.
func (w *Worker) dismiss() {
	if w.state == ready && w.busy == 0 {
		if w.trial == nil {
			w.trial = new(trial) // from now on it is loaded on demand
		}
		w.enter(unloading, time.Now())
		close(w.proc.Leave)
	}
}

// Idle returns since when nobody has asked for a loaded model; ok is false when
// it is not loaded, or somebody waits for it or is being answered.
func (w *Worker) Idle() (since time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.used, w.state == ready && w.busy == 0
}

// Unload ends the process of a model that nobody needs, and waits until its
// memory is free. It reports whether it is.
func (w *Worker) Unload(ctx context.Context) bool {
	w.mu.Lock()
	w.dismiss()
	for w.state == unloading {
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
		w.mu.Lock()
	}
	defer w.mu.Unlock()
	return w.state == unloaded
}

// States of a model, as [Worker.State] names them.
const (
	Loaded   = "loaded"
	Loading  = "loading" // or being restarted
	Unloaded = "unloaded"
	Failed   = "failed"
)

// State says whether the model is in memory.
func (w *Worker) State() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.residence()
}

// residence is State. w.mu is held.
func (w *Worker) residence() string {
	switch w.state {
	case ready:
		return Loaded
	case loading, restarting:
		return Loading
	case failed:
		return Failed
	default:
		return Unloaded
	}
}

// clearSocket removes a dead worker's socket. Where the folder is gone, as
// those that clean up temporary files do it, it is made anew; one that another
// user has put there is not taken.
func (w *Worker) clearSocket() error {
	dir := filepath.Dir(w.socket)
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || info.Mode().Perm() != 0o700 || ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is no longer the folder that was made for the socket: remove it", dir)
	}
	os.Remove(w.socket) // where there is none, fine
	return nil
}
