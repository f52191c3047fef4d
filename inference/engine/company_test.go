package engine

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"bendi/chat"
)

// spelt returns the tokens of an answer, with the likeliest at each place.
func spelt(t *testing.T, e *Engine, req *chat.Request) (list []chat.TokenLogProbs) {
	req.LogProbs, req.TopLogProbs = true, 5
	for ev, err := range e.Chat(t.Context(), req) {
		if err != nil {
			t.Error(err)
			return nil
		}
		list = append(list, ev.LogProbs...)
	}
	return list
}

// apart compares two answers of which each token was the likeliest. It returns
// where they first differ, and by how many nats the token that is only in got
// was less likely in want; equal answers are 0 apart.
func apart(want, got []chat.TokenLogProbs) (at int, nats float64) {
	for i := range min(len(want), len(got)) {
		if string(want[i].Bytes) == string(got[i].Bytes) {
			continue
		}
		for _, other := range want[i].Top {
			if string(other.Bytes) == string(got[i].Bytes) {
				return i, want[i].LogProb - other.LogProb
			}
		}
		return i, math.Inf(1)
	}
	return len(want), 0
}

// nearTie is how far apart two tokens may be and still change places with the
// shape of the batch that their logits are computed in. The kernels for one row
// and for many add up in another order; on the demo model that moves a log
// probability by some hundredths of a nat.
const nearTie = 0.15

// What a greedy request gets among fifteen others is what it gets alone, up to
// the first near tie. No more is promised: which token comes first there is a
// matter of the last bits of a sum, and from there on it is another answer.
func TestAloneAndInCompany(t *testing.T) {
	e := openDemo(t, Config{Slots: 16, Context: 256})
	ask := func(i int) *chat.Request {
		return question(fmt.Sprintf("第 %d 题:%s", i, []string{"怎么退货?", unheard, "你们几点开门?", "写一首诗"}[i%4]), endless, tokens(40))
	}
	const n = 16
	var alone, among [n][]chat.TokenLogProbs
	for i := range n {
		alone[i] = spelt(t, e, ask(i))
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { among[i] = spelt(t, e, ask(i)) })
	}
	wg.Wait()
	var other []string
	for i := range n {
		at, nats := apart(alone[i], among[i])
		if nats != 0 || len(alone[i]) != len(among[i]) {
			other = append(other, fmt.Sprintf("%d after %d tokens by %.3f nats", i, at, nats))
		}
		if nats > nearTie {
			t.Errorf("question %d: token %d of the answer differs, and the two are %.3f nats apart: no near tie", i, at, nats)
		}
	}
	t.Logf("%d of %d answers differ from a near tie on: %s", len(other), n, strings.Join(other, ", "))
}
