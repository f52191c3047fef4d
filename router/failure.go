package router

import (
	"errors"
	"fmt"
	"time"

	"bendi/chat"
)

// An outcome is what the end of a try means for the request and its backend.
type outcome uint8

const (
	whole   outcome = iota
	gone            // the client has left, or the time of the request is over
	lost            // another backend was faster
	refused         // the request is at fault: no backend would answer it
	small           // the prompt does not fit this backend's window
	absent          // the backend does not have the model, or may not be told this
	limited         // it asks to be left alone for a while
	fault           // it failed
	barred          // it failed, and will fail again: it does not take our key
	deadly          // it failed, and maybe of this request: one more is asked, not many
)

// movesOn reports whether another backend may be asked.
func (o outcome) movesOn() bool { return o >= small }

// faulty reports whether the backend is to blame.
func (o outcome) faulty() bool { return o >= fault }

// defaultPark is how long a backend is left alone that refuses more requests
// and does not say for how long.
const defaultPark = time.Second

// A mortal is an error that can tell whether the backend may have failed of the
// request itself, such as a server that says 500.
type mortal interface {
	error
	Deadly() bool
}

// meaning tells what an error of a backend means.
func meaning(err error) (outcome, *chat.Error) {
	e, ok := errors.AsType[*chat.Error](err)
	if !ok {
		return deadly, &chat.Error{Kind: chat.Internal}
	}
	switch e.Kind {
	case chat.Unauthenticated, chat.Forbidden:
		return barred, e
	case chat.RateLimited:
		return limited, e
	case chat.NotFound:
		return absent, e
	case chat.Unavailable:
		switch {
		case e.Code == chat.CodeEngineFailed:
			return deadly, e
		case e.Code == "" && e.RetryAfter > 0: // it has enough to do, and says so
			return limited, e
		}
		return fault, e
	case chat.Internal:
		return deadly, e
	case chat.BadBackend, chat.Timeout:
		if e.Code == CodeBackendAuth {
			return barred, e
		}
		if d, ok := errors.AsType[mortal](err); ok && d.Deadly() {
			return deadly, e
		}
		return fault, e
	case chat.Invalid:
		switch {
		case e.Code == chat.CodeContextLength:
			return small, e
		case e.Filtered != nil: // what keeps data from it says no
			return absent, e
		}
	}
	return refused, e
}

// CodeBackendAuth is the code of a backend that does not take our key, which only
// the operator can mend. A backend may give it itself.
const CodeBackendAuth = "backend_auth"

// told returns what the client is told of an error of b. A key that b does not
// take is not the client's, and what b says of it may hold a piece of it; nor is
// the name that b calls the model by.
func told(err error, o outcome, e *chat.Error, b *Backend) error {
	switch _, ok := errors.AsType[*chat.Error](err); {
	case o == barred:
		return &chat.Error{
			Kind: chat.BadBackend, Code: CodeBackendAuth,
			Msg: fmt.Sprintf("The backend %q refused the key that the gateway is configured with; the operator has to set a valid one.", b.Name),
			Err: fmt.Errorf("its error was of the kind %q", e.Kind),
		}
	case o == absent && e.Kind == chat.NotFound && b.As != "":
		return &chat.Error{
			Kind: chat.BadBackend,
			Msg:  fmt.Sprintf("The backend %q does not have the model that it is to be asked for; the operator has to correct its name.", b.Name),
			Err:  err,
		}
	case !ok:
		return fmt.Errorf("backend %s: %w", b.Name, err)
	}
	return err
}

// CodeBackendTimeout is the code of a backend that took too long.
const CodeBackendTimeout = "backend_timeout"

func slow(b *Backend, limit time.Duration) error {
	return &chat.Error{
		Kind: chat.Timeout, Code: CodeBackendTimeout,
		Msg: fmt.Sprintf("The backend %q had not begun to answer after %v; try again later, or ask for less.", b.Name, rounded(limit)),
	}
}

func silent(b *Backend) error {
	return &chat.Error{
		Kind: chat.Timeout, Code: CodeBackendTimeout,
		Msg: fmt.Sprintf("The backend %q broke off: it had said nothing for %v in the midst of its answer.", b.Name, rounded(b.Idle)),
	}
}

func tooLong(limit time.Duration) error {
	return &chat.Error{
		Kind: chat.Timeout, Code: CodeBackendTimeout,
		Msg: fmt.Sprintf("The answer was not whole after %v, the longest that one may take here; ask for less.", rounded(limit)),
	}
}

func rounded(d time.Duration) time.Duration {
	return d.Round(min(max(d/1000, 1), 100*time.Millisecond))
}

// A tally holds a backend to what [chat.Model] promises of an answer.
type tally struct {
	backend  *Backend
	n        int // choices
	finished uint64
	more     []bool // those beyond the 64th
	left     int
	ended    bool
}

func newTally(b *Backend, n int) tally {
	n = max(n, 1)
	t := tally{backend: b, n: n, left: n}
	if n > 64 {
		t.more = make([]bool, n-64)
	}
	return t
}

// take notes an event, or returns which promise it breaks.
func (t *tally) take(ev *chat.Event) error {
	if ev.Choice < 0 || ev.Choice >= t.n {
		return chat.Errorf(chat.BadBackend, "The backend %q answered choice %d of a request for %d.", t.backend.Name, ev.Choice+1, t.n)
	}
	if (says(ev) || ev.Finish != "") && t.done(ev.Choice) {
		return chat.Errorf(chat.BadBackend, "The backend %q went on with choice %d when that was over.", t.backend.Name, ev.Choice+1)
	}
	if ev.Finish != "" {
		t.left--
		if ev.Choice < 64 {
			t.finished |= 1 << ev.Choice
		} else {
			t.more[ev.Choice-64] = true
		}
	}
	if ev.Usage != nil {
		if t.left > 0 {
			return t.short()
		}
		t.ended = true
	}
	return nil
}

func (t *tally) done(choice int) bool {
	if choice < 64 {
		return t.finished&(1<<choice) != 0
	}
	return t.more[choice-64]
}

// end returns which promise an answer breaks that is over.
func (t *tally) end() error {
	switch {
	case t.left > 0:
		return t.short()
	case !t.ended:
		return chat.Errorf(chat.BadBackend, "The backend %q broke off before it told the usage.", t.backend.Name)
	}
	return nil
}

func (t *tally) short() error {
	return chat.Errorf(chat.BadBackend, "The backend %q broke off: %d of %d choices had not ended.", t.backend.Name, t.left, t.n)
}

// says reports whether an event has something of an answer in it. The first
// one that does commits the backend.
func says(ev *chat.Event) bool {
	return ev.Text != "" || ev.Reasoning != "" || ev.Refusal != "" || ev.ToolCall != nil
}
