package grammar

import (
	"slices"
	"sync/atomic"
	"unicode/utf8"
)

// A State is where a text stands in a grammar: which characters may come next
// and whether the text may end. It does not change, costs nothing to copy, and
// may be used concurrently. The zero State accepts nothing.
type State struct {
	g       *Grammar
	set     *set
	partial [utf8.UTFMax]byte // the beginning of a character
	pending uint8             // bytes in partial
}

// Start returns the state before the first byte.
func (g *Grammar) Start() State { return State{g: g, set: g.start} }

// Accept returns the state after text, and whether the grammar allows it. A
// text may end within a character, as a token may, when some rest of that
// character is allowed. A text that makes the matcher compare more than about
// a million stacks for one character, as only a grammar made for that does, is
// not accepted.
func (s State) Accept(text []byte) (State, bool) {
	if s.set == nil {
		return State{}, false
	}
	for len(text) > 0 && s.pending == 0 && text[0] < utf8.RuneSelf && s.set.loops(text[0]) {
		text = text[1:]
	}
	if len(text) == 0 {
		return s, true
	}
	st := s.g.scratch.Get().(*stepper)
	next, ok := s.accept(text, st)
	s.g.scratch.Put(st)
	return next, ok
}

func (s State) accept(text []byte, st *stepper) (State, bool) {
	for _, b := range text {
		r := rune(b)
		if s.pending > 0 || b >= utf8.RuneSelf {
			s.partial[s.pending] = b
			s.pending++
			have := s.partial[:s.pending]
			if !utf8.FullRune(have) {
				continue
			}
			var size int
			r, size = utf8.DecodeRune(have)
			if r == utf8.RuneError && size <= 1 || size != len(have) {
				return State{}, false // not UTF-8
			}
			s.partial, s.pending = [utf8.UTFMax]byte{}, 0
		} else if s.set.loops(b) {
			continue
		}
		if s.set = st.step(s.set, r); s.set == nil {
			return State{}, false
		}
	}
	if s.pending > 0 {
		lo, hi := span(s.partial[:s.pending])
		if !slices.ContainsFunc(s.set.tops, func(t top) bool {
			return s.g.classes[s.g.insts[t.pc].arg].set.overlaps(lo, hi)
		}) {
			return State{}, false
		}
	}
	return s, true
}

// Done reports whether the text may end here.
func (s State) Done() bool { return s.set != nil && s.set.done && s.pending == 0 }

// Final reports whether the text has to end here: it is done, and no character
// may follow.
func (s State) Final() bool { return s.Done() && len(s.set.tops) == 0 }

// span returns the characters between which all are that begin with partial,
// which is the beginning of one.
func span(partial []byte) (lo, hi rune) {
	var low, high [utf8.UTFMax]byte
	size := 2
	switch b := partial[0]; {
	case b >= 0xF0:
		size = 4
	case b >= 0xE0:
		size = 3
	}
	for i := range size {
		low[i], high[i] = 0x80, 0xBF
		if i < len(partial) {
			low[i], high[i] = partial[i], partial[i]
		}
	}
	if len(partial) == 1 { // the second byte is not free after these
		switch partial[0] {
		case 0xE0:
			low[1] = 0xA0
		case 0xED:
			high[1] = 0x9F
		case 0xF0:
			low[1] = 0x90
		case 0xF4:
			high[1] = 0x8F
		}
	}
	lo, _ = utf8.DecodeRune(low[:size])
	hi, _ = utf8.DecodeRune(high[:size])
	return lo, hi
}

// A set is every stack that the matcher may have after a text. Stacks share
// their lower parts, so a set is a graph: tops lead to frames, frames to
// frames, down to bottom. It does not change, but for the memory of loops.
type set struct {
	tops   []top
	done   bool // some stack is empty: the text may end
	looped [2]atomic.Uint64
}

// A top is the upper end of one or more stacks: a character to read, and the
// frames under it.
type top struct {
	pc int32
	up []*frame
}

// A frame is a call that has not returned.
type frame struct {
	pc   int32    // of the call
	up   []*frame // the calls around it
	self [1]*frame
}

// bottom is under every stack.
var bottom = &frame{pc: -1}

// loops reports whether the ASCII character b is known to lead from s to s, as
// a letter within a string does.
func (s *set) loops(b byte) bool { return s.looped[b>>6].Load()&(1<<(b&63)) != 0 }

// begin returns the set before the first character.
func (g *Grammar) begin(pc int32) *set {
	st := newStepper(g)
	st.reset()
	st.push(pc, []*frame{bottom})
	st.run()
	return st.set()
}

// A stepper computes one step. It follows every stack from instruction to
// instruction up to the next character to read, and keeps one item for each
// instruction: stacks that meet there are one from there on up. That bounds
// the work, however ambiguous the grammar is.
type stepper struct {
	g       *Grammar
	round   uint32
	stamp   []uint32 // of each instruction: the round of its slot
	slot    []int32  // of each instruction: its item
	items   []item
	todo    []visit
	popped  []*frame // frames of earlier steps that were returned to
	reading []int32  // items at a character
	done    bool
	work    int
}

type visit struct {
	pc int32
	up []*frame
}

type item struct {
	pc       int32
	up       []*frame
	frame    *frame // of a call
	old      bool   // the frame is of an earlier step and must not change
	returned bool   // to the frame, in this step
}

