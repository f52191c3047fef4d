package engine

import (
	"bytes"
	"slices"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/inference/engine/grammar"
)

// A spelling is a vocabulary in alphabetical order. A grammar that has to say
// which of 150,000 tokens may come next is asked no byte twice that several
// begin with, and nothing at all about those that begin with what is refused.
type spelling struct {
	tokens []llama.Token
	pieces [][]byte
	shared []int // bytes that each has in common with the one before
	first  [257]int
	most   int // bytes of the longest
}

// newSpelling leaves out the tokens without a text and those of skip.
func newSpelling(pieces [][]byte, skip []bool) *spelling {
	sp := &spelling{}
	for i, piece := range pieces {
		if len(piece) > 0 && !skip[i] {
			sp.tokens = append(sp.tokens, llama.Token(i))
			sp.most = max(sp.most, len(piece))
		}
	}
	slices.SortStableFunc(sp.tokens, func(a, b llama.Token) int { return bytes.Compare(pieces[a], pieces[b]) })
	var before []byte
	for _, token := range sp.tokens {
		piece := pieces[token]
		sp.pieces = append(sp.pieces, piece)
		n := 0
		for n < min(len(before), len(piece)) && before[n] == piece[n] {
			n++
		}
		sp.shared = append(sp.shared, n)
		before = piece
		sp.first[int(piece[0])+1]++
	}
	for b := range 256 {
		sp.first[b+1] += sp.first[b]
	}
	return sp
}

// walk yields the tokens that a text in the state from may go on with, until
// yield returns false. It reports whether it came to the end.
func (sp *spelling) walk(from grammar.State, yield func(llama.Token) bool) bool {
	states := make([]grammar.State, sp.most+1) // after so many bytes of the piece
	states[0] = from
	for i := 0; i < len(sp.tokens); {
		piece, at := sp.pieces[i], sp.shared[i]
		for at < len(piece) {
			next, ok := states[at].Accept(piece[at : at+1])
			if !ok {
				break
			}
			at++
			states[at] = next
		}
		switch {
		case at == len(piece):
			if !yield(sp.tokens[i]) {
				return false
			}
			i++
		case at == 0:
			i = sp.first[int(piece[0])+1]
		default: // over all that begin with what was refused
			for i++; i < len(sp.tokens) && sp.shared[i] > at; i++ {
			}
		}
	}
	return true
}
