package match

import (
	"cmp"
	"math/bits"
	"slices"

	"bendi/filter/fold"
)

// A builder lays out the states of an automaton, level by level: a state's
// fail is shorter than itself, so that it is there already.
//
// The words lie sorted, so a state is a range of words that begin alike.
type builder struct {
	a      *Automaton
	seq    []uint16 // the classes of all words, in a row
	starts []uint32 // of each word, in seq; one more for the end
	order  []ranked // the words, sorted
	words  []output
	shapes []shape

	told, whole, allow []uint32 // how many of the words before each in order are so

	kinds []fold.Kind // of each class

	free  uint32   // the first free cell, 0 if none; they are a list through node.base
	last  uint32   // the last free cell
	room  uint32   // where sweep begins
	bases []uint64 // those taken, a bit each: no two states may have the same
	ends  []extent // states that are words
}

type ranked struct {
	key  uint64 // the first four classes
	word uint32
}

// An extent is a state and the words that begin with it.
type extent struct{ state, lo, hi uint32 }

func (c *compiler) build() {
	b := &builder{a: c.a, starts: c.starts, words: c.words, shapes: c.shapes}
	b.seq = make([]uint16, len(c.syms))
	b.kinds = make([]fold.Kind, c.a.shallow)
	for i, r := range c.syms {
		b.seq[i] = c.a.classOf(r)
		b.kinds[b.seq[i]] = fold.KindOf(r)
	}
	c.syms, c.counts = nil, nil
	b.sort()
	level := b.roots()
	for depth := uint32(1); len(level) > 0; depth++ {
		level = b.grow(level, depth)
	}
	b.finish()
}

// classOf is the class of a symbol of a pattern.
func (a *Automaton) classOf(symbol rune) uint16 { return a.class(symbol) }

func (b *builder) length(i uint32) uint32 {
	w := b.order[i].word
	return b.starts[w+1] - b.starts[w]
}

func (b *builder) symbol(i, depth uint32) uint16 {
	return b.seq[b.starts[b.order[i].word]+depth]
}

func (b *builder) sort() {
	b.order = make([]ranked, len(b.words))
	for i := range b.order {
		var key uint64
		s := b.seq[b.starts[i]:b.starts[i+1]]
		for k := range 4 {
			key <<= 16
			if k < len(s) {
				key |= uint64(s[k])
			}
		}
		b.order[i] = ranked{key, uint32(i)}
	}
	slices.SortFunc(b.order, func(x, y ranked) int {
		if x.key != y.key {
			return cmp.Compare(x.key, y.key)
		}
		xs, ys := b.seq[b.starts[x.word]:b.starts[x.word+1]], b.seq[b.starts[y.word]:b.starts[y.word+1]]
		if n := slices.Compare(xs[min(4, len(xs)):], ys[min(4, len(ys)):]); n != 0 {
			return n
		}
		return cmp.Compare(x.word, y.word)
	})
	n := len(b.order) + 1
	b.told, b.whole, b.allow = make([]uint32, n), make([]uint32, n), make([]uint32, n)
	for i, o := range b.order {
		f := b.words[o.word].flags
		b.told[i+1], b.whole[i+1], b.allow[i+1] = b.told[i], b.whole[i], b.allow[i]
		switch {
		case f&isAllow != 0:
			b.allow[i+1]++
		case f&wholeHead != 0:
			b.whole[i+1]++
			fallthrough
		default:
			b.told[i+1]++
		}
	}
}

// roots makes the states of one symbol, and the cells of those of two.
func (b *builder) roots() []extent {
	a := b.a
	var level []extent
	pairs := uint32(0)
	for lo := uint32(0); lo < uint32(len(b.order)); {
		key, hi := b.order[lo].key>>48, lo
		var second uint64
		for ; hi < uint32(len(b.order)) && b.order[hi].key>>48 == key; hi++ {
			if s := b.order[hi].key >> 32 & 0xffff; s != second {
				second = s
				pairs++
			}
		}
		level = append(level, extent{uint32(key), lo, hi})
		lo = hi
	}
	a.nodes = make([]node, a.shallow+pairs, int(a.shallow+pairs)+len(b.seq)/2)
	a.rows = make([]uint32, a.shallow+1)
	a.seconds = make([]uint16, 0, pairs)
	// Some 32 bits a pair turn away nearly all that is no pair; of many pairs
	// less has to do, for the second level of cache holds no more.
	size := uint32(1) << bits.Len32(pairs*32)
	if size > 1<<20 {
		size = 1 << bits.Len32(pairs*16)
	}
	size = min(max(size, 1<<12), 1<<maxPairBits)
	a.pairs = make([]uint64, size/64)
	a.pairMask = size - 1
	for _, x := range level {
		m := meta(1)
		if b.length(x.lo) == 1 {
			m |= anyOutput
			b.end(x, 1)
		}
		a.nodes[x.state].meta = m
	}
	return level
}

