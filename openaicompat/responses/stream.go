package responses

import (
	"bytes"
	"encoding/json"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// A Stream writes an answer as server-sent events: the response begins, each
// item and each of its parts begins, grows and ends, and the response ends. A
// Stream serves one answer and one goroutine.
type Stream struct {
	answer
	begun    bool
	sequence int
	out      bytes.Buffer
}

// NewStream returns what tells the answer to a call.
func NewStream(head wire.Head, c *Call) *Stream {
	s := &Stream{answer: newAnswer(head, c)}
	s.tell = s.event
	return s
}

// An event is one of the stream. Each has a few of the fields.
type event struct {
	Type         string        `json:"type"`
	Sequence     int           `json:"sequence_number"`
	Response     *responseBody `json:"response,omitempty"`
	ItemID       string        `json:"item_id,omitempty"`
	OutputIndex  *int          `json:"output_index,omitempty"`
	ContentIndex *int          `json:"content_index,omitempty"`
	SummaryIndex *int          `json:"summary_index,omitempty"`
	Item         any           `json:"item,omitempty"`
	Part         any           `json:"part,omitempty"`
	Delta        *string       `json:"delta,omitempty"`
	LogProbs     *[]logBody    `json:"logprobs,omitempty"`
	Text         *string       `json:"text,omitempty"`
	Refusal      *string       `json:"refusal,omitempty"`
	Name         string        `json:"name,omitempty"`
	Arguments    *string       `json:"arguments,omitempty"`
}

func (s *Stream) event(ev event) {
	ev.Sequence = s.sequence
	s.frame(ev.Type, ev)
}

func (s *Stream) frame(name string, ev any) {
	s.sequence++
	s.out.WriteString("event: " + name + "\ndata: ")
	s.out.Write(wire.Marshal(ev))
	s.out.WriteString("\n\n")
}

// Frames returns the frames that tell ev. They are good until the next call.
func (s *Stream) Frames(ev chat.Event) ([]byte, error) {
	s.out.Reset()
	if m := ev.Memory; m != nil && m.Stateless {
		s.lost = true // before the first word of it
	}
	s.begin()
	s.add(ev)
	if ev.Usage != nil {
		b := s.response()
		s.event(event{Type: "response." + b.Status, Response: b})
		s.out.WriteString(wire.Done) // in the same write: there are clients that leave before it
	}
	return s.out.Bytes(), nil
}

func (s *Stream) begin() {
	if s.begun {
		return
	}
	s.begun = true
	s.event(event{Type: "response.created", Response: s.response()})
	s.event(event{Type: "response.in_progress", Response: s.response()})
}

// Failure returns the frames that end a stream which failed: the error, where
// one kind of client looks for it, and the response that failed, for another.
func (s *Stream) Failure(err error, request string) []byte {
	s.out.Reset()
	s.begin()
	e, raw := errorOf(err, request)
	s.frame("error", struct {
		Type     string          `json:"type"`
		Sequence int             `json:"sequence_number"`
		Code     *string         `json:"code"`
		Message  string          `json:"message"`
		Param    *string         `json:"param"`
		Error    json.RawMessage `json:"error"`
	}{"error", s.sequence, e.Code, e.Message, e.Param, raw})
	for _, it := range s.items {
		if it.status == inProgress {
			it.status = incomplete
		}
	}
	b := s.response()
	b.Status = failed
	b.Error = &failureBody{Code: e.Type, Message: e.Message}
	if e.Code != nil {
		b.Error.Code = *e.Code
	}
	s.event(event{Type: "response.failed", Response: b})
	return s.out.Bytes()
}