func newStepper(g *Grammar) *stepper {
	return &stepper{g: g, stamp: make([]uint32, len(g.insts)), slot: make([]int32, len(g.insts))}
}

func (st *stepper) reset() {
	if st.round++; st.round == 0 { // the stamps of four billion steps ago
		clear(st.stamp)
		st.round = 1
	}
	clear(st.items) // let go of the frames
	clear(st.popped)
	if cap(st.todo) > 1<<10 {
		st.todo = nil
	}
	clear(st.todo[:cap(st.todo)])
	st.items, st.todo, st.popped, st.reading = st.items[:0], st.todo[:0], st.popped[:0], st.reading[:0]
	st.done, st.work = false, 0
}

// step returns the set after the character r, nil when no stack allows it.
func (st *stepper) step(s *set, r rune) *set {
	st.reset()
	for _, t := range s.tops {
		if in := &st.g.insts[t.pc]; st.g.classes[in.arg].has(r) {
			st.push(in.next, t.up)
		}
	}
	if !st.run() {
		return nil
	}
	if st.same(s) {
		if r < utf8.RuneSelf {
			s.looped[r>>6].Or(1 << (r & 63))
		}
		return s
	}
	return st.set()
}

func (st *stepper) push(pc int32, up []*frame) {
	st.todo = append(st.todo, visit{pc, up})
}

// item returns the item of an instruction.
func (st *stepper) item(pc int32) *item {
	if st.stamp[pc] != st.round {
		st.stamp[pc] = st.round
		st.slot[pc] = int32(len(st.items))
		st.items = append(st.items, item{pc: pc})
	}
	return &st.items[st.slot[pc]]
}

// run follows the stacks and reports whether any is left.
func (st *stepper) run() bool {
	g := st.g
	for len(st.todo) > 0 {
		v := st.todo[len(st.todo)-1]
		st.todo = st.todo[:len(st.todo)-1]
		it := st.item(v.pc)
		first := it.up == nil
		fresh := st.merge(it, v.up)
		if st.work > maxStepWork {
			return false
		}
		if len(fresh) == 0 {
			continue
		}
		switch in := &g.insts[v.pc]; in.op {
		case opRune:
			if first {
				st.reading = append(st.reading, st.slot[v.pc])
			}
		case opFork:
			to := g.targets[in.arg]
			for i := len(to) - 1; i >= 0; i-- {
				st.push(to[i], fresh)
			}
		case opEnd:
			st.leave(fresh)
		case opCall:
			if in.tail {
				st.push(g.entry[in.arg], fresh)
			} else {
				st.call(it, in, fresh)
			}
		}
	}
	return st.done || len(st.reading) > 0
}

// merge adds frames to those under it and returns the ones that are new.
func (st *stepper) merge(it *item, up []*frame) []*frame {
	st.work++
	if it.up == nil {
		it.up = up[:len(up):len(up)]
		return it.up
	}
	var fresh []*frame
	for _, f := range up {
		st.work += len(it.up)
		if !slices.Contains(it.up, f) && !slices.Contains(fresh, f) {
			fresh = append(fresh, f)
		}
	}
	if len(fresh) > 0 {
		it.up = slices.Concat(it.up, fresh)
	}
	return fresh
}

// leave returns from a rule to each of the frames around it.
func (st *stepper) leave(frames []*frame) {
	for _, f := range frames {
		if f == bottom {
			st.done = true
			continue
		}
		st.push(st.g.insts[f.pc].next, f.up)
		if st.stamp[f.pc] == st.round {
			if it := &st.items[st.slot[f.pc]]; it.frame == f {
				it.returned = true
				continue
			}
		}
		st.popped = append(st.popped, f)
	}
}

// call enters a rule that has something after it. A frame that was just left
// is used again when the stack under it is the same: that makes a loop come
// back to the very set it came from.
func (st *stepper) call(it *item, in *inst, fresh []*frame) {
	switch {
	case it.frame == nil:
		for _, f := range st.popped {
			if f.pc == it.pc && slices.Equal(f.up, it.up) {
				it.frame, it.old = f, true
				break
			}
		}
		if it.frame == nil {
			it.frame = newFrame(it.pc, it.up)
		}
		st.push(st.g.entry[in.arg], it.frame.self[:])
	case it.old:
		it.frame, it.old, it.returned = newFrame(it.pc, fresh), false, false
		st.push(st.g.entry[in.arg], it.frame.self[:])
	default:
		it.frame.up = slices.Concat(it.frame.up, fresh)
		if it.returned {
			st.push(in.next, fresh)
		}
	}
}

func newFrame(pc int32, up []*frame) *frame {
	f := &frame{pc: pc, up: up}
	f.self[0] = f
	return f
}

// same reports whether the step led back to s.
func (st *stepper) same(s *set) bool {
	if st.done != s.done || len(st.reading) != len(s.tops) {
		return false
	}
	for i, slot := range st.reading {
		it, t := &st.items[slot], &s.tops[i]
		if it.pc != t.pc || !slices.Equal(it.up, t.up) {
			return false
		}
	}
	return true
}

func (st *stepper) set() *set {
	s := &set{done: st.done, tops: make([]top, len(st.reading))}
	for i, slot := range st.reading {
		s.tops[i] = top{pc: st.items[slot].pc, up: st.items[slot].up}
	}
	return s
}
