package random

import (
	"fmt"
	"strings"
)

// Letters are those of which a text has as many tokens as letters: no two of
// them are ever joined to one token.
const Letters = "bcdfghjklmnpqvwxz"

// PromptTokens returns the number of tokens that the template makes of messages
// with texts of that many Letters each, up to where the assistant answers.
func PromptTokens(letters ...int) int {
	n := 3 // <|im_start|>assistant\n
	for _, l := range letters {
		n += 5 + l // <|im_start|>ROLE\n, the text, <|im_end|>\n
	}
	return n
}

const (
	endOfText = "<|endoftext|>"
	turnStart = "<|im_start|>"
	turnEnd   = "<|im_end|>"

	template = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`
)

// Types of tokens as llama.cpp numbers them.
const (
	normalToken  int32 = 1
	controlToken int32 = 3
)

// A vocabulary is what a file says about tokens.
type vocabulary struct {
	tokens []string
	types  []int32
	merges []string
}

// newVocabulary makes a byte-level vocabulary of n tokens. The control tokens
// are the last three.
func newVocabulary(n int) vocabulary {
	var v vocabulary
	for b := range 256 {
		v.tokens = append(v.tokens, string(byteRune(byte(b))))
	}
	for _, role := range []string{"system", "user", "assistant"} {
		for i := 2; i <= len(role); i++ {
			v.tokens = append(v.tokens, role[:i])
			v.merges = append(v.merges, role[:i-1]+" "+role[i-1:i])
		}
	}
	// A space and a number: no merge leads to one, so a prompt never has it,
	// but an answer is made of them, all of one length.
	for i := 0; len(v.tokens) < n-3; i++ {
		v.tokens = append(v.tokens, fmt.Sprintf("%ct%06d", byteRune(' '), i))
	}
	v.tokens = append(v.tokens, endOfText, turnStart, turnEnd)
	v.types = make([]int32, n)
	for i, token := range v.tokens {
		if v.types[i] = normalToken; strings.HasPrefix(token, "<|") {
			v.types[i] = controlToken
		}
	}
	return v
}

// byteRune returns the rune that stands for a byte in the tokens of byte-level
// BPE: the byte itself where it can be printed, else one from 256 on, in order.
func byteRune(b byte) rune {
	printable := func(b int) bool { return b > 32 && b < 127 || b > 160 && b != 173 }
	if printable(int(b)) {
		return rune(b)
	}
	r := rune(256)
	for i := range int(b) {
		if !printable(i) {
			r++
		}
	}
	return r
}
