package router

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bendi/chat"
)

// replicas returns a Pool of one tier with so many backends.
func replicas(t testing.TB, n int, balance Balance, o func(i int, b *BackendOptions)) *Pool {
	t.Helper()
	var tier []*Backend
	for i := range n {
		b := BackendOptions{Name: fmt.Sprintf("replica-%d", i), Zone: Inside, Model: plays(scene("a"))}
		if o != nil {
			o(i, &b)
		}
		tier = append(tier, NewBackend(b))
	}
	p, err := NewPool(PoolOptions{ModelInfo: chat.ModelInfo{ID: "m"}, Tiers: [][]*Backend{tier}, Balance: balance})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pick returns the index of the backend that would be asked.
func (p *Pool) pick(key uint64) int {
	c := call{pool: p, key: key}
	return p.rank(c.list[:0], &c, time.Now())[0].index
}

func TestShares(t *testing.T) {
	const n = 20_000
	weights := []int{1, 2, 5}
	for _, balance := range []Balance{Weighted, Affine, LeastBusy} {
		p := replicas(t, len(weights), balance, func(i int, b *BackendOptions) { b.Weight = weights[i] })
		got := make([]float64, len(weights))
		for i := range n {
			k := p.pick(mix(uint64(i) + 1))
			got[k]++
			if balance == LeastBusy {
				p.backends[k].outstanding.Add(1) // and nothing ends
			}
		}
		for i, w := range weights {
			if want := float64(w) / 8; math.Abs(got[i]/n-want) > 0.02 {
				t.Errorf("%s: weight %d has the share %.3f, want %.3f", balance, w, got[i]/n, want)
			}
		}
	}
}

// A replica that is ejected, or that comes or goes, moves no other replica's
// conversations.
func TestAffinityIsStable(t *testing.T) {
	const replicasNow, keys = 8, 4000
	p := replicas(t, replicasNow, Affine, nil)
	before := make([]int, keys)
	count := make([]int, replicasNow)
	for k := range before {
		before[k] = p.pick(mix(uint64(k) + 1))
		count[before[k]]++
	}
	if least, most := slices.Min(count), slices.Max(count); least < 400 || most > 600 {
		t.Errorf("the conversations are spread %v", count)
	}
	p.backends[3].breaker.park(time.Minute)
	moved := make([]int, replicasNow)
	for k, was := range before {
		switch now := p.pick(mix(uint64(k) + 1)); {
		case was != 3 && now != was:
			t.Fatalf("conversation %d moved from %d to %d", k, was, now)
		case was == 3:
			moved[now]++
		}
	}
	if moved[3] > 0 || slices.Max(moved) > 120 {
		t.Errorf("the conversations of the one that is away are spread %v", moved)
	}
	p.backends[3].breaker.parked = time.Time{}
	for k, was := range before {
		if p.pick(mix(uint64(k)+1)) != was {
			t.Fatalf("conversation %d did not come back", k)
		}
	}
	larger := replicas(t, replicasNow+1, Affine, nil)
	for k, was := range before {
		if now := larger.pick(mix(uint64(k) + 1)); now != was && now != replicasNow {
			t.Fatalf("with one more, conversation %d moved from %d to %d", k, was, now)
		}
	}
}

// However popular one conversation is, no replica has more than a quarter more
// than its share, and two requests.
func TestAffinityIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := replicas(t, 5, Affine, func(i int, b *BackendOptions) { b.Weight = 1 + i })
	var begun []int
	for range 5000 {
		if len(begun) > 0 && r.IntN(3) == 0 {
			i := r.IntN(len(begun))
			p.backends[begun[i]].outstanding.Add(-1)
			begun = slices.Delete(begun, i, i+1)
			continue
		}
		k := p.pick(mix(uint64(1 + r.IntN(3))))
		load := p.backends[k].outstanding.Add(1)
		begun = append(begun, k)
		if most := math.Ceil(loadBound*float64(len(begun))*float64(1+k)/15) + loadSlack; float64(load) > most {
			t.Fatalf("replica %d of the weight %d has %d of %d requests, want at most %v", k, 1+k, load, len(begun), most)
		}
	}
}

// send has the pool send a request of a conversation, and returns to whom.
func (p *Pool) send(key uint64) int {
	k := p.pick(key)
	p.homes.settle(key, k, time.Now())
	return k
}

