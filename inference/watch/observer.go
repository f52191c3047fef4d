package watch

import "time"

// An Observer is told what one model does, as it happens.
//
// The engine's loop calls it between two steps, while everybody waits for the
// next token: a method returns at once, allocates nothing, and keeps no pointer
// that it was given. There is one call at a time.
type Observer interface {
	// Began tells of a choice that has got a slot, for the first time.
	Began(p *Progress)
	// Token tells of a choice that has got its next token.
	Token(p *Progress)
	// Ended tells of a choice that has left, whether it had begun or not.
	Ended(p *Progress)
	// Step tells of a batch that was decoded.
	Step(s Step)
}

// Progress is how far a choice of a request has come. A time is zero while it
// has not been reached.
type Progress struct {
	Arrived time.Time // at the engine
	Began   time.Time // to be decoded, when it got its first slot
	First   time.Time // token
	Latest  time.Time // token
	Ended   time.Time

	Gap       time.Duration // between the two latest tokens; 0 after the first
	Prompt    int           // tokens
	Cached    int           // tokens of the prompt that lay in the KV cache when it began
	Generated int           // tokens given out
	Reason    Reason        // why it ended
}

// A Reason says why a choice ended, in the words of vLLM's metrics.
type Reason string

const (
	Stop   Reason = "stop"   // the model ended its turn, or a stop string came up
	Length Reason = "length" // the budget or the window was reached
	Abort  Reason = "abort"  // nobody wants it any more
	Failed Reason = "error"
)

// Reasons are all there are.
var Reasons = [...]Reason{Stop, Length, Abort, Failed}

// A Step is what a batch cost.
type Step struct {
	Whole  time.Duration // with the choice of what to decode and the delivery of the tokens
	Decode time.Duration // in llama.cpp
	Sample time.Duration // drawing the next tokens
	Prompt int           // prompt tokens in the batch
	Drawn  int           // tokens drawn from it
}

// Nobody is an Observer that looks away.
type Nobody struct{}

func (Nobody) Began(*Progress) {}
func (Nobody) Token(*Progress) {}
func (Nobody) Ended(*Progress) {}
func (Nobody) Step(Step)       {}
