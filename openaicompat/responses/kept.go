package responses

import (
	"encoding/json"
	"slices"
	"time"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// A Turn is one of a session, as it is kept.
type Turn struct {
	ID, Parent    string
	Time          time.Time // when it ended
	Input, Output []chat.Message
	Model         string
	Finish        chat.Finish
	Interrupted   bool
	Usage         chat.Usage
	AIGC          *chat.AIGC
	Classes       []string // as of a [chat.Request]
	Inside        bool     // likewise
	Note          []byte
}

func (t *Turn) note() (n noteBody) {
	json.Unmarshal(t.Note, &n) // of a turn of another protocol there is none
	return n
}

func (t *Turn) status() (string, *reasonBody) {
	if t.Interrupted {
		return incomplete, &reasonBody{"interrupted"}
	}
	return statusOf(t.Finish)
}

// inputs and outputs return the items of a turn with the settings of its note.
func (t *Turn) inputs(session string, set *settings) []kept {
	return inputs(ID{session, t.ID}, t.Input, set)
}

func (t *Turn) outputs(session string, set *settings) []kept {
	status, _ := t.status()
	return outputs(ID{session, t.ID}, t.Output, status, set)
}

// items returns all items of a turn.
func (t *Turn) items(session string) []kept {
	set := t.note().Settings
	return append(t.inputs(session, set), t.outputs(session, set)...)
}

// EncodeStored returns the body of the response that a turn is, or
// [NoResponse] where it is none.
func EncodeStored(session string, t *Turn) ([]byte, error) {
	n := t.note()
	if n.Settings == nil {
		return nil, NoResponse()
	}
	b := &responseBody{
		ID: ID{session, t.ID}.String(), Object: "response", Created: n.Created, Model: t.Model, Output: []any{},
		Previous: nilOr(n.Previous), Store: true, ServiceTier: "default", settings: *n.Settings, Usage: usageOf(t.Usage), AIGC: t.AIGC,
	}
	if n.Conversation != "" {
		b.Conversation = &identityBody{n.Conversation}
	}
	for _, it := range t.outputs(session, n.Settings) {
		b.Output = append(b.Output, it.body)
	}
	if b.Status, b.Incomplete = t.status(); b.Status == completed {
		b.Completed = new(t.Time.Unix())
	}
	return wire.Marshal(b), nil
}

// Piece returns the part of a message that an item of a turn is, or [NoItem].
func (t *Turn) Piece(session, item string) (chat.Message, error) {
	for _, it := range t.items(session) {
		if it.id == item {
			return it.piece, nil
		}
	}
	return chat.Message{}, NoItem()
}

// A Page says which of a list of items are wanted.
type Page struct {
	Limit     int
	After     string // id of the item before the first; empty: from the beginning
	Ascending bool   // the oldest first
}

// EncodeInput returns the list of the items that a response was asked with.
func EncodeInput(session string, t *Turn, p Page) ([]byte, error) {
	set := t.note().Settings
	if set == nil {
		return nil, NoResponse()
	}
	return list(t.inputs(session, set), p)
}

// EncodeItems returns the list of the items of a conversation, whose turns come
// in their order.
func EncodeItems(session string, turns []Turn, p Page) ([]byte, error) {
	var all []kept
	for i := range turns {
		all = append(all, turns[i].items(session)...)
	}
	return list(all, p)
}

// EncodeAdded returns the list of the items that were added as a turn.
func EncodeAdded(session string, t *Turn) ([]byte, error) {
	all := t.inputs(session, t.note().Settings)
	return list(all, Page{Limit: len(all), Ascending: true})
}

// EncodeItem returns an item of a conversation.
func EncodeItem(session string, turns []Turn, item string) ([]byte, error) {
	for i := range turns {
		for _, it := range turns[i].items(session) {
			if it.id == item {
				return wire.Marshal(it.body), nil
			}
		}
	}
	return nil, NoItem()
}

func list(all []kept, p Page) ([]byte, error) {
	if !p.Ascending {
		slices.Reverse(all)
	}
	if p.After != "" {
		at := slices.IndexFunc(all, func(it kept) bool { return it.id == p.After })
		if at < 0 {
			return nil, chat.BadParam("after", "'after' is the id of none of the %d items.", len(all))
		}
		all = all[at+1:]
	}
	body := struct {
		Object string  `json:"object"`
		Data   []any   `json:"data"`
		First  *string `json:"first_id"`
		Last   *string `json:"last_id"`
		More   bool    `json:"has_more"`
	}{Object: "list", Data: []any{}, More: len(all) > p.Limit}
	for _, it := range all[:min(p.Limit, len(all))] {
		if body.First == nil {
			body.First = &it.id
		}
		body.Last = &it.id
		body.Data = append(body.Data, it.body)
	}
	return wire.Marshal(body), nil
}