const maxPairBits = 22

// end notes that the words at the beginning of x, as long as it is deep, end there.
func (b *builder) end(x extent, depth uint32) {
	hi := x.lo
	for hi < x.hi && b.length(hi) == depth {
		hi++
	}
	b.ends = append(b.ends, extent{x.state, x.lo, hi})
}

// grow makes the states that follow those of a level, which are depth deep.
func (b *builder) grow(level []extent, depth uint32) []extent {
	a := b.a
	var next []extent
	type family struct {
		parent uint32
		lo, hi uint32 // of next
	}
	var families []family
	row := uint32(0)
	for _, x := range level {
		lo := x.lo
		for lo < x.hi && b.length(lo) == depth {
			lo++
		}
		if lo == x.hi {
			continue
		}
		first := uint32(len(next))
		var o outlook
		o.add(b, ahead, lo, x.hi)
		for lo < x.hi {
			c, hi := b.symbol(lo, depth), lo+1
			for hi < x.hi && b.symbol(hi, depth) == c {
				hi++
			}
			if k := b.kinds[c]; inWord(k) {
				o.add(b, aheadWord, lo, hi)
				if k == fold.Han {
					o.add(b, aheadHan, lo, hi)
				}
			}
			// The class stands in for the state until there is one.
			next = append(next, extent{uint32(c), lo, hi})
			lo = hi
		}
		a.nodes[x.state].meta |= o.seen | o.whole<<3
		families = append(families, family{x.state, first, uint32(len(next))})
	}
	a.states += len(next)

	if depth == 1 {
		for _, f := range families {
			for row <= f.parent {
				a.rows[row] = uint32(len(a.seconds))
				row++
			}
			for i := f.lo; i < f.hi; i++ {
				c := uint16(next[i].state)
				h := a.pairHash(f.parent, c)
				a.pairs[h>>6] |= 1 << (h & 63)
				next[i].state = a.shallow + uint32(len(a.seconds))
				a.seconds = append(a.seconds, c)
			}
		}
		for ; row <= a.shallow; row++ {
			a.rows[row] = uint32(len(a.seconds))
		}
		b.densify()
		a.states += len(level)
		for _, f := range families {
			for i := f.lo; i < f.hi; i++ {
				b.settle(next[i], 2, uint32(a.seconds[next[i].state-a.shallow]))
			}
		}
		return next
	}

	// Large families first, while there is room together.
	byNumber := slices.Clone(families)
	slices.SortStableFunc(byNumber, func(x, y family) int { return int(y.hi-y.lo) - int(x.hi-x.lo) })
	for _, f := range byNumber {
		kids := next[f.lo:f.hi]
		base := b.place(kids)
		a.nodes[f.parent].base = base
		fail := a.nodes[f.parent].fail
		for i := range kids {
			c := kids[i].state
			kids[i].state = base + c
			a.nodes[base+c].check = uint16(c)
			b.settle(kids[i], depth+1, a.step(fail, uint16(c)))
		}
	}
	return next
}

// densify makes the table that is quicker than to look for a class in a long
// row, unless it is much larger than the rows or very large.
func (b *builder) densify() {
	a := b.a
	if uint32(len(a.seconds)) < 16*a.shallow || a.shallow > 1<<13 {
		return
	}
	a.stride = (a.shallow + 63) / 64
	a.dense = make([]seats, a.shallow*a.stride)
	for first := range a.shallow {
		n := a.rows[first]
		for block := range a.stride {
			x := &a.dense[first*a.stride+block]
			for x.before = n; n < a.rows[first+1] && uint32(a.seconds[n]>>6) == block; n++ {
				x.taken |= 1 << (a.seconds[n] & 63)
			}
		}
	}
}

// An outlook is what lies ahead of a state: of the told patterns, in which ways
// they go on, and in which of those all must begin where a word begins.
type outlook struct{ seen, whole meta }

// add adds the words from lo to hi, which go on in the way.
func (o *outlook) add(b *builder, way meta, lo, hi uint32) {
	told := b.told[hi] - b.told[lo]
	if told > 0 {
		if b.whole[hi]-b.whole[lo] < told {
			o.whole &^= way
		} else if o.seen&way == 0 {
			o.whole |= way
		}
		o.seen |= way
	}
	if b.allow[hi] > b.allow[lo] {
		o.seen |= allowing
	}
}

// settle fills in a state that has its cell.
func (b *builder) settle(x extent, depth, fail uint32) {
	nd := &b.a.nodes[x.state]
	nd.fail = fail
	nd.meta = meta(depth) | b.a.nodes[fail].meta&anyOutput
	if b.length(x.lo) == depth {
		nd.meta |= anyOutput
		b.end(x, depth)
	}
}

// How many cells are looked at before new ones are taken, of those that are free
// and of all.
const (
	maxTries = 48
	maxSweep = 1 << 12
)

