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
	prefillLeast = 8
	// prefillShare is the part of a quiet step's time that prompts may add to
	// it, where others are being answered.
	prefillShare = 0.5
)

// A pace decides how many prompt tokens a step may take on while others are
// being answered: as many as let the step last by prefillShare longer than one
// without. It learns from the steps what both cost.
type pace struct {
	quiet    [10]float64 // seconds of a step without prompt tokens, by the bits of how many are answered
	perToken float64     // seconds that each prompt token adds to a step in which others are answered
}

const paceWeight = 0.2 // of the latest measurement

// note learns from a step. Of steps that are mostly prompts it learns nothing:
// in those a token costs half of what it costs among few.
func (p *pace) note(took time.Duration, answered, prompt int) {
	learn := func(to *float64, x float64) {
		if *to == 0 {
			*to = x
		}
		*to += paceWeight * (x - *to)
	}
	t, quiet := took.Seconds(), p.quietStep(answered)
	switch {
	case answered == 0:
	case prompt == 0:
		learn(&p.quiet[bits.Len(uint(answered))], t)
	case quiet > 0 && prompt >= prefillLeast && prompt <= prefillChunk/4:
		learn(&p.perToken, max(t-quiet, t/10)/float64(prompt))
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
	return min(max(int(prefillShare*quiet/p.perToken), prefillLeast), prefillChunk)
}
