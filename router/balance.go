package router

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"bendi/chat"
)

// A Balance says which of several replicas is asked first.
type Balance uint8

const (
	// LeastBusy is the one with the fewest requests for its weight.
	LeastBusy Balance = iota

	// Weighted is any, as often as its weight says.
	Weighted

	// Affine is the same one for each request of a conversation, so that it has
	// the prompt's beginning in its cache, unless it has a quarter more to do
	// than its share, and two requests: consistent hashing with bounded loads
	// (arXiv 1608.01350), by rendezvous. A replica that is away takes nothing
	// from the others but the requests that were its own.
	//
	// A conversation that had to go elsewhere stays there, for that is where
	// its cache is now; and a new one does not go to a replica that has a tenth
	// more conversations than its share, whose cache would have to drop one.
	Affine
)

var balances = [...]string{LeastBusy: "least_busy", Weighted: "weighted", Affine: "affine"}

func (b Balance) String() string {
	if int(b) < len(balances) {
		return balances[b]
	}
	return fmt.Sprintf("balance %d", uint8(b))
}

// ParseBalance reads the name of a balance.
func ParseBalance(name string) (Balance, error) {
	if i := slices.Index(balances[:], name); i >= 0 {
		return Balance(i), nil
	}
	return LeastBusy, fmt.Errorf("%q is no way to choose between replicas; there are %s", name, strings.Join(balances[:], ", "))
}

const (
	loadBound  = 1.25    // of a replica's share of the requests, in Affine
	loadSlack  = 2       // requests more: of a few, one is much of the share
	homeBound  = 1.1     // of a replica's share of the conversations, for a new one
	crowded    = 1e6     // added to the score of a replica beyond that
	prefixRead = 4 << 10 // bytes of each text that the key of a prompt is of
)

// A candidate is a backend that a request may be sent to, or why not.
type candidate struct {
	backend *Backend
	index   int // in the pool
	tier    int
	state   breakerState
	share   float64
	why     Reason        // it is not asked; empty: it is
	wait    time.Duration // until that may change; 0: it does not
	late    bool          // it has recovered just now, and it is not its turn
	over    bool          // it has its share of requests
	score   float64       // the lower the earlier
}

// rank appends the pool's backends in the order in which they are to be asked,
// those that are not last.
func (p *Pool) rank(list []candidate, c *call, now time.Time) []candidate {
	var weight [maxBackends]float64 // by tier, and of those that can be asked
	var load [maxBackends]float64
	var settled [maxBackends]float64
	home, conversations := -1, [maxBackends]int{}
	affine := p.Balance == Affine && c.key != 0
	if affine {
		home, conversations = p.homes.of(c.key)
	}
	for i, b := range p.backends {
		k := candidate{backend: b, index: i, tier: p.tierOf[i]}
		k.state, k.share, k.why, k.wait = b.breaker.peek(now)
		if why, wait := c.excludes(i, now); why != "" {
			k.why, k.wait = why, wait
		}
		if k.why == "" {
			weight[k.tier] += float64(b.Weight)
			load[k.tier] += float64(b.outstanding.Load())
			settled[k.tier] += float64(conversations[i])
		}
		list = append(list, k)
	}
	for i := range list {
		k := &list[i]
		if k.why != "" {
			continue
		}
		w, busy := float64(k.backend.Weight), float64(k.backend.outstanding.Load())
		k.late = k.share < 1 && rand.Float64() >= k.share
		switch {
		case w == weight[k.tier]: // there is no other
		case p.Balance == Weighted:
			k.score = -math.Log(1-rand.Float64()) / w
		case affine:
			share := w / weight[k.tier]
			k.over = busy+1 > math.Ceil(loadBound*(load[k.tier]+1)*share)+loadSlack
			if k.index == home {
				break // before all others
			}
			k.score = -math.Log(unit(mix(c.key^k.backend.seed))) / w
			if home < 0 && float64(conversations[k.index]+1) > math.Ceil(homeBound*(settled[k.tier]+1)*share) {
				k.score += crowded
			}
		default:
			k.score = (busy+1)/w + 1e-6*rand.Float64() // of equals, any
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		return cmp.Or(
			less(a.why == "", b.why == ""), less(!a.late, !b.late), cmp.Compare(a.tier, b.tier),
			less(!a.over, !b.over), cmp.Compare(a.score, b.score),
		)
	})
	return list
}

// less puts what is true first.
func less(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// affinity returns the key of a request's conversation: its session, where it
// names one, and else how its prompt begins. It is the same in every gateway,
// and never 0.
func affinity(req *chat.Request) uint64 {
	h := hash(offset, req.Model)
	if req.Session != "" {
		return max(hash(hash(hash(h, "session"), req.Principal), req.Session), 1)
	}
	if id := req.Extra["prompt_cache_key"]; len(id) > 2 && string(id) != "null" { // more than two quotes
		return max(hash(hash(hash(h, "prompt"), req.Principal), id), 1)
	}
	if p := req.Prompt; p != nil {
		h = hash(h, p.Text[:min(len(p.Text), prefixRead)])
		for _, token := range p.Tokens[:min(len(p.Tokens), prefixRead)] {
			h = (h ^ uint64(token)) * 1099511628211
		}
	}
	for i := range req.Messages {
		m := &req.Messages[i]
		h = hash(h, string(m.Role))
		for _, part := range m.Content {
			h = hash(h, part.Text[:min(len(part.Text), prefixRead)])
			h = hash(h, part.Data[:min(len(part.Data), prefixRead)])
		}
		if m.Role != chat.System && m.Role != chat.Developer {
			break // the first turn: later ones come and go
		}
	}
	return max(h, 1)
}

// offset begins a hash.
const offset = 14695981039346656037

// hash goes on with a hash by FNV-1a, and tells where a text ends.
func hash[T ~string | ~[]byte](h uint64, text T) uint64 {
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return (h ^ 0xff) * 1099511628211
}

// mix spreads the bits of a hash (the end of splitmix64).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// unit makes a number of (0, 1] of a hash.
func unit(h uint64) float64 { return (float64(h>>11) + 1) / (1 << 53) }