// place finds a base at which the cells of all kids are free, and takes them.
func (b *builder) place(kids []extent) uint32 {
	c0 := kids[0].state
	cells := b.a.nodes
	if len(kids) > 1 {
		if base, ok := b.sweep(kids); ok {
			return b.take(base, kids)
		}
	}
	tries := 0
	for t := b.free; t != 0 && tries < maxTries; t = cells[t].base {
		tries++
		if t > c0 && b.fits(t-c0, kids) {
			return b.take(t-c0, kids)
		}
	}
	if tries == maxTries && b.free != b.last {
		// What nobody wanted for so long stays empty.
		b.unlink(b.free)
	}
	base := uint32(len(b.a.nodes)) - min(c0, uint32(len(b.a.nodes))-1)
	for base == 0 || b.taken(base) {
		base++
	}
	return b.take(base, kids)
}

// sweep finds a base for several kids behind those that it found before: what
// lies there is full of families with one kid, for which there is room anywhere.
func (b *builder) sweep(kids []extent) (base uint32, ok bool) {
	c0 := kids[0].state
	width := kids[len(kids)-1].state - c0
	t := max(b.room, c0+1)
	end := min(t+maxSweep, uint32(len(b.a.nodes))-min(width, uint32(len(b.a.nodes))))
	for ; t < end; t++ {
		if b.isFree(t) && b.fits(t-c0, kids) {
			base, ok = t-c0, true
			break
		}
	}
	if t > b.room+maxSweep/8 {
		b.room += (t - b.room) / 2
	}
	return base, ok
}

// A free cell has no depth. Its base is the next free cell and its fail the one
// before.
func (b *builder) isFree(t uint32) bool {
	return t >= uint32(len(b.a.nodes)) || b.a.nodes[t].meta == 0 && t >= b.a.shallow
}

func (b *builder) fits(base uint32, kids []extent) bool {
	if b.taken(base) {
		return false
	}
	for _, k := range kids {
		if !b.isFree(base + k.state) {
			return false
		}
	}
	return true
}

func (b *builder) taken(base uint32) bool {
	return base>>6 < uint32(len(b.bases)) && b.bases[base>>6]&(1<<(base&63)) != 0
}

func (b *builder) take(base uint32, kids []extent) uint32 {
	for uint32(len(b.bases)) <= base>>6 {
		b.bases = append(b.bases, 0)
	}
	b.bases[base>>6] |= 1 << (base & 63)
	for end := base + kids[len(kids)-1].state; uint32(len(b.a.nodes)) <= end; {
		t := uint32(len(b.a.nodes))
		b.a.nodes = append(b.a.nodes, node{fail: b.last})
		if b.free == 0 {
			b.free = t
		} else {
			b.a.nodes[b.last].base = t
		}
		b.last = t
	}
	for _, k := range kids {
		b.unlink(base + k.state)
	}
	return base
}

// unlink takes a cell off the list. It keeps its neighbours' links right.
func (b *builder) unlink(t uint32) {
	cells := b.a.nodes
	prev, next := cells[t].fail, cells[t].base
	if t == b.free {
		b.free = next
	} else {
		cells[prev].base = next
	}
	if t == b.last {
		b.last = prev
	} else {
		cells[next].fail = prev
	}
	cells[t] = node{meta: lostCell}
}

// lostCell marks a cell that is off the list; settle overwrites it. It has no
// depth.
const lostCell = anyOutput

// finish gathers the outputs and gives back what the building needed.
func (b *builder) finish() {
	a := b.a
	a.ringMask = ringSize(a.longest) - 1
	a.nodes = slices.Clone(a.nodes)
	for i := range a.nodes {
		if m := &a.nodes[i].meta; m.depth() == 0 {
			a.nodes[i] = node{}
		}
	}
	words := (len(a.nodes) + 63) / 64
	a.own, a.ranks = make([]uint64, words), make([]uint32, words)
	slices.SortFunc(b.ends, func(x, y extent) int { return cmp.Compare(x.state, y.state) })
	a.firsts = make([]uint32, 0, len(b.ends)+1)
	a.outputs = make([]output, 0, len(b.order))
	if b.shapes != nil {
		a.shapes = make([]shape, 0, len(b.order))
	}
	for _, x := range b.ends {
		a.own[x.state>>6] |= 1 << (x.state & 63)
		a.firsts = append(a.firsts, uint32(len(a.outputs)))
		for i := x.lo; i < x.hi; i++ {
			w := b.order[i].word
			a.outputs = append(a.outputs, b.words[w])
			if b.shapes != nil {
				a.shapes = append(a.shapes, b.shapes[w])
			}
		}
	}
	a.firsts = append(a.firsts, uint32(len(a.outputs)))
	n := uint32(0)
	for i, w := range a.own {
		a.ranks[i] = n
		n += uint32(bits.OnesCount64(w))
	}
	a.patterns = len(b.order)
}
