package engine

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// A mirror is what the KV cache would be: cells, each of a token and position
// and with the set of sequences that hold it.
type mirror struct {
	cells []cell
}

type cell struct {
	pos   int
	token llama.Token
	ids   map[llama.SeqId]bool
}

func (m *mirror) decode(id llama.SeqId, pos int, token llama.Token) {
	m.cells = append(m.cells, cell{pos, token, map[llama.SeqId]bool{id: true}})
}

func (m *mirror) copy(from, to llama.SeqId, length int) {
	for _, c := range m.cells {
		if c.ids[from] && c.pos < length {
			c.ids[to] = true
		}
	}
}

func (m *mirror) remove(id llama.SeqId) {
	m.cells = slices.DeleteFunc(m.cells, func(c cell) bool {
		delete(c.ids, id)
		return len(c.ids) == 0
	})
}

func (m *mirror) tokens(id llama.SeqId) []llama.Token {
	var own []cell
	for _, c := range m.cells {
		if c.ids[id] {
			own = append(own, c)
		}
	}
	slices.SortFunc(own, func(a, b cell) int { return a.pos - b.pos })
	var tokens []llama.Token
	for _, c := range own {
		tokens = append(tokens, c.token)
	}
	return tokens
}

// Whatever sequences come and go, the tree says of each what the cache holds
// of it, counts the cells exactly, and finds the longest prefix there is.
func FuzzPrefixTreeMirrorsTheCache(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, 200)
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps int) {
		rng := rand.New(rand.NewPCG(seed, 1))
		tree, cache := newPrefixTree(), &mirror{}
		byID := make(map[llama.SeqId]*holder)
		keys := []treeKey{{}, {adapter: 1}, {salt: "other"}}
		keyOf := make(map[llama.SeqId]treeKey)
		next := llama.SeqId(0)
		prompt := func() []llama.Token {
			tokens := make([]llama.Token, 1+rng.IntN(12))
			for i := range tokens {
				tokens[i] = llama.Token(rng.IntN(2))
			}
			return tokens
		}
		for range min(max(steps, 0), 500) {
			switch {
			case rng.IntN(3) > 0 || len(byID) == 0: // a request comes
				key, tokens := keys[rng.IntN(len(keys))], prompt()
				best := 0
				for id, k := range keyOf {
					if k == key {
						best = max(best, commonPrefix(byID[id].tokens(), tokens))
					}
				}
				from, length := tree.match(key, tokens)
				if length != best {
					t.Fatalf("match found %d tokens, there are %d", length, best)
				}
				h := tree.add(key, next)
				if from != nil && rng.IntN(4) > 0 {
					tree.fork(h, from, length)
					cache.copy(from.id, next, length)
				} else {
					length = 0
				}
				for pos, token := range tokens[length:] {
					tree.extend(h, token)
					cache.decode(next, length+pos, token)
				}
				byID[next], keyOf[next] = h, key
				next++
			case rng.IntN(2) == 0: // a sequence goes on
				for id, h := range byID {
					token := llama.Token(rng.IntN(2))
					cache.decode(id, h.size, token)
					tree.extend(h, token)
					break
				}
			default: // one is evicted
				for id, h := range byID {
					tree.remove(h)
					cache.remove(id)
					delete(byID, id)
					delete(keyOf, id)
					break
				}
			}
			if tree.cells != len(cache.cells) {
				t.Fatalf("the tree counts %d cells, the cache has %d", tree.cells, len(cache.cells))
			}
			for id, h := range byID {
				if got, want := h.tokens(), cache.tokens(id); !slices.Equal(got, want) || h.size != len(want) {
					t.Fatalf("sequence %d holds %v in the tree (%d), %v in the cache", id, got, h.size, want)
				}
			}
		}
		for _, h := range byID {
			tree.remove(h)
		}
		if tree.cells != 0 || len(tree.holders) != 0 {
			t.Errorf("with nobody left the tree counts %d cells and %d holders", tree.cells, len(tree.holders))
		}
	})
}

// tokens returns what h holds.
func (h *holder) tokens() []llama.Token {
	var runs [][]llama.Token
	for n := h.leaf; n != nil; n = n.parent {
		runs = append(runs, n.tokens)
	}
	slices.Reverse(runs)
	return slices.Concat(runs...)
}

// What is kept goes when it has cost what it could save; what is used stays, the
// longer the more often.
func TestKeptWhileItPays(t *testing.T) {
	tree := newPrefixTree()
	tree.rent = 10
	keep := func(id llama.SeqId, tokens ...llama.Token) *holder {
		h := tree.add(treeKey{}, id)
		tree.extend(h, tokens...)
		tree.keep(h)
		return h
	}
	unused, used := keep(1, 1, 2, 3), keep(2, 4, 5, 6)
	goes := func() (ids []llama.SeqId) {
		for h := tree.overdue(); h != nil; h = tree.overdue() {
			ids = append(ids, h.id)
			tree.remove(h)
		}
		return ids
	}
	use := func() {
		h := tree.add(treeKey{}, 9)
		tree.fork(h, used, 2)
		tree.remove(h)
	}
	tree.rows = 10
	use()
	if got := tree.oldest(nil); got != unused {
		t.Errorf("%v would go first, want the one that was never used", got)
	}
	for _, tt := range []struct {
		rows int
		want []llama.SeqId
	}{{10, nil}, {11, []llama.SeqId{1}}, {30, nil}} {
		if tree.rows = tt.rows; !slices.Equal(goes(), tt.want) {
			t.Errorf("after %d rows another goes than %v", tt.rows, tt.want)
		}
	}
	use()
	if tree.rows = 60; goes() != nil {
		t.Error("twice used, it goes after 30 rows")
	}
	if tree.rows = 61; !slices.Equal(goes(), []llama.SeqId{2}) {
		t.Error("twice used, it stays for more than 30 rows")
	}
}
