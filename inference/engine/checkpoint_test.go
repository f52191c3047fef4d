package engine

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/models/gguf"
	"bendi/models/gguf/random"
	"bendi/models/load"
)

// openShape opens an engine on a random model that remembers in some way.
func openShape(t testing.TB, m random.Memory, checkpoints int) *Engine {
	t.Helper()
	if _, err := LoadLibrary(testLibrary); err != nil {
		t.Fatal(err)
	}
	s := random.Shape{Layers: 4, Width: 128, Heads: 4, KVHeads: 2, FF: 256, Vocab: 2000, Context: 2048, Weights: gguf.F16, Spread: 4, Memory: m, Sliding: 64}
	cfg := Config{Name: "random", Model: filepath.Join(t.TempDir(), "model.gguf"), Slots: 4, Context: 1024, Options: load.Options{Checkpoints: checkpoints}}
	if err := random.Create(cfg.Model, s, 1); err != nil {
		t.Fatal(err)
	}
	e, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	if e.loop.sharing {
		t.Fatal("this model shares prefixes")
	}
	return e
}

// letters returns a text of so many tokens.
func letters(seed uint64, n int) string {
	rng := rand.New(rand.NewPCG(seed, 0))
	var b strings.Builder
	for range n {
		b.WriteByte(random.Letters[rng.IntN(len(random.Letters))])
	}
	return b.String()
}

// conversation returns the messages of a system prompt of 300 tokens and turns.
func conversation(turns ...string) func(*chat.Request) {
	return func(r *chat.Request) {
		r.Messages = []chat.Message{chat.TextMessage(chat.System, letters(1, 300))}
		for i, text := range turns {
			r.Messages = append(r.Messages, chat.TextMessage([]chat.Role{chat.User, chat.Assistant}[i%2], text))
		}
	}
}

// An answer that goes on from a checkpoint is the one without, up to a near tie,
// and the beginning of its prompt is not decoded again.
func TestCheckpoints(t *testing.T) {
	for name, m := range map[string]random.Memory{"a sliding window": random.Window, "a recurrent state": random.Recurrent} {
		t.Run(name, func(t *testing.T) {
			with, without := openShape(t, m, 64), openShape(t, m, 0)
			first, second := letters(2, 40), letters(3, 50)
			tests := []struct {
				name   string
				turns  []string
				cached int // of the prompt, at least
			}{
				{"the first", []string{first}, 0},
				{"the same system prompt", []string{second}, 300},
				{"the next turn", []string{first, "xx", second}, 345},
				{"another system prompt", nil, 0},
			}
			for _, tt := range tests {
				req := func() *chat.Request {
					if tt.turns == nil {
						return question(letters(9, 200), endless, tokens(30))
					}
					return question("", endless, tokens(30), conversation(tt.turns...))
				}
				before := with.loop.stats.prefilled.Load()
				want, got := spelt(t, without, req()), spelt(t, with, req())
				if at, nats := apart(want, got); nats > nearTie || len(want) != len(got) {
					t.Errorf("%s: of %d and %d tokens, token %d differs by %.3f nats", tt.name, len(want), len(got), at, nats)
				}
				decoded := int(with.loop.stats.prefilled.Load() - before)
				before = with.loop.stats.prefilled.Load()
				u := answerOf(t, with, req()).Usage
				if left := u.PromptTokens - decoded; left < tt.cached || tt.cached == 0 && left > 0 {
					t.Errorf("%s: %d of %d tokens of the prompt were not decoded, want %d or more", tt.name, left, u.PromptTokens, tt.cached)
				}
				if decoded := with.loop.stats.prefilled.Load() - before; decoded != 1 || u.CachedTokens != u.PromptTokens-1 {
					t.Errorf("%s, once more: %d tokens of the prompt were decoded, want 1; the usage is %+v", tt.name, decoded, u)
				}
			}
			idle(t, with)
		})
	}
}

