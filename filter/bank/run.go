package bank

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
)

// Sample draws n of the questions that should be refused and n of those that
// should be answered, by a seed, or all where there are not more. The same
// seed draws the same questions from the same bank. 0 draws all.
func Sample(questions []Question, n int, seed uint64) []Question {
	var drawn []Question
	for _, refuse := range []bool{true, false} {
		var of []Question
		for _, q := range questions {
			if q.Refuse == refuse {
				of = append(of, q)
			}
		}
		if n > 0 && n < len(of) {
			rand.New(rand.NewPCG(seed, 0)).Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
			of = of[:n]
			slices.SortFunc(of, func(a, b Question) int { return a.Line - b.Line })
		}
		drawn = append(drawn, of...)
	}
	return drawn
}

// An Answer is what came of a question.
type Answer struct {
	Text     string
	Filtered bool // a filter refused the question or ended the answer
}

// An Outcome is a question with what came of it.
type Outcome struct {
	Question Question
	Answer   Answer
	Err      error // there was no answer
}

// Run asks the questions, several at a time, and returns what came of them in
// their order. Told is called after each, one call at a time; it may be nil.
// When ctx ends, the rest is not asked, and its error is that of ctx.
func Run(ctx context.Context, questions []Question, several int, ask func(context.Context, string) (Answer, error), told func(done int)) []Outcome {
	outcomes := make([]Outcome, len(questions))
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex // guards done
	done := 0
	for range max(1, several) {
		wg.Go(func() {
			for i := range next {
				o := Outcome{Question: questions[i], Err: context.Cause(ctx)}
				if o.Err == nil {
					o.Answer, o.Err = ask(ctx, questions[i].Text)
				}
				outcomes[i] = o
				mu.Lock()
				done++
				if told != nil {
					told(done)
				}
				mu.Unlock()
			}
		})
	}
	for i := range questions {
		next <- i
	}
	close(next)
	wg.Wait()
	return outcomes
}
