package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	table "bendi/internal/benchtable"
	"bendi/models/gguf/random"
)

// sharedPrefix asks how often a prefix is computed that many users share, all
// of whom come at once.
func sharedPrefix(ctx context.Context, b *bench) error {
	const out, last = 4, 4
	users, system := pick(b, 16, 8), pick(b, 1000, 500)
	in := random.PromptTokens(system, last)
	ours, other, stop, err := b.servers(ctx, b.setup("prefix", b.compute, in+out+64, users))
	if err != nil {
		return err
	}
	defer stop()
	if err := warm(ctx, ours, other); err != nil {
		return err
	}
	var work []float64
	var alone, theirs, theirWork []table.Pair
	for i := range b.rounds {
		// One user, then all the others with another system prompt.
		one := ours.together(ctx, sharing(1, system, last, out))
		requests := sharing(users, system, last, out)
		l := ours.together(ctx, requests)
		for _, l := range []load{one, l} {
			if err := l.whole(in); err != nil {
				return err
			}
		}
		w, wait := float64(l.prefilled())/float64(in), table.Percentile(l.each(firstToken), 99)
		work = append(work, w)
		alone = append(alone, table.Pair{table.Figure(wait), table.Figure(one.each(firstToken)[0])})
		if other != nil && i == 0 { // it takes long, and is not near
			o := other.together(ctx, requests)
			if err := o.whole(in); err != nil {
				return err
			}
			theirs = append(theirs, table.Pair{table.Figure(wait), table.Figure(table.Percentile(o.each(firstToken), 99))})
			theirWork = append(theirWork, table.Pair{table.Figure(w), table.Figure(float64(o.prefilled()) / float64(in))})
		}
	}
	what := fmt.Sprintf("%d users, %d shared tokens, ", users, system)
	b.add(table.Row{Suite: "prefix", What: what + "work", Unit: "prompts", Must: table.AtMost(1.2)}.Alone(work...))
	b.add(table.Row{Suite: "prefix", What: what + "first token P99", Unit: "ms", Against: "one user"}.Compared(alone))
	if other != nil {
		b.add(table.Row{Suite: "prefix", What: what + "first token P99", Unit: "ms", Against: "llama-server", Aim: table.AtMost(0.25)}.Compared(theirs))
		b.add(table.Row{Suite: "prefix", What: what + "work", Unit: "prompts", Against: "llama-server"}.Compared(theirWork))
	}
	return nil
}

// copiedPrefix asks the same of models that cannot share what lies in their
// cache, so that the worker has to copy it.
func copiedPrefix(ctx context.Context, b *bench) error {
	const out, last = 4, 4
	users, system := pick(b, 16, 8), pick(b, 1000, 500)
	in := random.PromptTokens(system, last)
	for _, kind := range []struct{ name, file string }{{"a sliding window", b.window}, {"a recurrent state", b.recurrent}} {
		ours, err := b.worker(ctx, b.setup("checkpoints", kind.file, in+out+64, users))
		if err != nil {
			return err
		}
		var work []float64
		var wait []table.Pair
		for range b.rounds {
			one := ours.together(ctx, sharing(1, system, last, out))
			l := ours.together(ctx, sharing(users, system, last, out))
			if err = errors.Join(one.whole(in), l.whole(in)); err != nil {
				break
			}
			work = append(work, float64(l.prefilled())/float64(in))
			wait = append(wait, table.Pair{table.Figure(table.Percentile(l.each(firstToken), 99)), table.Figure(one.each(firstToken)[0])})
		}
		ours.stop()
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%s, %d users, %d shared tokens, ", kind.name, users, system)
		b.add(table.Row{Suite: "checkpoints", What: what + "work", Unit: "prompts", Must: table.AtMost(1.2)}.Alone(work...))
		b.add(table.Row{Suite: "checkpoints", What: what + "first token P99", Unit: "ms", Against: "one user"}.Compared(wait))
	}
	return nil
}

// sharing returns requests of n users with one system prompt.
func sharing(n, system, user, out int) []request {
	list := make([]request, n)
	common := text(system)
	for i := range list {
		list[i] = request{system: common, user: text(user), tokens: out}
	}
	return list
}

// prefilled returns how many prompt tokens were not in the cache.
func (l load) prefilled() int {
	n := 0
	for _, a := range l.answers {
		n += a.prompt - a.cached
	}
	return n
}

