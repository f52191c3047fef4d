package engine

import (
	"context"
	"unicode/utf8"

	"bendi/chat"
)

// answer yields what the loop makes of a request's sequences. It returns an
// error that has not been yielded.
func (e *Engine) answer(ctx context.Context, req *chat.Request, out *output, usage chat.Usage, yield func(chat.Event, error) bool) error {
	choices := make([]choiceText, out.choices)
	for i := range choices {
		choices[i] = choiceText{pieces: e.vocab.pieces, stop: stopFilter{words: req.Stop}}
	}
	open := len(choices)
	for open > 0 {
		var s step
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case s = <-out.ring:
		}
		if s.err != nil {
			return s.err
		}
		c := &choices[s.choice]
		if c.ended {
			continue // a stop string ended it before the loop could know
		}
		ev := chat.Event{Choice: s.choice}
		if s.finish != "" {
			ev.Text, ev.Finish = c.close(), s.finish
			if s.choice == 0 { // the others share its prompt
				usage.CachedTokens = s.cached
			}
		} else {
			usage.CompletionTokens++
			ev.Text = c.push(s)
		}
		if c.stopped {
			ev.Finish = chat.Stop
		}
		ev.LogProbs = c.release(ev.Finish != "")
		if ev.Finish != "" {
			c.ended = true
			if open--; open == 0 {
				ev.Usage = &usage
			}
		}
		if ev.Text == "" && ev.Finish == "" && ev.LogProbs == nil {
			continue
		}
		if !yield(ev, nil) {
			return nil
		}
	}
	return nil
}

// choiceText turns the tokens of a choice into the text that may be let out.
type choiceText struct {
	pieces  [][]byte
	runes   runeBuffer
	stop    stopFilter
	stopped bool // by a stop string
	ended   bool

	out  int // bytes let out
	in   int // bytes that tokens brought
	logs []heldLogs
}

// heldLogs are the log probabilities of a token whose text begins at a byte.
type heldLogs struct {
	logs  *logprobs
	piece []byte
	at    int
}

// push adds a token and returns the text that is free to go.
func (c *choiceText) push(s step) string {
	piece := c.pieces[s.token]
	if s.logs != nil {
		c.logs = append(c.logs, heldLogs{s.logs, piece, c.in})
	}
	c.in += len(piece)
	return c.let(c.stop.push(c.runes.push(piece)))
}

// close returns the text that was held back for what might have followed.
func (c *choiceText) close() string {
	text := c.let(c.stop.push(c.runes.flush()))
	if !c.stopped {
		text += c.let(c.stop.flush(), false)
	}
	return text
}

func (c *choiceText) let(text string, stopped bool) string {
	c.out += len(text)
	c.stopped = c.stopped || stopped
	return text
}

// release returns the log probabilities of the tokens whose text has begun to
// go out; at the end, those of a text that a stop string has cut are dropped.
func (c *choiceText) release(end bool) []chat.TokenLogProbs {
	var out []chat.TokenLogProbs
	for len(c.logs) > 0 {
		h := c.logs[0]
		if h.at >= c.out && !(end && !c.stopped) {
			break
		}
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
