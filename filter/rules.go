package filter

import (
	"sync/atomic"

	"bendi/filter/find"
)

// A Rule is something that is looked for.
type Rule struct {
	ID       string
	Category string // of personal data it begins with "pii."
	Level    int    // 1 to 3
	Risk     string // what a standard calls it, such as "A.1.6"; may be empty
}

// Rules are what is looked for. They never change.
type Rules struct {
	version    string
	rules      []Rule
	sources    []source
	categories []string      // sorted
	known      map[rune]bool // the characters of words, folded
}

// A source makes finders that tell the same rules.
type source struct {
	kind  sourceKind
	open  func() find.Finder
	first int   // its spans call their rules by the index in Rules.rules, less this
	rules []int // those it tells of
}

type sourceKind uint8

const (
	plainSource sourceKind = iota
	strictSource
	soundSource
	personalSource
)

// rule returns the index in Rules.rules of a span's rule.
func (s *source) rule(span int) int { return s.first + span }

// Version names the rules in findings and answers.
func (r *Rules) Version() string { return r.version }

// Categories lists the categories of the rules, sorted.
func (r *Rules) Categories() []string { return r.categories }

// All lists the rules.
func (r *Rules) All() []Rule { return r.rules }

// A Shelf holds the rules in force. It may be used concurrently.
type Shelf struct{ current atomic.Pointer[Rules] }

// NewShelf returns a shelf with rules on it.
func NewShelf(r *Rules) *Shelf {
	s := new(Shelf)
	s.current.Store(r)
	return s
}

// Current returns the rules in force.
func (s *Shelf) Current() *Rules { return s.current.Load() }

// Swap puts other rules in force, for what begins from now on, and returns
// those that were.
func (s *Shelf) Swap(r *Rules) *Rules { return s.current.Swap(r) }
