package chat

import "context"

// A Tokenizer turns texts into the tokens of a model, and back. A [Model] that
// can is one too.
type Tokenizer interface {
	// Tokenize returns the tokens of a text.
	Tokenize(ctx context.Context, req *TokenizeRequest) (*Tokens, error)

	// Detokenize returns the text of tokens. What Tokenize makes of a text
	// becomes that text again, as far as the model's vocabulary can tell it;
	// bytes that are no whole runes become U+FFFD.
	Detokenize(ctx context.Context, req *DetokenizeRequest) (*Text, error)
}

// A TokenizeRequest asks a [Tokenizer] for the tokens of a text, or of all that
// a model would read before it answers a request.
type TokenizeRequest struct {
	ID           string // as of a [Request]
	Model        string // likewise
	Text         string
	Chat         *Request // in place of the Text: the tokens of the prompt that a model makes of it are wanted
	AddSpecial   bool     // put the control tokens around it that the model wants there
	ParseSpecial bool     // names of control tokens in it, such as <|im_end|>, become those tokens
	Classes      []string // as of a [Request]
	Inside       bool     // likewise
}

// Tokens are the answer to a [TokenizeRequest].
type Tokens struct {
	Tokens  []Token
	Backend string // who answered; set by whoever chose the backend
}

// A Token is a token of a model's vocabulary.
type Token struct {
	ID    int
	Piece []byte // its text, which need not be whole runes; empty for some control tokens
}

// A DetokenizeRequest asks a [Tokenizer] for the text of tokens.
type DetokenizeRequest struct {
	ID      string // as of a [Request]
	Model   string // likewise
	Tokens  []int
	Special bool // write the names of control tokens; otherwise they are left out
}

// A Text is the answer to a [DetokenizeRequest].
type Text struct {
	Text    string
	Backend string // who answered; set by whoever chose the backend
}

// Tokenize has m answer req, where m can.
func Tokenize(ctx context.Context, m Model, req *TokenizeRequest) (*Tokens, error) {
	if t, ok := m.(Tokenizer); ok {
		return t.Tokenize(ctx, req)
	}
	return nil, noTokenizer()
}

// Detokenize has m answer req, where m can.
func Detokenize(ctx context.Context, m Model, req *DetokenizeRequest) (*Text, error) {
	if t, ok := m.(Tokenizer); ok {
		return t.Detokenize(ctx, req)
	}
	return nil, noTokenizer()
}

func noTokenizer() error {
	return Unsupported("model", "this model does not show its tokens; name one that runs here")
}
