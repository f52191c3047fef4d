package anthropic

import (
	"bytes"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// Ping is the frame that keeps the connection of a stream alive. Clients skip
// it, and the comment that a queue is told by as well.
const Ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n"

// A Stream writes an answer as server-sent events: the message begins, each
// block begins, grows and ends, and the message ends. A Stream serves one answer
// and one goroutine.
//
// One block is open at a time. What comes for a later one, while the arguments
// of a tool call are not whole, waits for its turn.
type Stream struct {
	wire.Head

	answer
	begun bool
	open  int // blocks before it have ended; the one itself has begun if said is not below 0
	said  int // bytes of the open block that are out; -1: it has not begun
	out   bytes.Buffer
}

// Frames returns the frames that tell ev, which may be none. They are good until
// the next call. An error is the end: the answer cannot be told in this protocol.
func (s *Stream) Frames(ev chat.Event) ([]byte, error) {
	s.out.Reset()
	s.add(ev)
	over := ev.Usage != nil
	if len(s.blocks) > 0 || over {
		s.begin()
	}
	for s.open < len(s.blocks) {
		b := s.blocks[s.open]
		s.grow(b)
		if ended, err := s.ends(b, over); !ended || err != nil {
			break
		}
	}
	if over {
		if err := s.end(); err != nil {
			return nil, err
		}
	}
	return s.out.Bytes(), nil
}

func (s *Stream) begin() {
	if s.begun {
		return
	}
	s.begun, s.said = true, -1
	s.event("message_start", struct {
		Type    string      `json:"type"`
		Message messageBody `json:"message"`
	}{"message_start", messageOf(s.Head)})
}

// grow tells what is new of the open block.
func (s *Stream) grow(b *block) {
	if s.said < 0 {
		s.said = 0
		s.event("content_block_start", struct {
			Type  string `json:"type"`
			Index int    `json:"index"`
			Block any    `json:"content_block"`
		}{"content_block_start", s.open, b.empty()})
	}
	if text := b.text.String()[s.said:]; text != "" {
		s.said += len(text)
		s.delta(b.kind, text)
	}
}

// ends ends the open block where another follows and it is whole, or where the
// answer is over.
func (s *Stream) ends(b *block, over bool) (bool, error) {
	last := s.open == len(s.blocks)-1
	if last && !over {
		return false, nil
	}
	if b.kind == toolKind && !over && !b.isWhole() {
		return false, nil // more may come
	}
	if b.kind == toolKind && over {
		rest, err := b.rest()
		switch {
		case err != nil:
			return false, err
		case rest != "" && b.text.Len() > 0: // without any, it is {} as it began
			s.delta(toolKind, rest)
		}
	}
	if b.kind == thinkingKind {
		s.deltaOf(deltaBody{Type: "signature_delta", Signature: signature})
	}
	s.event("content_block_stop", struct {
		Type  string `json:"type"`
		Index int    `json:"index"`
	}{"content_block_stop", s.open})
	s.open, s.said = s.open+1, -1
	return true, nil
}

// end tells why the answer ended and what it took.
func (s *Stream) end() error {
	for _, b := range s.blocks {
		if b.kind != toolKind {
			continue
		}
		if _, err := b.rest(); err != nil {
			return err
		}
	}
	type why struct {
		Reason   string  `json:"stop_reason"`
		Sequence *string `json:"stop_sequence"`
	}
	reason, sequence := s.stopReason()
	s.event("message_delta", struct {
		Type  string     `json:"type"`
		Delta why        `json:"delta"`
		AIGC  *chat.AIGC `json:"AIGC,omitempty"`
		Usage usageBody  `json:"usage"`
	}{"message_delta", why{reason, sequence}, s.aigc, usageOf(s.usage)})
	s.event("message_stop", map[string]string{"type": "message_stop"})
	return nil
}

func (s *Stream) delta(kind, text string) {
	switch kind {
	case textKind:
		s.deltaOf(deltaBody{Type: "text_delta", Text: text})
	case thinkingKind:
		s.deltaOf(deltaBody{Type: "thinking_delta", Thinking: text})
	default:
		s.deltaOf(deltaBody{Type: "input_json_delta", JSON: text})
	}
}

func (s *Stream) deltaOf(delta deltaBody) {
	s.event("content_block_delta", struct {
		Type  string    `json:"type"`
		Index int       `json:"index"`
		Delta deltaBody `json:"delta"`
	}{"content_block_delta", s.open, delta})
}

// A deltaBody has one field beside its type.
type deltaBody struct {
	Type      string `json:"type"`
	Text      string `json:"text,omitempty"`
	Thinking  string `json:"thinking,omitempty"`
	JSON      string `json:"partial_json,omitempty"`
	Signature string `json:"signature,omitempty"`
}

func (s *Stream) event(name string, data any) {
	s.out.WriteString("event: " + name + "\ndata: ")
	s.out.Write(wire.Marshal(data))
	s.out.WriteString("\n\n")
}