// A conversation stays where it had to go, and comes back to nobody but when
// that one has too much to do.
func TestAffinityIsKept(t *testing.T) {
	p := replicas(t, 2, Affine, nil)
	const key = 12345
	first := p.send(key)
	other := 1 - first
	p.backends[first].outstanding.Store(20)
	if got := p.send(key); got != other {
		t.Errorf("with 20 requests at its replica and none at the other it went to %d, want %d", got, other)
	}
	p.backends[first].outstanding.Store(0)
	if got := p.send(key); got != other {
		t.Errorf("when both were idle again it went to %d, want %d, where it was last", got, other)
	}
	p.backends[other].outstanding.Store(loadSlack)
	if got := p.send(key); got != other {
		t.Errorf("for %d requests it went to %d, want %d: it would be there all anew", loadSlack, got, other)
	}
	p.backends[other].breaker.park(time.Minute)
	if got := p.send(key); got != first {
		t.Errorf("with its replica away it went to %d, want %d", got, first)
	}
}

// Of conversations that begin, no replica gets a tenth more than its share.
func TestConversationsAreSpread(t *testing.T) {
	weights := []int{1, 1, 2}
	p := replicas(t, len(weights), Affine, func(i int, b *BackendOptions) { b.Weight = weights[i] })
	var count [3]int
	for i := range 60 {
		count[p.send(mix(uint64(i)+1))]++
		for k, n := range count {
			if most := math.Ceil(homeBound * float64((i+1)*weights[k]) / 4); float64(n) > most {
				t.Fatalf("of %d conversations replica %d of the weight %d has %d, want at most %v", i+1, k, weights[k], n, most)
			}
		}
	}
}

func TestHomesForget(t *testing.T) {
	var h homes
	now := time.Now()
	h.settle(1, 5, now)
	h.settle(2, 5, now)
	h.settle(2, 6, now.Add(youngTime+1)) // a generation later
	for _, tt := range []struct {
		after time.Duration
		one   int
		two   int
	}{{youngTime + 2, 5, 6}, {3 * youngTime, -1, 6}, {5 * youngTime, -1, -1}} {
		h.settle(3, 7, now.Add(tt.after))
		one, _ := h.of(1)
		two, counts := h.of(2)
		if one != tt.one || two != tt.two {
			t.Errorf("after %v the conversations are at %d and %d, want %d and %d", tt.after, one, two, tt.one, tt.two)
		}
		sum := 0
		for _, n := range counts {
			sum += n
		}
		if sum != len(h.young)+len(h.old) || counts[7] != 1 {
			t.Errorf("after %v the counts are %v of %d conversations", tt.after, counts[:8], len(h.young)+len(h.old))
		}
	}
	for i := range uint64(3 * mostYoung) {
		h.settle(100+i, 1, now.Add(5*youngTime))
	}
	if n := len(h.young) + len(h.old); n > 2*mostYoung {
		t.Errorf("%d conversations are remembered, want at most %d", n, 2*mostYoung)
	}
}

func TestAffinityKeys(t *testing.T) {
	talk := func(system string, turns ...string) *chat.Request {
		req := &chat.Request{Model: "m", Messages: []chat.Message{chat.TextMessage(chat.System, system)}}
		for i, turn := range turns {
			req.Messages = append(req.Messages, chat.TextMessage([]chat.Role{chat.User, chat.Assistant}[i%2], turn))
		}
		return req
	}
	with := func(req *chat.Request, principal, field, value string) *chat.Request {
		req.Principal = principal
		if field == "session_id" {
			req.Session = value
		} else {
			req.Extra = map[string]json.RawMessage{field: json.RawMessage(value)}
		}
		return req
	}
	base := talk("you are", "hello")
	tests := []struct {
		name string
		a, b *chat.Request
		same bool
	}{
		{"the next turn", base, talk("you are", "hello", "hi", "how are you?"), true},
		{"another beginning", base, talk("you are", "bye"), false},
		{"another system", base, talk("you were", "hello"), false},
		{"a session", with(talk("x", "a"), "p", "session_id", "1"), with(talk("y", "b"), "p", "session_id", "1"), true},
		{"another session", with(talk("x", "a"), "p", "session_id", "1"), with(talk("x", "a"), "p", "session_id", "2"), false},
		{"a session of somebody else", with(talk("x", "a"), "p", "session_id", "1"), with(talk("x", "a"), "q", "session_id", "1"), false},
		{"a key of the client's", with(talk("x", "a"), "p", "prompt_cache_key", `"1"`), with(talk("y", "b"), "p", "prompt_cache_key", `"1"`), true},
		{"no session", with(talk("x", "a"), "p", "prompt_cache_key", `null`), with(talk("y", "b"), "p", "session_id", ""), false},
		{"the end of a text and the beginning of the next", talk("ab", "c"), talk("a", "bc"), false},
	}
	for _, tt := range tests {
		if a, b := affinity(tt.a), affinity(tt.b); (a == b) != tt.same || a == 0 {
			t.Errorf("%s: %x and %x, want the same = %v", tt.name, a, b, tt.same)
		}
	}
}

