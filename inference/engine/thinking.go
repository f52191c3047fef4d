package engine

import (
	"bytes"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// thinking bounds the reasoning of a sequence: when it has taken its budget of
// tokens, the words that end it are put into the model's mouth.
type thinking struct {
	left  int    // tokens of reasoning that may still come
	start []byte // begins the reasoning; empty when the prompt has
	end   []byte // ends it
	words []llama.Token
	said  []byte // what came, as far as start and end may still be found in it
	over  bool   // there is no reasoning any more
}

// forced returns the token that comes next whatever the model would say, if
// there is one.
func (t *thinking) forced() (llama.Token, bool) {
	if t == nil || t.over || t.left > 0 || len(t.words) == 0 {
		return 0, false
	}
	return t.words[0], true
}

// take notes a token that has come.
func (t *thinking) take(token llama.Token, piece []byte) {
	if t == nil || t.over {
		return
	}
	if t.left == 0 {
		t.words = t.words[1:]
		t.over = len(t.words) == 0
		return
	}
	t.said = append(t.said, piece...)
	if len(t.start) > 0 {
		text := bytes.TrimLeft(t.said, " \t\r\n")
		switch {
		case bytes.HasPrefix(text, t.start):
			t.said, t.start = bytes.Clone(text[len(t.start):]), nil
		case !bytes.HasPrefix(t.start, text):
			t.over = true // it answers without reasoning
		}
		return
	}
	if t.left--; bytes.Contains(t.said, t.end) {
		t.over = true
		return
	}
	t.said = t.said[max(0, len(t.said)-len(t.end)):]
}

// think returns the bound of a request's reasoning, or nil where there is none.
func (e *Engine) think(budget *int, opened bool) (*thinking, error) {
	if budget == nil || e.dialect.ThinkEnd == "" {
		return nil, nil
	}
	words, err := e.vocab.tokenize(prompt{{text: "\n" + e.dialect.ThinkEnd + "\n\n", special: true}}, e.window)
	if err != nil {
		return nil, err
	}
	t := &thinking{left: *budget, end: []byte(e.dialect.ThinkEnd), words: words}
	if !opened {
		t.start = []byte(e.dialect.ThinkStart)
	}
	if t.left == 0 && !opened {
		t.over = true // the template was told not to reason
	}
	return t, nil
}

// clone returns a bound for another choice.
func (t *thinking) clone() *thinking {
	if t == nil {
		return nil
	}
	own := *t
	return &own
}
