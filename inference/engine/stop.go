package engine

import "strings"

// A stopFilter ends a text before the first stop string that is completed in
// it, and holds back exactly the text that may turn out to be the beginning of
// one. The text it lets out does not depend on how the text was cut up.
type stopFilter struct {
	words []string
	held  string // the longest suffix of the text so far that begins a stop string
	found string // the one that was completed
}

// push adds text and returns what can be let out, and whether a stop string
// was completed; after that the filter is done.
func (f *stopFilter) push(text string) (out string, stopped bool) {
	if len(f.words) == 0 {
		return text, false
	}
	f.held += text
	if start := f.match(); start >= 0 {
		out, f.held = f.held[:start], ""
		return out, true
	}
	keep := 0
	for _, w := range f.words {
		for n := min(len(w)-1, len(f.held)); n > keep; n-- {
			if strings.HasSuffix(f.held, w[:n]) {
				keep = n
			}
		}
	}
	cut := len(f.held) - keep
	out, f.held = f.held[:cut], f.held[cut:]
	return out, false
}

// match returns where the stop string begins that is completed first, the
// longest of several that are completed together, or -1.
func (f *stopFilter) match() int {
	start, end := -1, len(f.held)+1
	for _, w := range f.words {
		i := strings.Index(f.held, w)
		if i >= 0 && (i+len(w) < end || i+len(w) == end && i < start) {
			start, end, f.found = i, i+len(w), w
		}
	}
	return start
}

// flush returns the text held back when no more will come.
func (f *stopFilter) flush() string {
	out := f.held
	f.held = ""
	return out
}
