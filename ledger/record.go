package ledger

import (
	"context"
	"iter"
	"time"
	"unicode/utf8"

	"bendi/chat"
)

// Record returns a Model that asks next and, at the end of each answer that was
// ranged over, gives its Entry to sink, which must not block.
func Record(next chat.Model, route string, sink func(*Entry)) chat.Model {
	return recorded{next, route, sink}
}

type recorded struct {
	next  chat.Model
	route string
	sink  func(*Entry)
}

func (m recorded) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		e := &Entry{
			ID: req.ID, AnswerID: req.AnswerID, Start: time.Now(), Principal: req.Principal, Session: req.Session,
			Route: m.route, Model: req.Model, Outcome: Gone,
		}
		ctx, tell := Listen(ctx, e.Start)
		var opening opening
		defer func() {
			e.Total = time.Since(e.Start)
			e.Phrase = SoundsLikeRefusal(opening.String())
			tell(e)
			m.sink(e)
		}()
		for ev, err := range m.next.Chat(ctx, req) {
			if err != nil {
				if ctx.Err() == nil {
					e.Outcome, e.Err = Failed, err
				}
				yield(ev, err)
				return
			}
			e.note(ev)
			opening.add(ev)
			if !yield(ev, nil) {
				return
			}
		}
		e.Outcome = Success
	}
}

// note adds what an event tells.
func (e *Entry) note(ev chat.Event) {
	if e.First == 0 && (ev.Text != "" || ev.Reasoning != "" || ev.Refusal != "" || ev.ToolCall != nil) {
		e.First = max(time.Since(e.Start), 1)
	}
	e.Runes += utf8.RuneCountInString(ev.Text)
	e.Refusal = e.Refusal || ev.Refusal != ""
	if ev.Finish != "" && ev.Choice == 0 {
		e.Finish = ev.Finish
	}
	if ev.Usage != nil {
		e.Usage = *ev.Usage
	}
	if ev.Filtered != nil {
		if ev.Filtered.Answer {
			e.Answer = ev.Filtered
		} else {
			e.Request = ev.Filtered
		}
	}
	if e.Backend == "" && ev.Backend != "" {
		e.Backend, e.Arm = ev.Backend, ev.Arm
	}
}
