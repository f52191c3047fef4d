package conversation

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"bendi/chat"
)

// The stored form of a session: JSON with short names. A field that is added
// later is absent in what was stored before, and an unknown one is ignored.
type storedSession struct {
	Format  int          `json:"v"`
	Owner   Owner        `json:"owner"`
	ID      string       `json:"id"`
	Version uint64       `json:"version,string"`
	Created int64        `json:"created"` // milliseconds since 1970, as all times
	Used    int64        `json:"used"`
	Head    string       `json:"head"`
	Resends bool         `json:"resends,omitempty"`
	Summary *Summary     `json:"summary,omitempty"`
	Turns   []storedTurn `json:"turns"`
}

type storedTurn struct {
	ID          string          `json:"id"`
	Parent      string          `json:"parent,omitempty"`
	Time        int64           `json:"time"`
	System      []storedMessage `json:"system,omitempty"`
	Input       []storedMessage `json:"in,omitempty"`
	Output      []storedMessage `json:"out,omitempty"`
	Model       string          `json:"model,omitempty"`
	Backend     string          `json:"backend,omitempty"`
	Arm         string          `json:"arm,omitempty"`
	Finish      chat.Finish     `json:"finish,omitempty"`
	Interrupted bool            `json:"interrupted,omitempty"`
	Usage       *chat.Usage     `json:"usage,omitempty"`
	AIGC        *chat.AIGC      `json:"aigc,omitempty"`
	Note        json.RawMessage `json:"note,omitempty"` // JSON of the protocol's own
	Classes     []string        `json:"classes,omitempty"`
	Inside      bool            `json:"inside,omitempty"`
}

type storedMessage struct {
	Role      chat.Role       `json:"r"`
	Name      string          `json:"n,omitempty"`
	Text      string          `json:"t,omitempty"` // of a message of one text part, or of none
	Parts     []chat.Part     `json:"p,omitempty"` // of any other
	Reasoning string          `json:"th,omitempty"`
	Calls     []chat.ToolCall `json:"c,omitempty"`
	CallID    string          `json:"cid,omitempty"`
}

// format is that of what is stored now. A later one is refused: its turns may
// mean something that we do not know.
const format = 1

func encode(s *Session, version uint64) ([]byte, error) {
	out := storedSession{
		Format: format, Owner: s.Owner, ID: s.ID, Version: version, Created: s.Created.UnixMilli(), Used: s.Used.UnixMilli(),
		Head: s.Head, Resends: s.Resends, Summary: s.Summary, Turns: make([]storedTurn, len(s.Turns)),
	}
	for i, t := range s.Turns {
		st := storedTurn{
			ID: t.ID, Parent: t.Parent, Time: t.Time.UnixMilli(), System: store(t.System), Input: store(t.Input), Output: store(t.Output),
			Model: t.Model, Backend: t.Backend, Arm: t.Arm, Finish: t.Finish, Interrupted: t.Interrupted, Classes: t.Classes, Inside: t.Inside, AIGC: t.AIGC, Note: t.Note,
		}
		if t.Usage != (chat.Usage{}) {
			st.Usage = &t.Usage
		}
		out.Turns[i] = st
	}
	return json.Marshal(out)
}

// decode reads a stored session, which has to be the one with that key and
// version: a reply that was meant for somebody else is an error.
func decode(key Key, version uint64, data []byte) (*Session, error) {
	var in storedSession
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("a stored session of %d bytes is damaged: %w", len(data), notWords(err))
	}
	switch {
	case in.Owner != key.Owner || in.ID != key.ID:
		return nil, ErrMixedUp
	case in.Version != version:
		return nil, fmt.Errorf("%w: it has version %d and is stored as %d", ErrMixedUp, in.Version, version)
	case in.Format != format:
		return nil, fmt.Errorf("a stored session has format %d, this program reads %d: run the program that wrote it, or delete the session", in.Format, format)
	}
	s := &Session{
		Key: key, Created: time.UnixMilli(in.Created), Used: time.UnixMilli(in.Used),
		Head: in.Head, Resends: in.Resends, Summary: in.Summary, version: version,
	}
	for _, t := range in.Turns {
		turn := Turn{
			ID: t.ID, Parent: t.Parent, Time: time.UnixMilli(t.Time), System: restore(t.System), Input: restore(t.Input), Output: restore(t.Output),
			Model: t.Model, Backend: t.Backend, Arm: t.Arm, Finish: t.Finish, Interrupted: t.Interrupted, Classes: t.Classes, Inside: t.Inside, AIGC: t.AIGC, Note: t.Note,
		}
		if t.Usage != nil {
			turn.Usage = *t.Usage
		}
		s.Turns = append(s.Turns, turn)
	}
	return s, nil
}

// notWords returns the error of reading JSON without what it quotes.
func notWords(err error) error {
	if e, ok := err.(*json.SyntaxError); ok {
		return fmt.Errorf("no JSON from byte %d on", e.Offset)
	}
	return fmt.Errorf("%T", err)
}

func store(list []chat.Message) []storedMessage {
	var out []storedMessage
	for _, m := range list {
		s := storedMessage{Role: m.Role, Name: m.Name, Reasoning: m.Reasoning, Calls: m.ToolCalls, CallID: m.ToolCallID}
		if p := m.Content; len(p) == 1 && p[0].Kind == chat.TextPart && p[0].Text != "" {
			s.Text = p[0].Text
		} else {
			s.Parts = p
		}
		out = append(out, s)
	}
	return out
}

func restore(list []storedMessage) []chat.Message {
	var out []chat.Message
	for _, s := range list {
		m := chat.Message{Role: s.Role, Name: s.Name, Content: s.Parts, Reasoning: s.Reasoning, ToolCalls: s.Calls, ToolCallID: s.CallID}
		if s.Text != "" {
			m.Content = []chat.Part{{Kind: chat.TextPart, Text: s.Text}}
		}
		out = append(out, m)
	}
	return out
}

// newVersion draws a version.
func newVersion() uint64 { return 1 + rand.Uint64N(1<<63-1) }
