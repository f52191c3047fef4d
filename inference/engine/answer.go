package engine

import (
	"context"
	"unicode/utf8"

	"bendi/chat"
	"bendi/inference/engine/dialect"
)

// answer yields what the loop makes of a request's sequences. It returns an
// error that has not been yielded.
func (e *Engine) answer(ctx context.Context, j *job, yield func(chat.Event, error) bool) error {
	usage := chat.Usage{PromptTokens: len(j.prompt)}
	choices := make([]*choiceText, j.out.choices)
	for i := range choices {
		choices[i] = &choiceText{
			choice: i, pieces: e.vocab.pieces, stop: stopFilter{words: j.stop},
			oneCall: j.single && !j.forced, // a forced one is held to it by its grammar
			parser:  j.dialect.Parser(dialect.Options{Tools: j.tools, Opened: j.opened, Eager: j.forced}),
		}
	}
	waiting := newWaiting(j)
	defer waiting.stop()
	for open := len(choices); open > 0; {
		var s step
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-waiting.tick():
			waiting.tell()
			continue
		case s = <-j.out.ring:
			waiting.stop()
		}
		c := choices[s.choice]
		if c.ended {
			continue // a stop string ended it before the loop could know
		}
		if s.err != nil {
			return s.err
		}
		var events []chat.Event
		if s.choice == 0 { // the others share its prompt
			usage.CachedTokens = s.cached
		}
		if s.finish != "" {
			events = c.close(s.finish)
		} else {
			usage.CompletionTokens++
			if c.parser.Reasoning() {
				usage.ReasoningTokens++
			}
			events = c.push(s)
		}
		if c.ended {
			j.end[s.choice](errAnswered)
			if open--; open == 0 {
				events[len(events)-1].Usage = &usage
			}
		}
		for _, ev := range events {
			if !yield(ev, nil) {
				return nil
			}
		}
	}
	return nil
}

// choiceText turns the tokens of a choice into the events that may be let out:
// tokens into runes, runes up to a stop string, and that into content,
// reasoning and tool calls.
type choiceText struct {
	choice int
	pieces [][]byte
	runes  runeBuffer
	stop   stopFilter
	parser *dialect.Parser
	ended  bool

	oneCall bool // the choice ends with its first call

	out  int // bytes let out by the stop filter
	in   int // bytes that tokens brought
	logs []heldLogs
}

// push takes a token. A stop string that it completes ends the choice.
func (c *choiceText) push(s step) []chat.Event {
	piece := c.pieces[s.token]
	if s.logs != nil {
		c.logs = append(c.logs, heldLogs{s.logs, piece, c.in})
	}
	c.in += len(piece)
	text, stopped := c.stop.push(c.runes.push(piece))
	if stopped {
		return c.end(text, chat.Stop, false)
	}
	c.out += len(text)
	events := c.events(c.parser.Push(text), c.release(false))
	if c.oneCall && c.parser.Calls() > 0 {
		c.ended = true
		events[len(events)-1].Finish = chat.ToolCalls
	}
	return events
}

// close takes the end of the choice, and lets out what was held back for what
// might have followed.
func (c *choiceText) close(why chat.Finish) []chat.Event {
	text, stopped := c.stop.push(c.runes.flush())
	if stopped {
		return c.end(text, chat.Stop, false)
	}
	return c.end(text+c.stop.flush(), why, true)
}

// end ends the choice with the last of its text, which is whole unless a stop
// string has cut it.
func (c *choiceText) end(text string, why chat.Finish, whole bool) []chat.Event {
	c.ended = true
	c.out += len(text)
	pieces := append(c.parser.Push(text), c.parser.Close()...)
	if why == chat.Stop && c.parser.Calls() > 0 {
		why = chat.ToolCalls
	}
	events := c.events(pieces, c.release(whole))
	if n := len(events); n > 0 {
		events[n-1].Finish, events[n-1].Stopped = why, c.stop.found
		return events
	}
	return []chat.Event{{Choice: c.choice, Finish: why, Stopped: c.stop.found}}
}

// events turns pieces into events. The log probabilities go with the first.
func (c *choiceText) events(pieces []dialect.Piece, logs []chat.TokenLogProbs) []chat.Event {
	var events []chat.Event
	for _, p := range pieces {
		events = append(events, chat.Event{Choice: c.choice, Text: p.Text, Reasoning: p.Reasoning, ToolCall: p.Call})
	}
	if logs != nil {
		if events == nil {
			events = []chat.Event{{Choice: c.choice}}
		}
		events[0].LogProbs = logs
	}
	return events
}

// heldLogs are the log probabilities of a token whose text begins at a byte.
type heldLogs struct {
	logs  *logprobs
	piece []byte
	at    int
}

// release returns the log probabilities of the tokens whose text has begun to
// go out; at the end of a whole text, of all that are left.
func (c *choiceText) release(all bool) []chat.TokenLogProbs {
	var out []chat.TokenLogProbs
	for len(c.logs) > 0 && (all || c.logs[0].at < c.out) {
		h := c.logs[0]
		out = append(out, h.logs.of(h.piece, c.pieces))
		c.logs = c.logs[1:]
	}
	return out
}

// tokenText returns the bytes of a token as a string; where they are not whole
// runes, with U+FFFD for what is not.
func tokenText(piece []byte) string {
	if utf8.Valid(piece) {
		return string(piece)
	}
	return string([]rune(string(piece)))
}