func TestLatency(t *testing.T) {
	var l latency
	if _, ok := l.quantile(0.5); ok {
		t.Error("nothing was told it, and it tells something")
	}
	for i := range 100 {
		l.add(time.Duration(i+1) * 10 * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.95: 950 * time.Millisecond, 1: time.Second} {
		if got, ok := l.quantile(q); !ok || got < want || got > want*6/5 {
			t.Errorf("the quantile %v is %v, want %v or up to a fifth more", q, got, want)
		}
	}
	for range 2000 {
		l.add(10 * time.Second)
	}
	if got, _ := l.quantile(0.1); got < 10*time.Second {
		t.Errorf("what was long ago counts: %v", got)
	}
	l.add(0)
	l.add(math.MaxInt64)
}

func TestNames(t *testing.T) {
	for _, b := range []Balance{LeastBusy, Weighted, Affine} {
		if got, err := ParseBalance(b.String()); got != b || err != nil {
			t.Errorf("%s is read as %v, %v", b, got, err)
		}
	}
	for _, p := range []Permission{Never, Masked, Allowed} {
		if got, err := ParsePermission(p.String()); got != p || err != nil {
			t.Errorf("%s is read as %v, %v", p, got, err)
		}
	}
	if _, err := ParseBalance("random"); errorText(err) != `"random" is no way to choose between replicas; there are least_busy, weighted, affine` {
		t.Errorf("got %v", err)
	}
	if p, err := ParsePermission("yes"); p != Never || errorText(err) != `"yes" is no permission to leave the house; there are never, masked, allowed` {
		t.Errorf("got %v, %v", p, err)
	}
}

// BenchmarkPrefixCache plays conversations on four replicas, each with room for
// the prompts of so many, and tells which part of their turns found the earlier
// ones in the cache, and how much more than the mean the busiest replica had.
func BenchmarkPrefixCache(b *testing.B) {
	const replicasNow, room, conversations, turns, atOnce = 4, 64, 220, 8, 16
	for balance, name := range map[Balance]string{LeastBusy: "least-busy", Weighted: "weighted", Affine: "affine"} {
		b.Run(name, func(b *testing.B) {
			var hits, asked, most, mean float64
			for b.Loop() {
				r := rand.New(rand.NewPCG(3, 4))
				p := replicas(b, replicasNow, balance, nil)
				caches := make([][]uint64, replicasNow) // the latest last
				type talk struct {
					key  uint64
					left int
				}
				talks := make([]talk, conversations)
				next := uint64(1)
				var busy []int
				for range conversations * turns * 4 {
					t := &talks[r.IntN(conversations)]
					first := t.left == 0
					if first {
						*t = talk{mix(next), turns}
						next++
					}
					t.left--
					k := p.send(t.key)
					if load := float64(p.backends[k].outstanding.Add(1)); load > most {
						most = load
					}
					if busy = append(busy, k); len(busy) > atOnce {
						i := r.IntN(len(busy))
						p.backends[busy[i]].outstanding.Add(-1)
						busy = slices.Delete(busy, i, i+1)
					}
					at := slices.Index(caches[k], t.key)
					if !first {
						asked++
						if at >= 0 {
							hits++
						}
					}
					if at >= 0 {
						caches[k] = slices.Delete(caches[k], at, at+1)
					}
					if caches[k] = append(caches[k], t.key); len(caches[k]) > room {
						caches[k] = caches[k][1:]
					}
				}
				mean = float64(atOnce) / replicasNow
			}
			b.ReportMetric(100*hits/asked, "%hits")
			b.ReportMetric(most/mean, "busiest/mean")
		})
	}
}