// Those who come together with one prompt wait for the checkpoint that the
// first of them leaves, and each says what it says alone.
func TestCheckpointsServeACrowd(t *testing.T) {
	for name, m := range map[string]random.Memory{"a sliding window": random.Window, "a recurrent state": random.Recurrent} {
		t.Run(name, func(t *testing.T) {
			e, without := openShape(t, m, 64), openShape(t, m, 0)
			const n = 8
			ask := func(i int) *chat.Request {
				return question("", endless, tokens(20), conversation(letters(uint64(10+i), 40)))
			}
			var got [n][]chat.TokenLogProbs
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() { got[i] = spelt(t, e, ask(i)) })
			}
			wg.Wait()
			for i := range n {
				want := spelt(t, without, ask(i))
				if at, nats := apart(want, got[i]); nats > nearTie || len(want) != len(got[i]) {
					t.Errorf("%d: of %d and %d tokens, token %d differs by %.3f nats", i, len(want), len(got[i]), at, nats)
				}
			}
			if decoded := int(e.loop.stats.prefilled.Load()); decoded > 310+n*60 {
				t.Errorf("%d prompt tokens were decoded for %d users who share 300", decoded, n)
			}
		})
	}
}

// No more bytes are kept than the budget, the longest that fits is found, and
// nobody else's.
func FuzzCheckpoints(f *testing.F) {
	f.Add(uint64(1), uint16(100), int64(2000))
	f.Add(uint64(2), uint16(30), int64(0))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16, budget int64) {
		if budget < 0 || budget > 1<<20 {
			t.Skip("no budget")
		}
		rng := rand.New(rand.NewPCG(seed, 3))
		cs := &checkpoints{budget: budget}
		draw := func() (treeKey, []llama.Token) {
			tokens := make([]llama.Token, 1+rng.IntN(6))
			for i := range tokens {
				tokens[i] = llama.Token(rng.IntN(2))
			}
			return treeKey{adapter: rng.IntN(2)}, tokens
		}
		for range steps % 500 {
			key, tokens := draw()
			switch c := (&checkpoint{key: key, tokens: tokens, state: make([]byte, rng.IntN(300))}); {
			case cs.has(key, tokens):
			case cs.room(c.size()):
				cs.add(c)
			case c.size() <= budget:
				t.Fatalf("no room for %d bytes with a budget of %d", c.size(), budget)
			}
			if rng.IntN(20) == 0 {
				cs.forget(rng.IntN(2))
			}
			var bytes int64
			for _, c := range cs.list {
				bytes += c.size()
			}
			if bytes != cs.bytes || bytes > budget {
				t.Fatalf("%d bytes are kept, %d are counted, the budget is %d", bytes, cs.bytes, budget)
			}
			key, tokens = draw()
			best := 0
			for _, c := range cs.list {
				if c.key == key && len(c.tokens) <= len(tokens) && slices.Equal(c.tokens, tokens[:len(c.tokens)]) {
					best = max(best, len(c.tokens))
				}
			}
			got := 0
			if c := cs.match(key, tokens); c != nil {
				got = len(c.tokens)
			}
			if got != best {
				t.Fatalf("%d tokens are found, want %d", got, best)
			}
		}
	})
}

func TestMarks(t *testing.T) {
	const turn, end = 1000, 1001
	control := func(token llama.Token) bool { return token >= 1000 }
	prompt := func(lengths ...int) (list []llama.Token) {
		for i, n := range lengths {
			list = append(list, turn)
			for range n {
				list = append(list, llama.Token(len(list)%50))
			}
			if i < len(lengths)-1 {
				list = append(list, end)
			}
		}
		return list
	}
	tests := []struct {
		prompt []llama.Token
		want   []int
	}{
		{prompt(100, 30, 2), []int{102, 136}},
		{prompt(100, 2), []int{102, 104}}, // the second turn is the answer
		{prompt(10, 100, 2), []int{116}},
		{prompt(10, 10), nil},
		{append([]llama.Token{1002}, prompt(100, 30, 2)...), []int{103, 137}}, // it begins with BOS
		{slices.Repeat([]llama.Token{7}, 100), []int{99}},
		{nil, nil},
	}
	for i, tt := range tests {
		if got := marks(tt.prompt, control); !slices.Equal(got, tt.want) {
			t.Errorf("%d: %d tokens are marked at %v, want %v", i, len(tt.prompt), got, tt.want)
		}
	}
}
