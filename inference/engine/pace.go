package engine

import (
	"math/bits"
	"time"
)

const (
	// prefillChunk is how many prompt tokens one step takes on at most.
	prefillChunk = 512
	// prefillLeast is how many it takes on at least, so that prompts get on
	// whatever the steps cost.
	prefillLeast = 4
	// prefillShare is the part of a quiet step's time that prompts may add to
	// it, where others are being answered.
	prefillShare = 0.5
	// prefillTime is what they may add in any case, in seconds: nobody who
	// reads an answer notices so little, and whoever waits for his own does.
	prefillTime = 0.01
)

// A pace decides how many prompt tokens a step may take on while others are
// being answered: as many as let the step last by prefillShare longer than one
// without, or by prefillTime. It learns from the steps what both cost.
type pace struct {
	quiet    [10]float64 // seconds of a step without prompt tokens, by the bits of how many are answered
	perToken float64     // seconds that each prompt token adds to a step in which others are answered
}

// What the latest measurement counts. A quiet step that took longer than was
// thought counts for less: mostly something else had the processor, and were it
// believed, prompts would be given that time as well.
const (
	paceWeight = 0.2
	slowWeight = 0.05
)

// note learns from a step. One that was mostly prompts says little of what a
// token costs among few, which is twice as much; but no less than that.
func (p *pace) note(took time.Duration, answered, prompt int) {
	t, quiet := took.Seconds(), p.quietStep(answered)
	switch {
	case answered == 0:
	case prompt == 0:
		own := &p.quiet[bits.Len(uint(answered))]
		switch {
		case *own == 0:
			*own = t
		case t > *own:
			*own += slowWeight * (t - *own)
		default:
			*own += paceWeight * (t - *own)
		}
	case quiet > 0 && prompt >= prefillLeast:
		x := max(t-quiet, t/10) / float64(prompt)
		switch {
		case p.perToken == 0:
			p.perToken = x
		case prompt <= prefillChunk/4 || x > p.perToken:
			p.perToken += paceWeight * (x - p.perToken)
		}
	}
}

// quietStep returns what a step without prompt tokens takes, or 0 where that is
// not known. Of as many as are answered now there may not have been one yet;
// then it is what fewer took, and a token for each of the others.
func (p *pace) quietStep(answered int) float64 {
	own := bits.Len(uint(answered))
	if p.quiet[own] > 0 {
		return p.quiet[own]
	}
	for i := own - 1; i > 0; i-- {
		if p.quiet[i] > 0 {
			return p.quiet[i] + p.perToken*float64(answered-1<<(i-1))
		}
	}
	for _, q := range p.quiet[own:] {
		if q > 0 {
			return q
		}
	}
	return 0
}

// budget returns how many prompt tokens the next step may take on, with so many
// sequences that are being answered and so many whose prompts wait. Where more
// wait than are answered, the step is mostly theirs.
func (p *pace) budget(answered, waiting int) int {
	if waiting > answered {
		return max(prefillLeast, prefillChunk*waiting/(waiting+answered))
	}
	quiet := p.quietStep(answered)
	if quiet == 0 || p.perToken == 0 {
		return 2 * prefillLeast // and learn from it
	}
	return min(max(int(max(prefillShare*quiet, prefillTime)/p.perToken), prefillLeast), prefillChunk)
}
