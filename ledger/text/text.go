package text

import (
	"encoding/json"
	"fmt"
	"iter"

	"bendi/chat"
	"bendi/ledger/chain"
)

// Kind is that of the lines of a chain that have a Text.
const Kind = "text"

// A Text is the words of a request and its answer, as JSON.
type Text struct {
	ID      string    `json:"id"` // of the request, as its record has it
	Answer  string    `json:"answer,omitempty"`
	Key     string    `json:"key,omitempty"`
	Route   string    `json:"route"`
	Prompt  string    `json:"prompt,omitempty"`  // of a request that has one in place of messages
	Request []Message `json:"request,omitempty"` // what is new in it, as the filter let it pass; none: it did not
	Choices []Message `json:"choices,omitempty"` // as far as the client was told them
	Whole   bool      `json:"whole"`             // the answer came to its end
}

// A Message is the words of one.
type Message struct {
	Role      string   `json:"role,omitempty"`
	Text      string   `json:"text,omitempty"`
	Reasoning string   `json:"reasoning,omitempty"`
	Refusal   string   `json:"refusal,omitempty"`
	Calls     []Call   `json:"calls,omitempty"`
	Other     []string `json:"other,omitempty"` // parts that are no text, by their kind and size
}

// A Call is one of a tool.
type Call struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// Of reads the Text of a line. Lines of other kinds have none.
func Of(l chain.Line) (*Text, bool) {
	t := new(Text)
	return t, l.Kind == Kind && json.Unmarshal(l.Data, t) == nil
}

// Find yields those in a folder that are of a request or of an answer. A line
// that cannot be read is an error, after which the next one comes.
func Find(dir, id string) iter.Seq2[*Text, error] {
	return func(yield func(*Text, error) bool) {
		for l, err := range chain.Lines(dir) {
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			if t, ok := Of(l.Line); ok && (t.ID == id || t.Answer == id) && !yield(t, nil) {
				return
			}
		}
	}
}

// ask notes what a request says.
func (t *Text) ask(req *chat.Request) {
	if p := req.Prompt; p != nil {
		if t.Prompt = p.Text; p.Tokens != nil {
			t.Prompt = fmt.Sprintf("(%d tokens by their numbers)", len(p.Tokens))
		}
		return
	}
	t.Request = nil
	for _, m := range req.Messages {
		said := Message{Role: string(m.Role), Reasoning: m.Reasoning}
		for _, p := range m.Content {
			switch p.Kind {
			case chat.TextPart:
				said.Text += p.Text
			case chat.RefusalPart:
				said.Refusal += p.Text
			default:
				said.Other = append(said.Other, fmt.Sprintf("%s, %d bytes", p.Kind, len(p.Data)))
			}
		}
		for _, c := range m.ToolCalls {
			said.Calls = append(said.Calls, Call{c.Name, c.Arguments})
		}
		t.Request = append(t.Request, said)
	}
}
