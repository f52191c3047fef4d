package engine

import (
	"slices"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// A prefixTree knows what lies in the KV cache: which tokens, which llama.cpp
// sequences hold them, and how many cells they take. It touches llama.cpp not
// at all; the loop does to the cache what it does to the tree.
//
// A node is a run of tokens that were decoded once and lie in cells of their
// own. A holder is a sequence, running or kept after its end, and holds the
// cells of the path from its root to its leaf. Where two holders share a
// prefix by [prefixTree.fork], they share its nodes, and its cells. The tree
// is a radix tree but for one thing: two children of a node may begin with the
// same token, when two sequences happened to decode the same text at once.
type prefixTree struct {
	roots   map[treeKey]*node
	holders []*holder // all of them
	cells   int       // taken by all nodes
	clock   int       // counts uses
	rows    int       // tokens drawn so far, by whomever
	rent    int       // see keep
}

// A treeKey separates what must never be shared: an adapter changes the keys
// and values of the same tokens, and a salt separates tenants.
type treeKey struct {
	adapter int
	salt    string
}

type node struct {
	parent   *node
	children []*node
	tokens   []llama.Token
	refs     int // holders whose path it is on
}

// A holder is a sequence of llama.cpp with what it holds.
type holder struct {
	id   llama.SeqId
	leaf *node
	size int // tokens on the path
	used int // when, by the tree's clock
	kept bool
	hits int // how often another began with what it holds
	paid int // for how many rows it may stay, where it is kept
}

func newPrefixTree() *prefixTree {
	return &prefixTree{roots: make(map[treeKey]*node)}
}

// add makes a holder that holds nothing.
func (t *prefixTree) add(key treeKey, id llama.SeqId) *holder {
	root := t.roots[key]
	if root == nil {
		root = new(node)
		t.roots[key] = root
	}
	h := &holder{id: id, leaf: root}
	root.refs++
	t.holders = append(t.holders, h)
	t.touch(h)
	return h
}

func (t *prefixTree) touch(h *holder) {
	t.clock++
	h.used = t.clock
	h.paid = t.rows + t.rent*(1+h.hits)
}

// keep keeps h after its end, for others who begin alike, but not for ever:
// every token that is answered, a row, passes over the cells of all, and takes
// the longer the more there are. (Those of a long piece of a prompt pass over
// many at once, and are not counted.) After rent rows a cell has cost as much as
// it would to decode its token anew. Who has not come back by then has to decode
// it, and what has stayed unused has cost no more than once what it could have
// saved. Each use buys another term, longer by one than the last.
func (t *prefixTree) keep(h *holder) {
	h.kept = true
	t.touch(h)
}

// overdue returns a kept holder whose time is up, or nil.
func (t *prefixTree) overdue() *holder {
	if h := t.oldest(nil); h != nil && h.paid < t.rows {
		return h
	}
	return nil
}

// match returns the holder that shares the longest prefix with tokens, and its
// length. Without any it returns nil.
func (t *prefixTree) match(key treeKey, tokens []llama.Token) (best *holder, length int) {
	root := t.roots[key]
	if root == nil {
		return nil, 0
	}
	end, length := root.longest(tokens, 0)
	if length == 0 {
		return nil, 0
	}
	// Any holder below the node will do: it holds the whole path. The one
	// used last is taken, since it will be evicted last.
	for _, h := range t.holders {
		if h.size >= length && h.leaf.below(end) && (best == nil || h.used > best.used) {
			best = h
		}
	}
	return best, length
}

// longest returns the node in which the longest prefix of tokens below n ends.
func (n *node) longest(tokens []llama.Token, length int) (*node, int) {
	best, most := n, length
	for _, c := range n.children {
		common := commonPrefix(c.tokens, tokens)
		if common == 0 {
			continue
		}
		end, l := c, length+common
		if common == len(c.tokens) {
			end, l = c.longest(tokens[common:], l)
		}
		if l > most {
			best, most = end, l
		}
	}
	return best, most
}

// below reports whether n is end or below it.
func (n *node) below(end *node) bool {
	for ; n != nil; n = n.parent {
		if n == end {
			return true
		}
	}
	return false
}

func commonPrefix(a, b []llama.Token) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// fork makes h, which holds nothing yet, hold the first length tokens of from.
func (t *prefixTree) fork(h, from *holder, length int) {
	at, rest := from.leaf, from.size-length
	for rest >= len(at.tokens) && at.parent != nil {
		rest -= len(at.tokens)
		at = at.parent
	}
	if rest > 0 {
		at = at.split(len(at.tokens) - rest)
	}
	h.leaf.refs-- // the root
	h.leaf, h.size = at, length
	for n := at; n != nil; n = n.parent {
		n.refs++
	}
	from.hits++
	t.touch(from)
	t.touch(h)
}

// split cuts n in two before tokens[i] and returns the upper half, which is a
// new node; n stays the lower one.
func (n *node) split(i int) *node {
	upper := &node{parent: n.parent, children: []*node{n}, tokens: n.tokens[:i:i], refs: n.refs}
	siblings := n.parent.children
	siblings[slices.Index(siblings, n)] = upper
	n.parent, n.tokens = upper, n.tokens[i:]
	return upper
}

// extend adds tokens that h has decoded to what it holds.
func (t *prefixTree) extend(h *holder, tokens ...llama.Token) {
	if len(tokens) == 0 {
		return
	}
	if h.leaf.parent == nil || h.leaf.refs > 1 || len(h.leaf.children) > 0 {
		own := &node{parent: h.leaf, refs: 1}
		h.leaf.children = append(h.leaf.children, own)
		h.leaf = own
	}
	h.leaf.tokens = append(h.leaf.tokens, tokens...)
	h.size += len(tokens)
	t.cells += len(tokens)
	t.touch(h)
}

// remove forgets h and the nodes that it alone held.
func (t *prefixTree) remove(h *holder) {
	t.holders = slices.DeleteFunc(t.holders, func(o *holder) bool { return o == h })
	for n := h.leaf; n != nil; n = n.parent {
		if n.refs--; n.refs > 0 || n.parent == nil {
			continue
		}
		t.cells -= len(n.tokens)
		siblings := n.parent.children
		i := slices.Index(siblings, n)
		n.parent.children = slices.Delete(siblings, i, i+1)
	}
}

// oldest returns the kept holder, but for spare, whose time is up first, or nil.
func (t *prefixTree) oldest(spare *holder) *holder {
	return t.first(func(h *holder) bool { return h != spare })
}

// first returns the kept holder of those that are meant whose time is up first,
// or nil.
func (t *prefixTree) first(meant func(*holder) bool) *holder {
	var oldest *holder
	for _, h := range t.holders {
		if h.kept && meant(h) && (oldest == nil || h.paid < oldest.paid || h.paid == oldest.paid && h.used < oldest.used) {
			oldest = h
		}
	}
	return oldest
}

// held returns how many cells those hold that are not merely kept.
func (t *prefixTree) held() int {
	return t.cellsOf(func(h *holder) bool { return !h.kept })
}

// unused returns how many cells those alone hold that are kept and that nobody
// has begun with yet.
func (t *prefixTree) unused() int {
	return t.cells - t.cellsOf(func(h *holder) bool { return !h.unused() })
}

func (h *holder) unused() bool { return h.kept && h.hits == 0 }

// cellsOf returns how many cells those hold that are meant, together.
func (t *prefixTree) cellsOf(meant func(*holder) bool) int {
	cells := 0
	seen := make(map[*node]bool)
	for _, h := range t.holders {
		if !meant(h) {
			continue
		}
		for n := h.leaf; n != nil && !seen[n]; n = n.parent {
			seen[n] = true
			cells += len(n.tokens)
		}
	}
	return cells
}
