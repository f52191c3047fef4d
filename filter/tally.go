package filter

import (
	"slices"

	"bendi/chat"
)

// A tally sums findings up, for clients and for whoever chooses the backend.
type tally struct {
	action     Action
	level      int
	rules      []string // sorted, as are the categories
	categories []string
}

func (t *tally) add(r *Rule, a Action) {
	t.action = max(t.action, a)
	t.level = max(t.level, r.Level)
	t.rules = insert(t.rules, r.ID)
	t.categories = insert(t.categories, r.Category)
}

// merge adds what another filter told.
func (t *tally) merge(f *chat.Filtered) {
	a, err := ParseAction(f.Action)
	if err != nil {
		a = Log
	}
	t.action, t.level = max(t.action, a), max(t.level, f.Level)
	for _, id := range f.Rules {
		t.rules = insert(t.rules, id)
	}
	for _, c := range f.Categories {
		t.categories = insert(t.categories, c)
	}
}

// insert puts s into a sorted list, once.
func insert(list []string, s string) []string {
	i, is := slices.BinarySearch(list, s)
	if is {
		return list
	}
	return slices.Insert(list, i, s)
}

// classes returns the categories, with those that are known already.
func (t *tally) classes(known []string) []string {
	if len(t.categories) == 0 {
		return known
	}
	all := slices.Clone(t.categories)
	for _, c := range known {
		all = insert(all, c)
	}
	return all
}

// filtered tells the tally, or nil where there is nothing to tell.
func (t *tally) filtered(p *Policy, answer bool) *chat.Filtered {
	if t.action == None {
		return nil
	}
	return &chat.Filtered{
		Answer: answer, Action: t.action.String(), Rules: slices.Clone(t.rules), Categories: slices.Clone(t.categories),
		Level: t.level, Show: p.Results,
	}
}
