package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	table "bendi/internal/benchtable"
)

// cancels asks what clients cost who leave: whether their slots are free at
// once, and whether the others get as much done.
func cancels(ctx context.Context, b *bench) error {
	const slots, in = 8, 32
	ours, err := b.worker(ctx, b.setup("cancels", b.overhead, 128, slots))
	if err != nil {
		return err
	}
	defer ours.stop()
	if err := warm(ctx, ours); err != nil {
		return err
	}
	n, out := pick(b, 96, 32), pick(b, 64, 32)
	random := rand.New(rand.NewPCG(1, 1))
	var kept, busy []table.Pair
	for range b.rounds {
		stay := ours.inFlight(ctx, 2*slots, prompts(n, in, out, nil))
		leaving := prompts(n, in, out, nil)
		for i := range leaving {
			if random.Float64() < 0.2 {
				leaving[i].leave = 1 + random.IntN(out-1)
			}
		}
		some := ours.inFlight(ctx, 2*slots, leaving)
		for _, l := range []load{stay, some} {
			if err := l.whole(in); err != nil {
				return err
			}
		}
		kept = append(kept, table.Pair{some.perSecond(), stay.perSecond()})
		busy = append(busy, table.Pair{some.perToken(), stay.perToken()})
	}
	b.add(table.Row{Suite: "cancels", What: "20 % leave, throughput", Unit: "tokens/s", Against: "all stay", Must: table.AtLeast(0.95)}.Compared(kept))
	b.add(table.Row{Suite: "cancels", What: "20 % leave, processor time", Unit: "ms/token", Against: "all stay"}.Compared(busy))
	ours.stop()

	// Where a step takes long enough to be told from the socket.
	steady, err := b.worker(ctx, b.setup("cancels-steps", b.compute, 512, slots))
	if err != nil {
		return err
	}
	defer steady.stop()
	if err := warm(ctx, steady); err != nil {
		return err
	}
	steps, err := replaced(ctx, steady, slots, pick(b, 10, 4)*b.rounds)
	if err != nil {
		return err
	}
	b.add(table.Row{Suite: "cancels", What: "steps until the next in line speaks, P50", Unit: "steps", Must: table.AtMost(2)}.Alone(table.Median(steps)))
	b.add(table.Row{Suite: "cancels", What: "steps until the next in line speaks, P90", Unit: "steps"}.Alone(table.Percentile(steps, 90)))
	return nil
}

