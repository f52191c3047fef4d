package conversation_test

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/conversation"
	"bendi/conversation/storetest"
)

// counter is a model that says exactly what requests take: its template is
// dear, and so is no estimate right.
type counter struct {
	window int
	asked  []*chat.Request
}

func (c *counter) Models() []chat.ModelInfo { return []chat.ModelInfo{{ID: "m", Context: c.window}} }

func (c *counter) size(req *chat.Request) int {
	n := 30 // the template's own
	for _, m := range req.Messages {
		n += 25 + len(m.Text())
	}
	return n
}

func (c *counter) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	c.asked = append(c.asked, req)
	return chattest.Script("an answer\n").Chat(ctx, req)
}

func (c *counter) Tokenize(_ context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	return &chat.Tokens{Tokens: make([]chat.Token, c.size(req.Chat))}, nil
}

func (c *counter) Detokenize(context.Context, *chat.DetokenizeRequest) (*chat.Text, error) {
	return nil, nil
}

// Where the model counts whole requests, as much of the history is kept as
// fits, and not a turn less.
func TestTrimIsExact(t *testing.T) {
	for window := 200; window < 1200; window += 37 {
		m := &counter{window: window}
		memory := conversation.New(conversation.Options{Store: new(storetest.Store), Trim: conversation.TrimOldest})
		r := memory.Remember(m, conversation.Policy{}, nil)
		turn := 0
		for i := range 20 {
			req := ask("s", fmt.Sprint("question ", i))
			req.Model, req.MaxTokens = "m", 20
			_, told, err := say(t, r, req)
			if err != nil {
				t.Fatal(err)
			}
			if told.LeftOut > 0 {
				turn = i
			}
		}
		asked := m.asked[len(m.asked)-1]
		n, next := m.size(asked), 2*25+len("question 10")+len("an answer")
		if len(m.asked) != 20 || n > window-20 || turn > 0 && n+next <= window-20 {
			t.Errorf("window %d: asked %d times, of %d tokens at last, and a turn more has %d", window, len(m.asked), n, next)
		}
	}
}
