package engine

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	var p pace
	if got := p.budget(4, 1); got != 2*prefillLeast {
		t.Errorf("before it has learnt anything it takes %d tokens, want %d", got, 2*prefillLeast)
	}
	for range 50 {
		p.note(20*time.Millisecond, 4, 0)                        // a step without a prompt
		p.note(20*time.Millisecond+100*time.Millisecond, 4, 100) // 1 ms for each token
	}
	if got, want := p.budget(4, 1), int(prefillShare*20); got < want-1 || got > want+1 {
		t.Errorf("it takes %d tokens, want about %d", got, want)
	}
	if got := p.budget(0, 1); got != prefillChunk {
		t.Errorf("with nobody to disturb it takes %d tokens, want %d", got, prefillChunk)
	}
	if got := p.budget(1, 3); got != prefillChunk*3/4 {
		t.Errorf("with three prompts and one answer it takes %d tokens, want %d", got, prefillChunk*3/4)
	}
	if got := p.budget(8, 8); got > prefillChunk/4 {
		t.Errorf("with as many answers as prompts it takes %d tokens", got)
	}
	if got, want := p.quietStep(10), 0.020+6*0.001; got < want-1e-3 || got > want+1e-3 {
		t.Errorf("a step for ten is thought to take %v s, want %v: of 20 ms for four, and 1 ms for each more", got, want)
	}
	if got := p.quietStep(1); got < 0.019 || got > 0.021 {
		t.Errorf("a step for one is thought to take %v s, want no more than for four", got)
	}
}

// On a machine that is busy with other things, quiet steps that took long do
// not let prompts take long too.
func TestPaceUnderNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var p pace
	noisy := func(ms float64) time.Duration {
		if rng.Float64() < 0.3 {
			ms *= 1 + 9*rng.Float64()
		}
		return time.Duration(ms * float64(time.Millisecond))
	}
	for range 200 {
		p.note(noisy(20), 8, 0)
	}
	tokens, n := 0, 0
	for i := range 400 { // a long prompt, of which each token takes 1 ms
		b := p.budget(8, 1)
		p.note(noisy(20+float64(b)), 8, b)
		if i >= 100 {
			tokens, n = tokens+b, n+1
		}
	}
	if mean := float64(tokens) / float64(n); mean > 2*prefillShare*20 {
		t.Errorf("steps of 20 ms take on %.0f tokens of 1 ms, want no more than about %v", mean, prefillShare*20)
	}
}
