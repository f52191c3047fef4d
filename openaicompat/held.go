package openaicompat

import (
	"iter"

	"bendi/chat"
)

// held passes on the events of an answer with n choices, and holds the
// backend to what [chat.Model] promises: a sequence that breaks off, or goes on
// when it is over, ends with an error. What a client is told was a whole
// answer was one.
func held(seq iter.Seq2[chat.Event, error], n int) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		finished := make([]bool, n)
		left, ended := n, false
		for ev, err := range seq {
			if err != nil {
				yield(chat.Event{}, err)
				return
			}
			says := ev.Text != "" || ev.Reasoning != "" || ev.Refusal != "" || ev.ToolCall != nil || ev.Finish != ""
			switch {
			case ev.Choice < 0 || ev.Choice >= n:
				yield(chat.Event{}, chat.Errorf(chat.BadBackend, "The backend answered choice %d of a request for %d.", ev.Choice+1, n))
				return
			case says && finished[ev.Choice], ended:
				yield(chat.Event{}, chat.Errorf(chat.BadBackend, "The backend went on when its answer was over."))
				return
			}
			if ev.Finish != "" {
				finished[ev.Choice] = true
				left--
			}
			ended = ev.Usage != nil
			if ended && left > 0 {
				break
			}
			if !yield(ev, nil) {
				return
			}
		}
		switch {
		case left > 0:
			yield(chat.Event{}, chat.Errorf(chat.BadBackend, "The backend broke off: %d of %d choices had not ended.", left, n))
		case !ended:
			yield(chat.Event{}, chat.Errorf(chat.BadBackend, "The backend broke off before it told the usage."))
		}
	}
}
