package engine

import (
	"context"
	"sync/atomic"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/inference/watch"
)

// A sequence is one choice of a request, as the loop sees it.
type sequence struct {
	ctx     context.Context
	key     treeKey
	choice  int
	budget  int // most tokens to generate, at least 1
	sampler *sampler
	report  int // how many alternatives to report with each token; -1: no log probabilities at all
	out     *output
	limits  *constraint // nil: any text

	principal string // who asks, for the line
	priority  int
	think     *thinking // nil: as long as the model likes

	// The rest is the loop's own.
	arrival  int
	class    *class        // of the line
	passed   bool          // over, in this round of giving slots
	tokens   []llama.Token // the prompt, then what was generated
	prompt   int           // how many of them are the prompt
	marks    []int         // after how many of them they are copied; see checkpoints
	progress watch.Progress
	holder   *holder // what of tokens is in the KV cache; nil without a slot
	row      int32   // where in the batch its logits are asked for; -1: nowhere
	fed      int     // tokens of it in the batch
	next     drawn   // what its logits gave
}

// pending returns how many tokens have to be decoded before the next can be
// drawn. While a sequence is being answered it is the one drawn last.
func (s *sequence) pending() int { return len(s.tokens) - s.holder.size }

// generated returns how many tokens have been drawn.
func (s *sequence) generated() int { return len(s.tokens) - s.prompt }

// A drawn token, with its log probabilities where they are reported.
type drawn struct {
	token llama.Token
	logs  *logprobs
	err   error
}

// ringPerChoice is how many tokens of a choice wait for their reader. When as
// many do, the sequence pauses, and no other.
const ringPerChoice = 64

// An output is what the loop has for the reader of a request: a ring that all
// its choices share.
type output struct {
	ring    chan step
	choices int
	place   atomic.Uint64 // in the line, and how many wait, each in half of the bits; 0: it does not wait
}

// A step is a token of a choice, or its end.
type step struct {
	choice int
	token  llama.Token
	logs   *logprobs
	finish chat.Finish // of an end, unless err is set
	cached int         // prompt tokens that needed no prefill
	err    error
}

func newOutput(choices int) *output {
	return &output{ring: make(chan step, choices*(ringPerChoice+1)), choices: choices}
}

// full reports whether another token and end of each choice might not fit. As
// long as nobody is decoded while it is, put never waits.
func (o *output) full() bool { return cap(o.ring)-len(o.ring) < 2*o.choices }

// put hands a step to the reader, or to nobody when the reader has left.
func (o *output) put(s step) {
	select {
	case o.ring <- s:
	default:
	}
}