// replaced fills all slots, has one more client wait, then one leave, and
// counts how many tokens another stream gets until the waiting one has his
// first; n times. The step that is under way when the client leaves is the
// first, the one in which the waiting one is let in is the second.
func replaced(ctx context.Context, s *server, slots, n int) ([]float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var witness atomic.Int64 // tokens of a stream that stays
	started := make(chan struct{}, slots+n)
	var mu sync.Mutex
	var failure error
	var wg sync.WaitGroup
	begin := func(onToken func(int)) (leave context.CancelFunc) {
		own, leave := context.WithCancel(ctx)
		r := prompts(1, 4, 400, nil)[0] // a prompt that one step takes in whatever the pace
		r.onToken = onToken
		wg.Go(func() {
			if a := s.ask(own, r); own.Err() == nil && a.err != nil {
				mu.Lock()
				failure = errors.Join(failure, a.err)
				mu.Unlock()
			}
		})
		return leave
	}
	defer wg.Wait()
	defer cancel()
	tell := func(k int) {
		if k == 1 {
			started <- struct{}{}
		}
	}
	wait := func(c <-chan struct{}) error {
		select {
		case <-c:
			return nil
		case <-time.After(time.Minute):
			return errors.New("nobody was let in for a minute")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	leaves := []context.CancelFunc{begin(func(k int) { witness.Add(1); tell(k) })}
	for range slots - 1 {
		leaves = append(leaves, begin(tell))
	}
	for range slots {
		if err := wait(started); err != nil {
			return nil, err
		}
	}
	var steps []float64
	for range n {
		if witness.Load() > 350 { // it will end soon, and nobody with it: enough
			break
		}
		let := make(chan struct{})
		next := begin(func(k int) {
			if k == 1 {
				close(let)
			}
		})
		time.Sleep(time.Duration(20+rand.IntN(60)) * time.Millisecond) // until it waits in line
		before := witness.Load()
		leaves[1]()
		leaves = append(leaves[:1], leaves[2:]...)
		if err := wait(let); err != nil {
			return nil, err
		}
		steps = append(steps, float64(witness.Load()-before))
		leaves = append(leaves, next)
	}
	cancel()
	wg.Wait()
	return steps, failure
}

// flood asks what a thousand clients at once get on eight slots.
func flood(ctx context.Context, b *bench) error {
	const slots, out = 8, 8
	n := pick(b, 1000, 300)
	ours, err := b.worker(ctx, b.setup("flood", b.demo, 256, slots))
	if err != nil {
		return err
	}
	defer ours.stop()
	requests := func(n int) []request {
		list := make([]request, n)
		for i := range list {
			list[i] = request{user: fmt.Sprintf("你好,%d?", rand.IntN(1000)), tokens: out}
		}
		return list
	}
	ours.together(ctx, requests(n)) // connections, buffers, heap
	var lost, memory []table.Pair
	var refused []float64
	for range b.rounds {
		before := ours.memory()
		l := ours.together(ctx, requests(n))
		answered, turned := 0, 0
		var why error
		for i := range l.answers {
			switch a := &l.answers[i]; {
			case a.complete():
				answered++
			case a.refused():
				turned++
			default:
				why = a.err
			}
		}
		if why != nil {
			b.say("flood: %v", why)
		}
		lost = append(lost, table.Pair{table.Figure(n - answered - turned), table.Figure(n)})
		refused = append(refused, float64(turned))
		memory = append(memory, table.Pair{table.Figure(ours.memory() / (1 << 20)), table.Figure(before / (1 << 20))})
	}
	what := fmt.Sprintf("%d requests, %d slots, ", n, slots)
	b.add(table.Row{Suite: "flood", What: what + "neither answered nor told when to come back", Unit: "requests", Against: "all", Must: table.AtMost(0)}.Compared(lost))
	b.add(table.Row{Suite: "flood", What: what + "refused with Retry-After", Unit: "requests"}.Alone(refused...))
	b.add(table.Row{Suite: "flood", What: what + "memory", Unit: "MiB", Against: "before", Must: table.AtMost(1.1)}.Compared(memory))
	return nil
}

// openLoop asks how long clients wait who come at their own pace.
func openLoop(ctx context.Context, b *bench) error {
	const rate, out = 100, 24
	seconds := pick(b, 5, 2)
	setup := b.setup("openloop", b.demo, 256, 32)
	setup.threads = 0 // as many as the worker chooses for so small a model
	ours, err := b.worker(ctx, setup)
	if err != nil {
		return err
	}
	defer ours.stop()
	questions := []string{"怎么退货?", "你们几点开门?", "我的订单到哪里了?", "请写一句欢迎语。", "可以开发票吗?"}
	requests := make([]request, rate*seconds)
	for i := range requests {
		requests[i] = request{user: questions[i%len(questions)], tokens: out, fields: map[string]any{"temperature": 0.8}}
	}
	ours.every(ctx, time.Second/rate, requests[:rate])
	var middle, tail, first, faults []float64
	for range b.rounds {
		l := ours.every(ctx, time.Second/rate, requests)
		bad := 0
		for i := range l.answers {
			if !l.answers[i].complete() {
				bad++
			}
		}
		faults = append(faults, float64(bad))
		middle = append(middle, table.Percentile(l.each(wholeTime), 50))
		tail = append(tail, table.Percentile(l.each(wholeTime), 99))
		first = append(first, table.Percentile(l.each(firstToken), 99))
	}
	what := fmt.Sprintf("demo model, %d requests/s, %d tokens, ", rate, out)
	b.add(table.Row{Suite: "openloop", What: what + "P50", Unit: "ms"}.Alone(middle...))
	b.add(table.Row{Suite: "openloop", What: what + "P99", Unit: "ms", Must: table.AtMost(500), Aim: table.AtMost(200)}.Alone(tail...))
	b.add(table.Row{Suite: "openloop", What: what + "first token P99", Unit: "ms"}.Alone(first...))
	b.add(table.Row{Suite: "openloop", What: what + "errors", Unit: "requests", Must: table.AtMost(0)}.Alone(faults...))
	return nil
}
