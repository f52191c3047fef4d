package wire

import (
	"encoding/json"
	"unicode/utf8"

	"bendi/chat"
)

// A TokenizeCall is a request with how its answer is to be delivered.
type TokenizeCall struct {
	Request *chat.TokenizeRequest
	Pieces  bool // each token with its text
}

// DecodeTokenize reads the body of a request for the tokens of a text, in the
// shape of llama.cpp's server; but names of control tokens are read as text
// unless 'parse_special' is true. Its errors are *chat.Error of kind Invalid.
func DecodeTokenize(body []byte) (*TokenizeCall, error) {
	return decode(body, TokenizeExample, func(d *decoder, o object) *TokenizeCall {
		req := &chat.TokenizeRequest{}
		call := &TokenizeCall{Request: req}
		req.Model = o.Take("model").Str()
		if messages := o.Take("messages"); !messages.Absent() {
			req.Chat = d.counted(o, messages)
			call.Pieces = o.Take("with_pieces").IsTrue()
			return call
		}
		req.Text = o.Need("content").Str()
		req.AddSpecial = o.Take("add_special").IsTrue()
		req.ParseSpecial = o.Take("parse_special").IsTrue()
		call.Pieces = o.Take("with_pieces").IsTrue()
		return call
	})
}

// counted reads a chat of which the tokens are wanted, in the shape of vLLM.
func (d *decoder) counted(o object, messages value) *chat.Request {
	if v := o.Take("content"); !v.Absent() {
		v.Bad("cannot be combined with 'messages'; send one of them.")
	}
	req := &chat.Request{N: 1, Messages: d.messages(messages)}
	req.Tools = d.tools(o.Take("tools"))
	req.ToolChoice = d.toolChoice(o.Take("tool_choice"), req.Tools)
	req.ReasoningEffort = o.Take("reasoning_effort").Str()
	req.ThinkingBudget = d.budget(o.Take("thinking_budget_tokens"))
	req.Continue = d.goOn(o, req.Messages)
	req.Extra = o.Extra()
	delete(req.Extra, "with_pieces")
	delete(req.Extra, "add_generation_prompt") // it always is, unless the last message is gone on with
	return req
}

// EncodeTokenize writes the body that asks a server of this protocol for the
// tokens of a text, with their pieces.
func EncodeTokenize(req *chat.TokenizeRequest) ([]byte, error) {
	if c := req.Chat; c != nil {
		return withExtra(countedBody{
			Model: req.Model, Messages: messagesOf(c.Messages), Tools: toolsOf(c.Tools), ToolChoice: c.ToolChoice,
			ReasoningEffort: c.ReasoningEffort, ThinkingBudget: c.ThinkingBudget, Continue: c.Continue, Generate: !c.Continue,
		}, c.Extra)
	}
	return marshal(struct {
		Model        string `json:"model,omitempty"`
		Content      string `json:"content"`
		AddSpecial   bool   `json:"add_special"`
		ParseSpecial bool   `json:"parse_special"` // llama.cpp's server takes true for granted
		Pieces       bool   `json:"with_pieces"`
	}{req.Model, req.Text, req.AddSpecial, req.ParseSpecial, true})
}

type countedBody struct {
	Model           string          `json:"model,omitempty"`
	Messages        []messageBody   `json:"messages"`
	Tools           []toolBody      `json:"tools,omitempty"`
	ToolChoice      json.RawMessage `json:"tool_choice,omitempty"`
	ReasoningEffort string          `json:"reasoning_effort,omitempty"`
	ThinkingBudget  *int            `json:"thinking_budget_tokens,omitempty"`
	Continue        bool            `json:"continue_final_message,omitempty"`
	Generate        bool            `json:"add_generation_prompt"`
}

type pieceBody struct {
	ID    int             `json:"id"`
	Piece json.RawMessage `json:"piece"` // a string, or an array of bytes where it is no whole runes
}

// EncodeTokens writes the body of an answer.
func EncodeTokens(tokens []chat.Token, pieces bool) ([]byte, error) {
	if !pieces {
		ids := make([]int, len(tokens))
		for i, t := range tokens {
			ids[i] = t.ID
		}
		return marshal(map[string][]int{"tokens": ids})
	}
	bodies := make([]pieceBody, len(tokens))
	for i, t := range tokens {
		raw, err := piece(t.Piece)
		if err != nil {
			return nil, err
		}
		bodies[i] = pieceBody{t.ID, raw}
	}
	return marshal(map[string][]pieceBody{"tokens": bodies})
}

func piece(b []byte) (json.RawMessage, error) {
	if utf8.Valid(b) {
		return marshal(string(b))
	}
	numbers := make([]int, len(b)) // a []byte would become base64
	for i, c := range b {
		numbers[i] = int(c)
	}
	return marshal(numbers)
}

// DecodeTokens reads an answer, with pieces or without.
func DecodeTokens(body []byte) ([]chat.Token, error) {
	nonsense := func(err error) error {
		return &chat.Error{Kind: chat.BadBackend, Msg: "The backend sent tokens that are not JSON of this protocol.", Err: err}
	}
	var answer struct {
		Tokens []json.RawMessage `json:"tokens"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Tokens == nil {
		return nil, nonsense(err)
	}
	tokens := make([]chat.Token, len(answer.Tokens))
	for i, raw := range answer.Tokens {
		t := &tokens[i]
		if json.Unmarshal(raw, &t.ID) == nil {
			continue
		}
		var b pieceBody
		if err := json.Unmarshal(raw, &b); err != nil {
			return nil, nonsense(err)
		}
		t.ID = b.ID
		var text string
		var numbers []uint16
		switch {
		case len(b.Piece) == 0:
		case json.Unmarshal(b.Piece, &text) == nil:
			t.Piece = []byte(text)
		default:
			if err := json.Unmarshal(b.Piece, &numbers); err != nil {
				return nil, nonsense(err)
			}
			for _, n := range numbers {
				t.Piece = append(t.Piece, byte(n))
			}
		}
	}
	return tokens, nil
}

// DecodeDetokenize reads the body of a request for the text of tokens. Its
// errors are *chat.Error of kind Invalid.
func DecodeDetokenize(body []byte) (*chat.DetokenizeRequest, error) {
	return decode(body, DetokenizeExample, func(d *decoder, o object) *chat.DetokenizeRequest {
		return &chat.DetokenizeRequest{Model: o.Take("model").Str(), Tokens: o.Need("tokens").Tokens(), Special: o.Take("special").IsTrue()}
	})
}

// EncodeDetokenize writes the body that asks a server of this protocol for the
// text of tokens.
func EncodeDetokenize(req *chat.DetokenizeRequest) ([]byte, error) {
	return marshal(struct {
		Model   string `json:"model,omitempty"`
		Tokens  []int  `json:"tokens"`
		Special bool   `json:"special,omitempty"`
	}{req.Model, req.Tokens, req.Special})
}

// EncodeText writes the body of an answer.
func EncodeText(text string) ([]byte, error) { return marshal(map[string]string{"content": text}) }

// DecodeText reads an answer.
func DecodeText(body []byte) (string, error) {
	var answer struct {
		Content *string `json:"content"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Content == nil {
		return "", &chat.Error{Kind: chat.BadBackend, Msg: "The backend sent a text of tokens that is not JSON of this protocol.", Err: err}
	}
	return *answer.Content, nil
}
