package router

import (
	"iter"
	"strings"
	"time"

	"bendi/chat"
)

// An answer is the chat answer of a call.
type answer struct {
	call
	req    *chat.Request
	yield  func(chat.Event, error) bool
	inside bool  // of yield
	left   bool  // the loop over the answer was left
	race   *race // of the last try; nil: none
	said   *said // nil: nobody goes on with it
}

// mostHeld is how many events are held back that come before the first token.
const mostHeld = 256

// stream asks the backend of a try, and emits the events of its answer from the
// first token on. It returns nil when that was whole.
func (a *answer) stream(t *try, emit func(chat.Event) bool) error {
	tally := newTally(t.backend, a.req.N)
	var held []chat.Event
	for ev, err := range a.sequence(t) {
		if tally.ended {
			return nil // whatever still comes, the answer was whole
		}
		if err != nil {
			return err
		}
		if err := tally.take(&ev); err != nil {
			return err
		}
		if ev.Backend == "" {
			ev.Backend = t.backend.Name
		}
		if !t.committed {
			if !says(&ev) {
				if held = append(held, ev); len(held) > mostHeld {
					return chat.Errorf(chat.BadBackend, "The backend %q sent %d events without a token in them.", t.backend.Name, mostHeld)
				}
				continue
			}
			if err := t.commit(); err != nil {
				return err
			}
			for _, h := range held {
				if !emit(h) {
					return errLeft
				}
			}
		}
		if t.idle != nil {
			t.idle.Stop() // while the client takes its time
		}
		if !emit(ev) && !tally.ended {
			return errLeft
		}
		t.hears()
	}
	if err := tally.end(); err != nil || t.committed {
		return err
	}
	if err := t.commit(); err != nil { // an answer without a word is one
		return err
	}
	for i, h := range held {
		if !emit(h) && i < len(held)-1 {
			return errLeft
		}
	}
	return nil
}

// sequence asks the backend of a try.
func (a *answer) sequence(t *try) iter.Seq2[chat.Event, error] {
	req, name := a.req, t.backend.name(a.req.Model)
	whole := req.Whole && !a.watches(t)
	t.timed = !whole
	if name != req.Model || t.hedge || a.goesOn || whole != req.Whole {
		own := *req
		own.Model, own.Whole = name, whole
		if t.hedge {
			own.Waiting, own.Burst = nil, nil // those are for the client's loop, where the first backend is asked
		}
		if a.goesOn {
			a.said.prefill(&own)
		}
		req = &own
	}
	return t.backend.Model.Chat(t.ctx, req)
}

// watches reports whether it matters when the backend of a try begins: there
// is a bound to that, a hedge, or somebody who may go on with half an answer.
// Then an answer is asked for in pieces even where its client wants it whole.
func (a *answer) watches(t *try) bool {
	return a.pool.Hedge || a.said != nil || t.backend.FirstToken > 0
}

// emit passes an event to the client's loop.
func (a *answer) emit(ev chat.Event) bool {
	if a.said != nil {
		a.said.note(&ev)
	}
	a.inside = true
	ok := a.yield(ev, nil)
	a.inside = false
	a.left = !ok
	return ok
}

// ask has the backend of a try answer, or its hedge.
func (a *answer) ask(t *try) (o outcome, committed bool, err error) {
	a.hedge(t)
	err = a.stream(t, a.emit)
	if a.race != nil {
		return a.race.finish(err)
	}
	o, err = t.end(err)
	return o, t.committed, err
}

// close ends what a panic has not let end by itself.
func (a *answer) close() {
	if a.race != nil {
		a.race.cancel()
	}
	if t := a.current; t != nil && a.inside {
		t.end(errLeft) // the panic is that of the client's loop
	}
	a.call.close()
}

// said is what a client has heard of an answer that somebody else may have to
// go on with.
type said struct {
	text, reasoning strings.Builder
	pieces          int // of those that are being gone on with; a token each, at least
	now             int // of the backend that answers
	resumed         bool
	final           bool // nobody can go on with it
}

func (s *said) note(ev *chat.Event) {
	s.text.WriteString(ev.Text)
	s.reasoning.WriteString(ev.Reasoning)
	if says(ev) {
		s.now++
	}
	s.final = s.final || ev.ToolCall != nil || ev.Refusal != "" || ev.Finish != ""
	if ev.Usage != nil && s.resumed {
		u := *ev.Usage
		u.CompletionTokens += s.pieces
		u.Partial = true
		ev.Usage = &u
	}
}

// prefill has req ask for the rest of the answer.
func (s *said) prefill(req *chat.Request) {
	half := chat.TextMessage(chat.Assistant, s.text.String())
	half.Reasoning = s.reasoning.String()
	req.Messages = append(req.Messages[:len(req.Messages):len(req.Messages)], half)
	req.Continue = true
	if req.MaxTokens > 0 {
		req.MaxTokens -= s.pieces
	}
}

// resume reports whether another backend is to go on with half an answer, which
// is what there is.
func (a *answer) resume() bool {
	s := a.said
	if s == nil || s.final || s.text.Len() == 0 || a.left || a.req.MaxTokens > 0 && s.pieces+s.now >= a.req.MaxTokens {
		return false
	}
	s.pieces, s.now, s.resumed = s.pieces+s.now, 0, true
	a.goesOn, a.deadline = true, time.Now().Add(a.pool.FirstToken)
	a.note(Step{What: Resumed})
	return true
}
