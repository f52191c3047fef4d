package match

import (
	"math/bits"
	"unsafe"

	"bendi/filter/find"
)

// An Automaton finds the patterns that it was compiled from. It does not
// change, and may be used by any number of Scanners at once.
//
// States are numbers. State c below shallow means that the last symbol has
// class c and that no longer end of the text begins a pattern; 0 is the class
// of runes that no pattern has. The states of two symbols follow, a row for
// each first class, in the order of their second; those of more symbols lie in
// a double array.
type Automaton struct {
	profile  Profile
	plane    *plane
	readings *readings // for Sound

	classes *[1 << 16]uint16 // of a raw rune, its folded rune's class
	astral  map[rune]uint16  // of folded runes beyond; nil if there are none

	shallow uint32   // number of classes
	loud    uint16   // classes below are patterns by themselves
	rows    []uint32 // of a first class, where its row begins in seconds
	seconds []uint16 // the second classes of patterns, ascending in each row
	dense   []seats  // instead of looking in seconds, where rows are long: stride for each class
	stride  uint32   // 0 without

	// pairs has a bit for each hashed pair of classes that begins a pattern.
	// Almost all of a text is turned away there, without touching a state.
	pairs    []uint64
	pairMask uint32

	nodes []node

	own     []uint64 // states that are the end of a pattern, a bit each
	ranks   []uint32 // how many of those lie before each word of own
	firsts  []uint32 // of each of those, where its outputs begin
	outputs []output
	shapes  []shape // parallel to outputs, for Strict and Sound

	combinations []combination
	patterns     int
	states       int
	longest      int // symbols
	ringMask     uint32
	allows       bool // some pattern is
}

// A node is a state: twelve bytes, so that a step costs one line of cache.
type node struct {
	base  uint32 // plus a class: the state that follows, if its check is the class; for states of two symbols and more
	fail  uint32 // the longest end of this state that is a state
	check uint16
	meta  meta
}

// Meta is the depth of a state in symbols and what lies ahead of it.
type meta uint16

const (
	depthBits meta = 1<<7 - 1

	anyOutput meta = 1 << 7  // a pattern ends here or at one of the fails
	allowing  meta = 1 << 8  // a pattern with Allow goes on from here
	ahead     meta = 1 << 9  // a pattern that is told goes on from here
	aheadWord meta = 1 << 10 // with a Han character, a letter or a digit
	aheadHan  meta = 1 << 11 // with a Han character

	// Every pattern that goes on like that must begin where a word begins.
	wholeAhead = ahead << 3
	wholeWord  = aheadWord << 3
	wholeHan   = aheadHan << 3
)

func (m meta) depth() uint32 { return uint32(m & depthBits) }

// An output is what to do where a pattern ends.
type output struct {
	rule  int32 // or which combination
	form  find.Form
	flags outputFlags
	part  uint8 // of the combination
}

type outputFlags uint8

const (
	isAllow   outputFlags = 1 << iota
	isPart                // of a combination
	wholeHead             // no word may end where it begins
	wholeTail             // no word may begin where it ends
	isHex                 // hyphens and colons go on as words do
	isForeign             // has letters that fold.Foreign knows
)

type combination struct {
	rule   int32
	within int32
	form   find.Form
	parts  uint8
}

// Seats are 64 second classes: those there are, and how many before them.
type seats struct {
	taken  uint64
	before uint32
}

const pairFactor = 0x9E3779B1

func (a *Automaton) pairHash(first uint32, second uint16) uint32 {
	return (first*pairFactor>>11 + uint32(second)) & a.pairMask
}

// mayPair reports whether a pattern may begin with the two classes.
func (a *Automaton) mayPair(first uint32, second uint16) bool {
	h := a.pairHash(first, second)
	return a.pairs[h>>6]&(1<<(h&63)) != 0
}

// class of a rune that has been folded.
func (a *Automaton) class(folded rune) uint16 {
	if uint32(folded) < 1<<16 {
		return a.classes[folded]
	}
	return a.astral[folded]
}

// step is the state after one more symbol.
func (a *Automaton) step(st uint32, c uint16) uint32 {
	if c == 0 {
		return 0
	}
	for st >= a.shallow {
		nd := &a.nodes[st]
		if t := nd.base + uint32(c); t < uint32(len(a.nodes)) && a.nodes[t].check == c {
			return t
		}
		st = nd.fail
	}
	if a.mayPair(st, c) {
		if t := a.pair(st, c); t != 0 {
			return t
		}
	}
	return uint32(c)
}

// pair is the state of two symbols, the first of which st is; 0 if there is none.
func (a *Automaton) pair(st uint32, c uint16) uint32 {
	if a.stride != 0 {
		x := &a.dense[st*a.stride+uint32(c>>6)]
		seat := uint64(1) << (c & 63)
		if x.taken&seat == 0 {
			return 0
		}
		return a.shallow + x.before + uint32(bits.OnesCount64(x.taken&(seat-1)))
	}
	return a.seek(st, c)
}

func (a *Automaton) seek(st uint32, c uint16) uint32 {
	lo, hi := a.rows[st], a.rows[st+1]
	for lo < hi {
		mid := (lo + hi) / 2
		if a.seconds[mid] < c {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < a.rows[st+1] && a.seconds[lo] == c {
		return a.shallow + lo
	}
	return 0
}

// fail is the next shorter state; 0 in the end.
func (a *Automaton) fail(st uint32) uint32 {
	if st < a.shallow {
		return 0
	}
	return a.nodes[st].fail
}

// at lists the outputs of a state itself, as a range of outputs.
func (a *Automaton) at(st uint32) (lo, hi uint32) {
	w := a.own[st>>6]
	if w&(1<<(st&63)) == 0 {
		return 0, 0
	}
	k := a.ranks[st>>6] + uint32(bits.OnesCount64(w&(1<<(st&63)-1)))
	return a.firsts[k], a.firsts[k+1]
}

// Stats are the sizes of an automaton.
type Stats struct {
	Patterns int // as given, the parts of combinations included
	States   int // in use
	Classes  int // of runes
	Longest  int // pattern, in symbols
	Bytes    int // on the heap
}

// Stats tells how large a is.
func (a *Automaton) Stats() Stats {
	n := int(unsafe.Sizeof(*a)) + int(unsafe.Sizeof(*a.classes))
	n += 40 * len(a.astral)
	n += 4*cap(a.rows) + 2*cap(a.seconds) + 8*cap(a.pairs) + int(unsafe.Sizeof(seats{}))*cap(a.dense) + int(unsafe.Sizeof(node{}))*cap(a.nodes)
	n += 8*cap(a.own) + 4*cap(a.ranks) + 4*cap(a.firsts) + int(unsafe.Sizeof(output{}))*cap(a.outputs)
	n += int(unsafe.Sizeof(shape{}))*cap(a.shapes) + int(unsafe.Sizeof(combination{}))*cap(a.combinations)
	return Stats{Patterns: a.patterns, States: a.states, Classes: int(a.shallow), Longest: a.longest, Bytes: n}
}

// Profile tells what a was compiled for.
func (a *Automaton) Profile() Profile { return a.profile }
