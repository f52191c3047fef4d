package wire

import (
	"bytes"
	"encoding/json"

	"bendi/chat"
)

// Chunks reads the chunks of one stream. Most differ from the one before in their
// text alone: only that is read then. The zero value is ready.
type Chunks struct {
	before, after []byte // what stood around the text of the last chunk that was read as a whole
	known         bool
	choice        int
	kind          uint // which of its texts it was: keyContent, keyReasoning or keyRefusal
}

// Append appends what the next chunk tells to events. A chunk is the data of one
// event of a stream, other than "[DONE]". It may tell several events, or none: an
// empty delta, or one that only names the role, is no news.
//
// The error is a *chat.Error: what the server reported within the stream, or
// that this is no chunk. The usage comes as an event of its own. Some servers
// send it with each chunk or before the end; a Model has to hold it back.
//
// Of a delta's index that is missing, the position in the chunk takes the
// place.
func (c *Chunks) Append(events []chat.Event, data []byte) ([]chat.Event, error) {
	if c.known {
		if events, ok := c.again(events, data); ok {
			return events, nil
		}
	}
	a := scannedAnswer{scan: scan{b: data}, said: "delta"}
	if events, ok := a.read(events); ok {
		c.learn(&a)
		return events, nil
	}
	return decodeAnswer(events, data, func(c *answerChoice) json.RawMessage { return c.Delta })
}

// learn keeps what stands around the text of a chunk that has nothing else to
// tell.
func (c *Chunks) learn(a *scannedAnswer) {
	if c.known = a.texts == 1 && a.finish == "" && a.usage == nil; c.known {
		c.before = append(c.before[:0], a.b[:a.start]...)
		c.after = append(c.after[:0], a.b[a.end:]...)
		c.choice, c.kind = a.event.Choice, a.kind
	}
}

// again reads a chunk that is like the last one but for its text.
func (c *Chunks) again(events []chat.Event, data []byte) ([]chat.Event, bool) {
	if !bytes.HasPrefix(data, c.before) {
		return events, false
	}
	s := scan{b: data, i: len(c.before)}
	text, ok := s.text()
	if !ok || !bytes.Equal(data[s.i:], c.after) {
		return events, false
	}
	if text == "" {
		return events, true
	}
	ev := chat.Event{Choice: c.choice}
	switch c.kind {
	case keyContent:
		ev.Text = text
	case keyReasoning:
		ev.Reasoning = text
	default:
		ev.Refusal = text
	}
	return append(events, ev), true
}
