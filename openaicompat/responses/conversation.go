package responses

import (
	"bytes"
	"time"

	"bendi/chat"
	"bendi/openaicompat/body"
	"bendi/openaicompat/wire"
)

// Examples of the bodies of requests about conversations.
const (
	ConversationExample = `{"items":[{"role":"user","content":"你好"}]}`
	metadataExample     = `{"metadata":{"topic":"旅行"}}`
)

// maxItems is the most items that are added at once.
const maxItems = 20

// DecodeConversation reads the body of a request for a conversation: it is a
// turn that nobody answers, and begins a session. An empty body is one without
// items.
func DecodeConversation(text []byte, find Find) (*chat.Request, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}")
	}
	return body.Decode(text, ConversationExample, func(d *body.Decoder, o object) *chat.Request {
		own := &decoder{Decoder: d, find: find}
		return silent(NewConversation(), false, own.added(o.Take("items")), new(own.metadata(o.Take("metadata"))))
	})
}

// DecodeItems reads the body of a request that adds items to a conversation.
func DecodeItems(conversation string, text []byte, find Find) (*chat.Request, error) {
	return body.Decode(text, ConversationExample, func(d *body.Decoder, o object) *chat.Request {
		own := &decoder{Decoder: d, find: find}
		items := o.Need("items")
		messages := own.added(items)
		if d.Err == nil && len(messages) == 0 {
			items.Bad("is empty; it needs at least one item.")
		}
		return silent(conversation, true, messages, nil)
	})
}

// DecodeMetadata reads the body of a request that gives a conversation other
// metadata.
func DecodeMetadata(conversation string, text []byte) (*chat.Request, error) {
	return body.Decode(text, metadataExample, func(d *body.Decoder, o object) *chat.Request {
		return silent(conversation, true, nil, new((&decoder{Decoder: d}).metadata(o.Need("metadata"))))
	})
}

func (d *decoder) added(v value) []chat.Message {
	n := 0
	for range v.Array() {
		n++
	}
	if n > maxItems {
		v.Bad("has %d items; at most %d can be added at once.", n, maxItems)
	}
	return d.items(v)
}

// silent returns the request that adds to a session without an answer.
func silent(session string, there bool, messages []chat.Message, metadata *map[string]string) *chat.Request {
	req := &chat.Request{N: 1, Session: session, Messages: messages}
	req.Turn = &chat.Turn{ID: random(), Head: there, Silent: true, Note: func(req *chat.Request) []byte {
		n := noteBody{Created: time.Now().Unix()}
		if metadata != nil {
			n.Metadata = new(asideOf(req))
		}
		return wire.Marshal(n)
	}}
	if metadata != nil {
		setAside(req, *metadata)
	}
	return req
}

// EncodeConversation returns the body that tells of a conversation.
func EncodeConversation(id string, created time.Time, turns []Turn) []byte {
	metadata := map[string]string{}
	for i := range turns {
		if m := turns[i].note().Metadata; m != nil {
			metadata = *m
		}
	}
	return wire.Marshal(struct {
		ID       string            `json:"id"`
		Object   string            `json:"object"`
		Created  int64             `json:"created_at"`
		Metadata map[string]string `json:"metadata"`
	}{id, "conversation", created.Unix(), metadata})
}

// EncodeDeleted returns the body that tells that something was deleted.
func EncodeDeleted(id, object string) []byte {
	return wire.Marshal(struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Deleted bool   `json:"deleted"`
	}{id, object, true})
}

// DecodeCount reads the body of a request for the number of tokens that a
// response would have the model read. What is kept is no part of it.
func DecodeCount(text []byte, find Find) (*chat.Request, error) {
	c, err := DecodeRequest(text, find)
	if err != nil {
		return nil, err
	}
	if param := c.goesOn(); param != "" {
		return nil, chat.Unsupported(param, "'%s' is not counted: send the whole conversation in 'input'.", param)
	}
	return c.Request, nil
}

// EncodeCount returns the body that tells how many tokens a request has.
func EncodeCount(tokens int) []byte {
	return wire.Marshal(struct {
		Object string `json:"object"`
		Tokens int    `json:"input_tokens"`
	}{"response.input_tokens", tokens})
}
