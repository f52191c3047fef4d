package engine

import "time"

const (
	// prefillChunk is how many prompt tokens one step takes on at most.
	prefillChunk = 512
	// prefillLeast is how many it takes on at least, so that prompts get on
	// whatever the steps cost.
	prefillLeast = 16
)

// A pace decides how many prompt tokens a step may take on while others are
// being answered: as many as let the step last about half as long again as one
// without. It learns from the steps what both cost.
type pace struct {
	quiet    float64 // seconds of a step without prompt tokens
	perToken float64 // seconds that each prompt token adds
}

const paceWeight = 0.2 // of the latest measurement

// note learns from a step.
func (p *pace) note(took time.Duration, answered, prompt int) {
	learn := func(to *float64, x float64) {
		if *to == 0 {
			*to = x
		}
		*to += paceWeight * (x - *to)
	}
	switch t := took.Seconds(); {
	case prompt == 0 && answered > 0:
		learn(&p.quiet, t)
	case prompt >= prefillLeast:
		base := 0.0
		if answered > 0 {
			base = p.quiet
		}
		learn(&p.perToken, max(t-base, t/10)/float64(prompt))
	}
}

// budget returns how many prompt tokens the next step may take on, with so many
// sequences that are being answered and so many whose prompts wait. Where more
// wait than are answered, the step is mostly theirs.
func (p *pace) budget(answered, waiting int) int {
	if waiting > answered {
		return max(prefillLeast, prefillChunk*waiting/(waiting+answered))
	}
	if p.quiet == 0 || p.perToken == 0 {
		return prefillChunk / 4
	}
	return min(max(int(p.quiet/p.perToken/2), prefillLeast), prefillChunk)
}
