package main

import (
	"context"
	"fmt"

	table "bendi/internal/benchtable"
)

// streams asks how much of what the model can do is left after the server.
func streams(ctx context.Context, b *bench) error {
	const in = 64
	out := pick(b, 64, 16)
	counts := pick(b, []int{1, 4, 16}, []int{1, 4})
	setup := b.setup("streams", b.compute, 256, counts[len(counts)-1])
	top, err := b.ceiling(ctx, setup)
	if err != nil {
		return err
	}
	defer top.stop()
	ours, other, stop, err := b.servers(ctx, setup)
	if err != nil {
		return err
	}
	defer stop()
	if err := warm(ctx, ours, other); err != nil {
		return err
	}
	for _, n := range counts {
		var bare, busy, theirs, theirBusy []table.Pair
		for range b.rounds {
			spent := top.busy()
			round, err := top.measure(n, in, out)
			if err != nil {
				return err
			}
			spent = top.busy() - spent
			l := ours.together(ctx, prompts(n, in, out, nil))
			if err := l.whole(in); err != nil {
				return err
			}
			bare = append(bare, table.Pair{l.perSecond(), table.Figure(round.TokensPerSecond)})
			busy = append(busy, table.Pair{l.perToken(), table.Figure(spent.Seconds() * 1000 / float64(n*out))})
			if other != nil {
				o := other.together(ctx, prompts(n, in, out, nil))
				if err := o.whole(in); err != nil {
					return err
				}
				theirs = append(theirs, table.Pair{l.perSecond(), o.perSecond()})
				theirBusy = append(theirBusy, table.Pair{l.perToken(), o.perToken()})
			}
		}
		what := fmt.Sprintf("%d streams, %d in, %d out", n, in, out)
		b.add(table.Row{Suite: "streams", What: what, Unit: "tokens/s", Against: "ceiling", Must: table.AtLeast(0.95)}.Compared(bare))
		b.add(table.Row{Suite: "streams", What: what + ", processor time", Unit: "ms/token", Against: "ceiling"}.Compared(busy))
		if other != nil {
			b.add(table.Row{Suite: "streams", What: what, Unit: "tokens/s", Against: "llama-server", Aim: table.AtLeast(1.1)}.Compared(theirs))
			b.add(table.Row{Suite: "streams", What: what + ", processor time", Unit: "ms/token", Against: "llama-server"}.Compared(theirBusy))
		}
	}
	return nil
}

// sampling asks what the server costs where the model costs next to nothing,
// and what a missing top_k costs.
func sampling(ctx context.Context, b *bench) error {
	const in = 32
	n, out := pick(b, 32, 16), pick(b, 64, 32)
	setup := b.setup("sampling", b.overhead, 128, n)
	top, err := b.ceiling(ctx, setup)
	if err != nil {
		return err
	}
	defer top.stop()
	ours, other, stop, err := b.servers(ctx, setup)
	if err != nil {
		return err
	}
	defer stop()
	if err := warm(ctx, ours, other); err != nil {
		return err
	}
	drawn := func(topK int) map[string]any {
		return map[string]any{"temperature": 0.8, "top_p": 0.9, "top_k": topK}
	}
	var bare, without, theirs, theirsWithout, busy, busyWithout []table.Pair
	for range b.rounds {
		round, err := top.measure(n, in, out)
		if err != nil {
			return err
		}
		with := ours.together(ctx, prompts(n, in, out, drawn(40)))
		off := ours.together(ctx, prompts(n, in, out, drawn(0)))
		for _, l := range []load{with, off} {
			if err := l.whole(in); err != nil {
				return err
			}
		}
		bare = append(bare, table.Pair{with.perSecond(), table.Figure(round.TokensPerSecond)})
		without = append(without, table.Pair{off.perSecond(), with.perSecond()})
		if other != nil {
			o := other.together(ctx, prompts(n, in, out, drawn(40)))
			// It is so slow without top_k that an eighth of the tokens says enough.
			p := other.together(ctx, prompts(n, in, out/8, drawn(0)))
			for _, l := range []load{o, p} {
				if err := l.whole(in); err != nil {
					return err
				}
			}
			theirs = append(theirs, table.Pair{with.perSecond(), o.perSecond()})
			theirsWithout = append(theirsWithout, table.Pair{off.perSecond(), p.perSecond()})
			busy = append(busy, table.Pair{with.perToken(), o.perToken()})
			busyWithout = append(busyWithout, table.Pair{off.perToken(), p.perToken()})
		}
	}
	what := fmt.Sprintf("%d streams, top_k ", n)
	b.add(table.Row{Suite: "sampling", What: what + "40", Unit: "tokens/s", Against: "ceiling"}.Compared(bare))
	b.add(table.Row{Suite: "sampling", What: what + "off", Unit: "tokens/s", Against: "top_k 40", Aim: table.AtLeast(1)}.Compared(without))
	if other != nil {
		b.add(table.Row{Suite: "sampling", What: what + "40", Unit: "tokens/s", Against: "llama-server", Must: table.AtLeast(1.5), Aim: table.AtLeast(2)}.Compared(theirs))
		b.add(table.Row{Suite: "sampling", What: what + "off", Unit: "tokens/s", Against: "llama-server", Must: table.AtLeast(10)}.Compared(theirsWithout))
		b.add(table.Row{Suite: "sampling", What: what + "40, processor time", Unit: "ms/token", Against: "llama-server"}.Compared(busy))
		b.add(table.Row{Suite: "sampling", What: what + "off, processor time", Unit: "ms/token", Against: "llama-server"}.Compared(busyWithout))
	}
	return nil
}

// structured asks what keeping to a JSON schema costs.
func structured(ctx context.Context, b *bench) error {
	const n, in = 8, 32
	out := pick(b, 64, 24)
	ours, err := b.worker(ctx, b.setup("json", b.compute, 256, n))
	if err != nil {
		return err
	}
	defer ours.stop()
	if err := warm(ctx, ours); err != nil {
		return err
	}
	schema := map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"words"},
		"properties": map[string]any{"words": map[string]any{"type": "array", "minItems": 100, "items": map[string]any{"type": "string"}}},
	}
	sampled := map[string]any{"temperature": 0.8, "ignore_eos": false}
	format := map[string]any{"temperature": 0.8, "ignore_eos": false, "response_format": map[string]any{
		"type": "json_schema", "json_schema": map[string]any{"name": "words", "strict": true, "schema": schema},
	}}
	if a := ours.ask(ctx, prompts(1, in, 4, format)[0]); !a.complete() {
		b.skip("json", fmt.Sprintf("the worker does not take response_format: %v", a.err))
		return nil
	}
	var free []table.Pair
	for range b.rounds {
		plain := ours.together(ctx, prompts(n, in, out, sampled))
		kept := ours.together(ctx, prompts(n, in, out, format))
		for _, l := range []load{plain, kept} {
			if err := l.whole(in); err != nil {
				return err
			}
		}
		free = append(free, table.Pair{kept.perSecond(), plain.perSecond()})
	}
	b.add(table.Row{Suite: "json", What: fmt.Sprintf("%d streams, JSON schema", n), Unit: "tokens/s", Against: "plain text",
		Must: table.AtLeast(0.8), Aim: table.AtLeast(0.95)}.Compared(free))
	return nil
}
