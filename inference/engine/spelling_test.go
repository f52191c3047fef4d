package engine

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/inference/engine/grammar"
)

// spelled returns a vocabulary of every byte, and of random pieces that begin
// alike.
func spelled(seed uint64, n int) [][]byte {
	rng := rand.New(rand.NewPCG(seed, 9))
	pieces := [][]byte{nil}
	for b := range 256 {
		pieces = append(pieces, []byte{byte(b)})
	}
	parts := []string{`{`, `"`, `":`, ` "`, `a`, `ab`, `1`, `23`, `城`, "城"[:2], "市"[1:], `,`, `}`, ` `, `\`, `n`, `tru`, `e`, "words"}
	for range n {
		var piece []byte
		for range 1 + rng.IntN(4) {
			piece = append(piece, parts[rng.IntN(len(parts))]...)
		}
		pieces = append(pieces, piece)
	}
	return pieces
}

// The tokens that a walk finds are those that the grammar allows when asked for
// each, wherever a text has come to.
func FuzzWalk(f *testing.F) {
	f.Add(uint64(1), uint8(0))
	f.Add(uint64(2), uint8(5))
	f.Add(uint64(3), uint8(30))
	object, err := grammar.FromSchema([]byte(`{"type":"object","additionalProperties":false,"required":["words","n"],"properties":{"words":{"type":"array","items":{"type":"string"}},"n":{"type":"integer"}}}`))
	if err != nil {
		f.Fatal(err)
	}
	var grammars []*grammar.Grammar
	for _, text := range []string{object, grammar.AnyJSON(), `root ::= [^x]* | "城" "市"+`, `root ::= "a"+ | [0-9]{2,4}`} {
		g, err := grammar.Parse(text)
		if err != nil {
			f.Fatal(err)
		}
		grammars = append(grammars, g)
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		pieces := spelled(seed, 300)
		skip := make([]bool, len(pieces))
		skip[rng.IntN(len(skip))] = true
		sp := newSpelling(pieces, skip)
		state := grammars[rng.IntN(len(grammars))].Start()
		for range steps % 40 {
			var want, got []llama.Token
			for i, piece := range pieces {
				if _, ok := state.Accept(piece); ok && len(piece) > 0 && !skip[i] {
					want = append(want, llama.Token(i))
				}
			}
			sp.walk(state, func(token llama.Token) bool { got = append(got, token); return true })
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("a walk finds %d tokens, want %d", len(got), len(want))
			}
			if len(want) == 0 {
				return
			}
			state, _ = state.Accept(pieces[want[rng.IntN(len(want))]])
		}
	})
}

// Before a JSON text, next to nothing of the vocabulary is looked at.
func BenchmarkWalk(b *testing.B) {
	g, err := grammar.Parse(grammar.AnyJSON())
	if err != nil {
		b.Fatal(err)
	}
	pieces := spelled(1, 150_000)
	sp := newSpelling(pieces, make([]bool, len(pieces)))
	within, _ := g.Start().Accept([]byte(`{"a`))
	for name, state := range map[string]grammar.State{"start": g.Start(), "in a string": within} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				sp.walk(state, func(llama.Token) bool { return true })
			}
		})
	}
}
