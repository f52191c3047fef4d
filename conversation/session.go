package conversation

import (
	"net/url"
	"slices"
	"time"

	"bendi/chat"
)

// An Owner is whose a session is. Owners are compared as they are and have no
// characters but letters, digits and -_.~%+/.
type Owner string

// OwnerOf returns the owner that a principal is, or one of the users that it
// asks for.
func OwnerOf(principal, user string) Owner {
	o := url.QueryEscape(principal)
	if user != "" {
		o += "/" + url.QueryEscape(user)
	}
	return Owner(o)
}

// A Key names a session. The ID alone, which clients choose, names none.
type Key struct {
	Owner Owner
	ID    string
}

// A Session is a conversation that is remembered.
type Session struct {
	Key
	Created time.Time
	Used    time.Time // when the last turn ended
	Head    string    // id of the turn that the next goes on from
	Turns   []Turn    // in the order they ended
	Summary *Summary  // of the oldest messages; nil: none

	// Resends says that its client was seen sending the history along, which
	// tells a request for the first question again from a second question.
	Resends bool

	size    int    // in bytes, as it is stored
	version uint64 // of the stored value; 0: it is not stored yet
}

// A Turn is a request and its answer.
type Turn struct {
	ID     string
	Parent string // the turn before; empty: none
	Time   time.Time
	System []chat.Message // what stood before the conversation, where the request brought some
	Input  []chat.Message // what was new in the request
	Output []chat.Message // the answer, as the client saw it

	Model       string
	Backend     string
	Arm         string
	Finish      chat.Finish
	Interrupted bool // the client left, or the answer broke off
	Usage       chat.Usage
	AIGC        *chat.AIGC // the mark of the answer, where it has one
	Note        []byte     // what the protocol of the request keeps with the turn

	// What the filter learnt about the turn. It holds for whoever is shown the
	// turn later.
	Classes []string
	Inside  bool
}

// A Summary stands for the oldest messages of a session.
type Summary struct {
	Messages int // how many of the history it stands for
	Text     string
}

// history returns the messages of all turns, of a session without branches.
func (s *Session) history() []chat.Message {
	var all []chat.Message
	for i := range s.Turns {
		all = append(all, s.Turns[i].messages()...)
	}
	return all
}

// inherit has what the filter learnt about an earlier turn hold for t as well.
func (t *Turn) inherit(earlier *Turn) {
	t.Classes = union(slices.Clone(t.Classes), earlier.Classes)
	t.Inside = t.Inside || earlier.Inside
}

func (t *Turn) messages() []chat.Message { return slices.Concat(t.Input, t.Output) }

// Messages returns the messages of a turn, with those that stand before the
// conversation since then.
func (t *Turn) Messages() []chat.Message { return slices.Concat(t.System, t.Input, t.Output) }

// History returns the whole conversation as a client would send it.
func (s *Session) History() []chat.Message {
	all := slices.Clone(s.system())
	for _, t := range s.Path() {
		all = append(all, t.messages()...)
	}
	return all
}

// Bytes returns the size of the session as it is stored.
func (s *Session) Bytes() int { return s.size }

// system returns what stands before the conversation: what was said last.
func (s *Session) system() []chat.Message {
	for _, t := range slices.Backward(s.Turns) {
		if len(t.System) > 0 {
			return t.System
		}
	}
	return nil
}
