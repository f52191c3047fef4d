package filter

import (
	"iter"
	"maps"
	"slices"

	"bendi/chat"
)

// A restoration puts values back in the answer to one request.
type restoration struct {
	*issued
	json    bool // the content is JSON
	choices map[int]*restored
}

// restored are the texts of a choice.
type restored struct {
	content, reasoning, refusal restorer
	calls                       map[int]*restorer
}

func (r *restoration) choice(i int) *restored {
	if r.choices == nil {
		r.choices = make(map[int]*restored)
	}
	c := r.choices[i]
	if c == nil {
		c = &restored{
			content: restorer{issued: r.issued, json: r.json}, reasoning: restorer{issued: r.issued}, refusal: restorer{issued: r.issued},
			calls: make(map[int]*restorer),
		}
		r.choices[i] = c
	}
	return c
}

func (r *restoration) call(c *restored, i int) *restorer {
	if c.calls[i] == nil {
		c.calls[i] = &restorer{issued: r.issued, json: true}
	}
	return c.calls[i]
}

// take yields what an event becomes. What was held of a choice goes out before
// its end. Log probabilities are left out: they tell the tokens, and do not fit
// what is put back.
func (r *restoration) take(ev chat.Event) iter.Seq[chat.Event] {
	return func(yield func(chat.Event) bool) {
		c := r.choice(ev.Choice)
		out := ev
		out.LogProbs, out.Restored, out.Finish, out.Stopped, out.Usage, out.AIGC = nil, nil, "", "", nil, nil
		putBack(&out, &c.content, &out.Text, false)
		putBack(&out, &c.reasoning, &out.Reasoning, false)
		putBack(&out, &c.refusal, &out.Refusal, false)
		if ev.ToolCall != nil {
			d := *ev.ToolCall
			out.ToolCall = &d
			if d.Arguments != "" {
				putBack(&out, r.call(c, d.Index), &d.Arguments, false)
				if d.Arguments == "" && d.ID == "" && d.Name == "" {
					out.ToolCall = nil
				}
			}
		}
		end := ev.Finish != "" || ev.Usage != nil
		if says := !silent(&out) || out.Filtered != nil || out.Backend != ""; says || silent(&ev) && !end {
			if !yield(out) {
				return
			}
			out.Backend, out.Arm, out.Filtered = "", "", nil
		}
		if ev.Finish != "" {
			for held := range r.end(c) {
				held.Choice = ev.Choice
				if !yield(held) {
					return
				}
			}
		}
		if end {
			yield(chat.Event{Choice: ev.Choice, Finish: ev.Finish, Stopped: ev.Stopped, Usage: ev.Usage, AIGC: ev.AIGC})
		}
	}
}

// end yields what is held of a choice: beginnings of tokens that go on no more.
// They are left as they are.
func (r *restoration) end(c *restored) iter.Seq[chat.Event] {
	return func(yield func(chat.Event) bool) {
		var ev chat.Event
		putBack(&ev, &c.content, &ev.Text, true)
		putBack(&ev, &c.reasoning, &ev.Reasoning, true)
		putBack(&ev, &c.refusal, &ev.Refusal, true)
		if !silent(&ev) && !yield(ev) {
			return
		}
		for _, i := range slices.Sorted(maps.Keys(c.calls)) {
			d := &chat.ToolCallDelta{Index: i}
			ev := chat.Event{ToolCall: d}
			if putBack(&ev, c.calls[i], &d.Arguments, true); d.Arguments != "" && !yield(ev) {
				return
			}
		}
	}
}

// putBack makes of a text of ev what goes out of it, and notes what was put back.
// The texts of an event come in the order that [chat.Event.Restored] has.
func putBack(ev *chat.Event, r *restorer, text *string, last bool) {
	at := 0
	switch text {
	case &ev.Text:
	case &ev.Reasoning:
		at = len(ev.Text)
	case &ev.Refusal:
		at = len(ev.Text) + len(ev.Reasoning)
	default:
		at = len(ev.Text) + len(ev.Reasoning) + len(ev.Refusal)
	}
	if *text == "" && !last {
		return
	}
	out, back := r.write(*text, last)
	*text = out
	for _, s := range back {
		ev.Restored = append(ev.Restored, chat.Stretch{Start: at + s.Start, End: at + s.End})
	}
}