// longPrompt asks how much those who are being answered notice of a long
// prompt that arrives.
func longPrompt(ctx context.Context, b *bench) error {
	const n = 8
	long := pick(b, 4000, 1000)
	ours, other, stop, err := b.servers(ctx, b.setup("longprompt", b.compute, long+512, n+1))
	if err != nil {
		return err
	}
	defer stop()
	if err := warm(ctx, ours, other); err != nil {
		return err
	}
	var tail, middle, wait, theirs []table.Pair
	for i := range b.rounds {
		quiet, loaded, took, err := disturbed(ctx, ours, n, long)
		if err != nil {
			return err
		}
		// What the prompt takes with nobody else there.
		free := ours.together(ctx, prompts(1, long, 1, nil))
		if err := free.whole(long); err != nil {
			return err
		}
		tail = append(tail, table.Pair{table.Figure(table.Percentile(loaded, 99)), table.Figure(table.Percentile(quiet, 99))})
		middle = append(middle, table.Pair{table.Figure(table.Median(loaded)), table.Figure(table.Median(quiet))})
		wait = append(wait, table.Pair{table.Figure(took), table.Figure(free.each(firstToken)[0])})
		if other != nil && i == 0 {
			_, o, _, err := disturbed(ctx, other, n, long)
			if err != nil {
				return err
			}
			theirs = append(theirs, table.Pair{table.Figure(table.Percentile(loaded, 99)), table.Figure(table.Percentile(o, 99))})
		}
	}
	what := fmt.Sprintf("%d streams, %d tokens arrive, ", n, long)
	b.add(table.Row{Suite: "longprompt", What: what + "gap P99", Unit: "ms", Against: "quiet", Must: table.AtMost(2.5), Aim: table.AtMost(1.5)}.Compared(tail))
	b.add(table.Row{Suite: "longprompt", What: what + "gap P50", Unit: "ms", Against: "quiet"}.Compared(middle))
	b.add(table.Row{Suite: "longprompt", What: what + "its first token", Unit: "ms", Against: "alone"}.Compared(wait))
	if other != nil {
		b.add(table.Row{Suite: "longprompt", What: what + "gap P99", Unit: "ms", Against: "llama-server"}.Compared(theirs))
	}
	return nil
}

// disturbed has n streams run, and a long prompt arrive among them. It returns
// the gaps between their tokens before it came and while it was read, and how
// long it took to its first token, in milliseconds.
func disturbed(ctx context.Context, s *server, n, long int) (quiet, loaded []float64, took float64, err error) {
	const skip, calm, most = 4, 24, 440 // tokens: passed over, measured as quiet, generated at most
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	ready := 0
	allReady := make(chan struct{})
	type token struct{ at, gap time.Duration } // since begin, since the one before
	begin := time.Now()
	tokens := make([][]token, n)
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		r := prompts(1, 32, most, nil)[0]
		last := time.Duration(0)
		r.onToken = func(k int) {
			now := time.Since(begin)
			mu.Lock()
			defer mu.Unlock()
			tokens[i] = append(tokens[i], token{now, now - last})
			if last = now; k == skip+calm {
				if ready++; ready == n {
					close(allReady)
				}
			}
		}
		wg.Go(func() {
			if a := s.ask(ctx, r); ctx.Err() == nil {
				errs[i] = a.err
			}
		})
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	select {
	case <-allReady:
	case <-ended:
		return nil, nil, 0, errors.Join(append(errs, errors.New("the streams ended before all were under way"))...)
	}
	from := time.Since(begin)
	a := s.ask(ctx, prompts(1, long, 1, nil)[0])
	to := from + a.first
	cancel()
	<-ended
	if err := errors.Join(append(errs, load{answers: []answer{a}}.whole(long))...); err != nil {
		return nil, nil, 0, err
	}
	for _, list := range tokens {
		for k, t := range list {
			switch {
			case k < skip:
			case t.at <= from:
				quiet = append(quiet, t.gap.Seconds()*1000)
			case t.at <= to:
				loaded = append(loaded, t.gap.Seconds()*1000)
			}
		}
	}
	if len(loaded) == 0 {
		// The server left all streams waiting until it had read the prompt.
		loaded = slices.Repeat([]float64{(to - from).Seconds() * 1000}, n)
	}
	return quiet, loaded, a.first.Seconds() * 1000, nil
}
