package conversation

import (
	"bytes"
	"slices"
	"strings"

	"bendi/chat"
)

// A merged is a request put together with the history of its session.
type merged struct {
	keep   int            // turns that the request goes on from, from the first
	system []chat.Message // what stands before the conversation
	fresh  bool           // the request brought the system messages
	body   []chat.Message // the conversation so far
	input  []chat.Message // what of it no turn that is kept has
	resent bool           // the client sent history along
}

// merge puts a request together with what is remembered, so that the model is
// asked what a client that keeps everything would ask. Clients come in kinds;
// H is the history, and what stands before a conversation is left out here:
//
//	the request                        is taken for            the model sees
//	u                                  what is new             H u
//	tool results                       likewise                H and the results
//	all of H, u                        a client with history   H u
//	the last of H, u                   one that forgets        H u
//	the first of H, then other         a branch                the request, and the rest of H is dropped
//	other than H, with an assistant    likewise                the request, and H is dropped
//	u, of a client that has sent H     the first question,     u, and H is dropped
//	  along before                       asked anew
//
// System messages in front of a request replace those of the history. Elsewhere
// they are part of the conversation.
func merge(s *Session, messages []chat.Message) merged {
	var m merged
	m.system, m.body = front(messages)
	if m.fresh = len(m.system) > 0; !m.fresh {
		m.system = s.system()
	}
	history := s.history()
	n := common(history, m.body)
	speaks := slices.ContainsFunc(m.body, isAssistant)
	switch {
	case len(history) == 0:
		m.input = m.body
	case !speaks && !s.Resends:
		m.goOn(s, history, m.body)
	case speaks && n == 0:
		m.resent = true
		if from := overlap(history, m.body); from < len(history) {
			m.goOn(s, history, m.body[len(history)-from:])
		} else {
			m.input = m.body
		}
	default:
		m.resent = speaks && slices.ContainsFunc(history[:n], isAssistant)
		m.input = m.body
		for _, t := range s.Turns {
			if size := len(t.Input) + len(t.Output); size <= n {
				n -= size
				m.input = m.input[size:]
				m.keep++
				continue
			}
			break
		}
	}
	return m
}

// goOn has the request go on from all of the history.
func (m *merged) goOn(s *Session, history, input []chat.Message) {
	m.keep, m.input = len(s.Turns), input
	m.body = slices.Concat(history, input)
}

// front takes the system messages off that a request begins with.
func front(messages []chat.Message) (system, rest []chat.Message) {
	n := 0
	for n < len(messages) && isSystem(messages[n]) {
		n++
	}
	return messages[:n:n], messages[n:]
}

func isSystem(m chat.Message) bool    { return m.Role == chat.System || m.Role == chat.Developer }
func isAssistant(m chat.Message) bool { return m.Role == chat.Assistant }

// common returns how many messages a and b begin with alike.
func common(a, b []chat.Message) int {
	n := 0
	for n < len(a) && n < len(b) && same(a[n], b[n]) {
		n++
	}
	return n
}

// overlap returns from where on the history is what the request begins with;
// at its end, it is nowhere.
func overlap(history, body []chat.Message) int {
	for from := max(0, len(history)-len(body)); from < len(history); from++ {
		if tail := history[from:]; slices.ContainsFunc(tail, isAssistant) && common(tail, body) == len(tail) {
			return from
		}
	}
	return len(history)
}

// same reports whether two messages say the same. What clients do not keep, or
// keep in their own way, does not count: reasoning, how a text is cut into
// parts, white space around it.
func same(a, b chat.Message) bool {
	role := func(m chat.Message) chat.Role {
		if m.Role == chat.Developer {
			return chat.System
		}
		return m.Role
	}
	return role(a) == role(b) && a.Name == b.Name && a.ToolCallID == b.ToolCallID &&
		strings.TrimSpace(a.Text()) == strings.TrimSpace(b.Text()) &&
		slices.Equal(a.ToolCalls, b.ToolCalls) && slices.EqualFunc(media(a), media(b), bytes.Equal)
}

// media returns the parts of a message that are no text.
func media(m chat.Message) [][]byte {
	var all [][]byte
	for _, p := range m.Content {
		if p.Data != nil {
			all = append(all, p.Data)
		}
	}
	return all
}
