package engine

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
)

// A vocab is a model's vocabulary. What is asked for at every token is kept in
// Go, since each call over the FFI costs about a microsecond and six
// allocations. Its methods may be called concurrently.
type vocab struct {
	handle  llama.Vocab
	pieces  [][]byte // the bytes of each token's text; empty for control tokens
	eog     []bool   // tokens that end a turn
	longest int      // bytes of the longest piece
	bos     string   // text of the token that begins a prompt
	eos     string
	addBOS  bool // the model was trained with bos in front of every prompt
	control []string

	spelling func() *spelling // made when it is first asked for
}

func newVocab(model llama.Model) *vocab {
	v := &vocab{handle: llama.ModelGetVocab(model)}
	v.spelling = sync.OnceValue(func() *spelling { return newSpelling(v.pieces, v.eog) })
	n := int(llama.VocabNTokens(v.handle))
	v.pieces, v.eog = make([][]byte, n), make([]bool, n)
	buf := make([]byte, 256)
	for i := range n {
		token := llama.Token(i)
		v.eog[i] = llama.VocabIsEOG(v.handle, token)
		if llama.VocabIsControl(v.handle, token) {
			if text := llama.VocabGetText(v.handle, token); text != "" {
				v.control = append(v.control, text)
			}
			continue
		}
		size := llama.TokenToPiece(v.handle, token, buf, 0, false)
		if size < 0 { // the buffer was too short by that much
			buf = make([]byte, -size)
			size = llama.TokenToPiece(v.handle, token, buf, 0, false)
		}
		if size > 0 {
			v.pieces[i] = append([]byte(nil), buf[:size]...)
			v.longest = max(v.longest, int(size))
		}
	}
	v.addBOS = llama.VocabGetAddBOS(v.handle)
	v.bos = v.text(llama.VocabBOS(v.handle))
	v.eos = v.text(llama.VocabEOS(v.handle))
	return v
}

func (v *vocab) text(token llama.Token) string {
	if token < 0 || int(token) >= len(v.pieces) {
		return ""
	}
	return llama.VocabGetText(v.handle, token)
}

// speak gives the control tokens that have these names their names as text,
// which is otherwise empty.
func (v *vocab) speak(names []string) {
	if len(names) == 0 {
		return
	}
	for i, piece := range v.pieces {
		if len(piece) > 0 {
			continue
		}
		if text := v.text(llama.Token(i)); slices.Contains(names, text) {
			v.pieces[i] = []byte(text)
		}
	}
}

// without returns bias with the ends of a turn ruled out.
func (v *vocab) without(bias map[llama.Token]float64) map[llama.Token]float64 {
	out := make(map[llama.Token]float64, len(bias)+4)
	maps.Copy(out, bias)
	for token, end := range v.eog {
		if end {
			out[llama.Token(token)] = math.Inf(-1)
		}
	}
	return out
}

// size returns the number of tokens in the vocabulary.
func (v *vocab) size() int { return len(v.pieces) }

// tokenize returns the tokens of a rendered prompt, at most limit of them:
// a prompt that has more is refused with both numbers. Text that is too long
// to fit whatever its tokens is refused before it is tokenized, since that
// takes time and memory in proportion to the text.
func (v *vocab) tokenize(p prompt, limit int) ([]llama.Token, error) {
	if least := (p.size() + v.longest - 1) / max(v.longest, 1); least > limit {
		return nil, contextExceeded(fmt.Sprintf("at least %d", least), limit)
	}
	var tokens []llama.Token
	for i, s := range p {
		if strings.ContainsRune(s.text, 0) {
			return nil, chat.BadParam("messages", "a NUL character (U+0000) cannot be tokenized: remove it")
		}
		if s.text == "" {
			continue
		}
		begin := i == 0 && v.addBOS && !(v.bos != "" && strings.HasPrefix(s.text, v.bos))
		tokens = append(tokens, llama.Tokenize(v.handle, s.text, begin, s.special)...)
	}
	if len(tokens) > limit {
		return nil, contextExceeded(fmt.Sprint(len(tokens)), limit)
	}
	return tokens, nil
}

// contextExceeded is the error of a prompt that does not fit. limit leaves room
// for one token of answer.
func contextExceeded(prompt string, limit int) error {
	return &chat.Error{
		Kind: chat.Invalid, Code: chat.CodeContextLength, Param: "messages",
		Msg: fmt.Sprintf("the prompt has %s tokens and the context window is %d tokens, of which the answer needs at least 1: shorten it, or raise the model's context",
			prompt, limit+1),
	}
}
