package openaicompat

import (
	"bytes"
	"encoding/json"

	"bendi/chat"
	"bendi/openaicompat/anthropic"
	"bendi/openaicompat/wire"
)

// A protocol is a way to ask for an answer and to be told it. Everything that
// the protocols do not have in common is here; [server.ask] serves them all.
type protocol struct {
	operation string // in logs and metrics
	prefix    string // of an answer's ID

	read func(body []byte) (*call, error)

	fault func(err error, request string) (status int, body []byte) // what a failure looks like
	frame func(err error, request string) []byte                    // likewise, as the end of a stream

	ping string // keeps a stream without news alive
	done string // ends one that is whole
}

// A call is a request as its protocol has read it, and how the answer is told.
type call struct {
	requests []*chat.Request // the choices of one come behind those of the one before
	echo     bool            // each choice begins with its prompt
	stream   bool
	id       string // of the answer; empty: any will do

	frames  func(telling) func(chat.Event) ([]byte, error)
	whole   func(telling) whole
	failure func(err error, request string) []byte // in place of the protocol's frame, where a stream has begun; nil: that is good enough
}

// A telling is what an answer says about itself, and what its choices begin
// with.
type telling struct {
	wire.Head
	echo []string
}

// A whole adds up the events of an answer to one body.
type whole interface {
	Add(chat.Event)
	Filtered() (request, answer *chat.Filtered)
	Encode() ([]byte, error)
}

func chats() *protocol {
	return &protocol{
		operation: "chat", prefix: "chatcmpl-", read: readChat,
		fault: wire.EncodeError, frame: wire.ErrorFrame, ping: wire.KeepAlive, done: wire.Done,
	}
}

func readChat(body []byte) (*call, error) {
	in, err := wire.DecodeRequest(body)
	if err != nil {
		return nil, err
	}
	return &call{
		requests: []*chat.Request{in.Request}, stream: in.Stream,
		frames: func(t telling) func(chat.Event) ([]byte, error) {
			return always((&wire.Stream{Head: t.Head, IncludeUsage: in.IncludeUsage}).Frames)
		},
		whole: func(t telling) whole { return &wire.Completion{Head: t.Head} },
	}, nil
}

// always makes one that never fails of a function that cannot.
func always(frames func(chat.Event) []byte) func(chat.Event) ([]byte, error) {
	return func(ev chat.Event) ([]byte, error) { return frames(ev), nil }
}

// texts are the older completions, which go on with prompts.
func texts() *protocol {
	p := chats()
	p.operation, p.prefix, p.read = "completions", "cmpl-", readTexts
	return p
}

func readTexts(body []byte) (*call, error) {
	in, err := wire.DecodePrompts(body)
	if err != nil {
		return nil, err
	}
	return &call{
		requests: in.Requests, stream: in.Stream, echo: in.Echo,
		frames: func(t telling) func(chat.Event) ([]byte, error) {
			return always((&wire.TextStream{Head: t.Head, IncludeUsage: in.IncludeUsage, Echo: t.echo}).Frames)
		},
		whole: func(t telling) whole { return &wire.TextCompletion{Head: t.Head, Echo: t.echo} },
	}, nil
}

// isText reports whether a body is of the older completions, where they share a
// path with chats.
func isText(body []byte) bool {
	var has struct {
		Prompt   json.RawMessage `json:"prompt"`
		Messages json.RawMessage `json:"messages"`
	}
	return bytes.Contains(body, []byte(`"prompt"`)) && json.Unmarshal(body, &has) == nil && has.Prompt != nil && has.Messages == nil
}

// messages are Anthropic's.
func messages() *protocol {
	return &protocol{
		operation: "messages", prefix: "msg_", read: readMessage,
		fault: anthropic.EncodeError, frame: anthropic.ErrorFrame, ping: anthropic.Ping,
	}
}

func readMessage(body []byte) (*call, error) {
	in, err := anthropic.DecodeRequest(body)
	if err != nil {
		return nil, err
	}
	return &call{
		requests: []*chat.Request{in.Request}, stream: in.Stream,
		frames: func(t telling) func(chat.Event) ([]byte, error) {
			return (&anthropic.Stream{Head: t.Head}).Frames
		},
		whole: func(t telling) whole { return &anthropic.Message{Head: t.Head} },
	}, nil
}
