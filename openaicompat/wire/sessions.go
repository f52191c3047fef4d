package wire

import (
	"strconv"
	"strings"
	"time"

	"bendi/chat"
)

// SessionHeader is the value of the header that tells what the memory of a
// conversation did, such as "kept=12;left_out=4;summary". It is empty where
// there is none.
func SessionHeader(m *chat.Memory) string {
	switch {
	case m == nil:
		return ""
	case m.Stateless:
		return "stateless"
	}
	parts := []string{"kept=" + strconv.Itoa(m.Kept)}
	if m.LeftOut > 0 {
		parts = append(parts, "left_out="+strconv.Itoa(m.LeftOut))
	}
	if m.Summarised {
		parts = append(parts, "summary")
	}
	if m.Lost {
		parts = append(parts, "lost")
	}
	return strings.Join(parts, ";")
}

// A SessionInfo tells of a session that is remembered.
type SessionInfo struct {
	ID      string
	Created time.Time // zero in lists
	Used    time.Time
	Expires time.Time // zero where it is not known
	Bytes   int       // as it is stored
}

// A SessionTurn is a turn of a session.
type SessionTurn struct {
	ID, Parent          string
	Time                time.Time
	Model, Backend, Arm string
	Finish              chat.Finish
	Interrupted         bool
	Usage               chat.Usage
	Messages            []chat.Message
}

type sessionBody struct {
	Object  string     `json:"object"`
	ID      string     `json:"id"`
	Created int64      `json:"created_at,omitempty"`
	Used    int64      `json:"used_at"`
	Expires int64      `json:"expires_at,omitempty"`
	Bytes   int        `json:"bytes"`
	Turns   []turnBody `json:"turns,omitempty"`
}

type turnBody struct {
	ID          string        `json:"id"`
	Parent      string        `json:"parent,omitempty"`
	Created     int64         `json:"created_at"`
	Model       string        `json:"model"`
	Backend     string        `json:"backend,omitempty"`
	Arm         string        `json:"arm,omitempty"`
	Finish      chat.Finish   `json:"finish_reason,omitempty"`
	Interrupted bool          `json:"interrupted,omitempty"`
	Prompt      int           `json:"prompt_tokens,omitempty"`
	Completion  int           `json:"completion_tokens,omitempty"`
	Messages    []messageBody `json:"messages"`
}

func sessionOf(i SessionInfo) sessionBody {
	unix := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.Unix()
	}
	return sessionBody{Object: "session", ID: i.ID, Created: unix(i.Created), Used: unix(i.Used), Expires: unix(i.Expires), Bytes: i.Bytes}
}

// EncodeSessions writes a list of sessions, and what to give as after for those
// that follow.
func EncodeSessions(list []SessionInfo, next string) ([]byte, error) {
	body := struct {
		Object  string        `json:"object"`
		Data    []sessionBody `json:"data"`
		HasMore bool          `json:"has_more"`
		Next    string        `json:"next,omitempty"`
	}{"list", make([]sessionBody, len(list)), next != "", next}
	for i, s := range list {
		body.Data[i] = sessionOf(s)
	}
	return marshal(body)
}

// EncodeSession writes a session with all its turns.
func EncodeSession(i SessionInfo, turns []SessionTurn) ([]byte, error) {
	body := sessionOf(i)
	body.Turns = make([]turnBody, len(turns))
	for i, t := range turns {
		body.Turns[i] = turnBody{
			ID: t.ID, Parent: t.Parent, Created: t.Time.Unix(), Model: t.Model, Backend: t.Backend, Arm: t.Arm, Finish: t.Finish,
			Interrupted: t.Interrupted, Prompt: t.Usage.PromptTokens, Completion: t.Usage.CompletionTokens, Messages: messagesOf(t.Messages),
		}
	}
	return marshal(body)
}

// EncodeExport writes the messages of a session as a request has them, so that
// any client can go on with the conversation.
func EncodeExport(messages []chat.Message) ([]byte, error) {
	return marshal(struct {
		Messages []messageBody `json:"messages"`
	}{messagesOf(messages)})
}
