package router

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"bendi/chat"
	"bendi/internal/spelling"
)

const (
	longestName = 128 // a longer one is no typing error and is not repeated
	mostNear    = 3   // names suggested
	mostListed  = 10  // names listed when none is near
)

// unknown is the error of a request for a model that is not offered. It names
// those that may have been meant, or else what there is.
func (r *Route) unknown(name string) *chat.Error {
	msg := "There is no model of that name here; "
	if len(name) <= longestName {
		msg = fmt.Sprintf("There is no model %q here; ", name)
	}
	names := make([]string, 0, len(r.offers)+len(r.aliases))
	for _, m := range r.Models() {
		names = append(names, m.ID)
	}
	if near := nearest(name, append(names, r.aliases...)); len(near) > 0 {
		msg += "did you mean " + list(near, " or ") + "?"
	} else if more := len(names) - mostListed; more > 0 {
		msg += fmt.Sprintf("there are %s and %d more.", list(names[:mostListed], ", "), more)
	} else {
		msg += "there is " + list(names, " and ") + "."
	}
	return &chat.Error{Kind: chat.NotFound, Code: chat.CodeModelNotFound, Param: "model", Msg: msg}
}

// list quotes names and joins them, the last one by a word.
func list(names []string, last string) string {
	var b strings.Builder
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			b.WriteString(last)
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", name)
	}
	return b.String()
}

// nearest returns the names that name may have been meant for, nearest first:
// those a few edits away, and those that contain it or that it contains.
func nearest(name string, names []string) []string {
	if name == "" || len(name) > longestName {
		return nil
	}
	type candidate struct {
		name string
		far  int
	}
	var near []candidate
	given := strings.ToLower(name)
	for _, n := range names {
		lower := strings.ToLower(n)
		far := spelling.Distance(given, lower)
		if far <= 1+utf8.RuneCountInString(given)/3 || strings.Contains(lower, given) || strings.Contains(given, lower) {
			near = append(near, candidate{n, far})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.far, b.far) })
	var out []string
	for _, c := range near[:min(len(near), mostNear)] {
		out = append(out, c.name)
	}
	return out
}
