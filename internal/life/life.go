// Package life is what the supervisors of server processes have in common: a
// run of a process, as those see it who are answered by it. When and how one is
// started, stopped and started again is up to each of them.
package life

import (
	"context"
	"errors"
	"iter"
	"os/exec"
	"time"

	"bendi/chat"
)

// A Life is one run of a process, from when it can answer.
type Life struct {
	Model chat.Model              // speaks with it
	Leave chan struct{}           // closed when it is to be stopped
	End   context.CancelCauseFunc // ends it; the cause is what its requests are told

	ctx context.Context
}

// New returns a life that ends with ctx at the latest.
func New(ctx context.Context, m chat.Model) *Life {
	l := &Life{Model: m, Leave: make(chan struct{})}
	l.ctx, l.End = context.WithCancelCause(ctx)
	return l
}

// ErrOver is the end of a life that nobody needs any more, and of a request that
// has its answer.
var ErrOver = errors.New("the answer is over")

// breakTime is how long the connections of a dead process may take to break.
const breakTime = 300 * time.Millisecond

// Request returns the context of a request of the process, and what ends it. The
// connection to a dead process breaks by itself, and how it breaks says more,
// such as whether the request was taken. The context ends a little later, for
// one that does not break.
func (l *Life) Request(ctx context.Context) (inner context.Context, over func()) {
	inner, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() {
		time.AfterFunc(breakTime, func() { cancel(l.Fate()) })
	})
	return inner, func() {
		stop()
		cancel(ErrOver)
	}
}

// Fate is what the requests of a life that has ended are told.
func (l *Life) Fate() error { return context.Cause(l.ctx) }

// Moment is how long who waits in the midst of an answer should wait for the
// news that the process is dead.
const Moment = 800 * time.Millisecond

// Broke reports whether err is the end of a request because the process has
// died. Its connections may tell that before the system does, so the news is
// waited for: for limit at most, and no longer than ctx.
func (l *Life) Broke(ctx context.Context, err error, limit time.Duration) bool {
	e, ok := errors.AsType[*chat.Error](err)
	if !ok || e.Kind != chat.BadBackend && (e.Kind != chat.Unavailable || e.Err == nil) || ctx.Err() != nil {
		return false
	}
	select {
	case <-l.ctx.Done():
		return true
	case <-ctx.Done():
	case <-time.After(limit):
	}
	return false
}

// Once relays an answer that comes in one piece, by the relay of a supervisor
// s for answers that come in several.
func Once[S, Req, Answer any](
	ctx context.Context, s S, req *Req,
	ask func(context.Context, chat.Model, *Req) (*Answer, error),
	relay func(context.Context, S, func(context.Context, chat.Model) iter.Seq2[*Answer, error]) iter.Seq2[*Answer, error],
) (*Answer, error) {
	for answer, err := range relay(ctx, s, func(ctx context.Context, m chat.Model) iter.Seq2[*Answer, error] {
		return func(yield func(*Answer, error) bool) { yield(ask(ctx, m, req)) }
	}) {
		return answer, err
	}
	panic("a relay ends with an answer or an error")
}

// Outcome says how a command ended for which Wait has returned err, such as
// "exit status 1".
func Outcome(cmd *exec.Cmd, err error) string {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) || cmd.ProcessState != nil {
		return cmd.ProcessState.String()
	}
	return err.Error()
}

// Rough makes a duration fit to be read.
func Rough(d time.Duration) time.Duration { return max(0, d).Round(100 * time.Millisecond) }
