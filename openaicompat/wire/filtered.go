package wire

import (
	"strconv"
	"strings"

	"bendi/chat"
)

// blocked is the action of what was refused or cut off.
const blocked = "block"

// stronger returns that of two which says that more was done.
func stronger(a, b *chat.Filtered) *chat.Filtered {
	if b != nil && (a == nil || b.Action == blocked || a.Action != blocked && len(b.Rules) > len(a.Rules)) {
		return b
	}
	return a
}

// FilterHeader is the value of the header that tells what the filter did to a
// request and to its answer: the strongest action and how many rules, such as
// "request=mask;rules=2, answer=block;rules=1". It is empty where the filter
// did nothing.
func FilterHeader(request, answer *chat.Filtered) string {
	var b strings.Builder
	part := func(what string, f *chat.Filtered) {
		if f == nil || f.Action == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(what + "=" + f.Action + ";rules=" + strconv.Itoa(len(f.Rules)))
	}
	part("request", request)
	part("answer", answer)
	return b.String()
}

// filterResults tells what the filter found, by category, as Azure does.
type filterResults map[string]filterResult

type filterResult struct {
	Filtered bool   `json:"filtered"` // the text was refused or cut off
	Detected bool   `json:"detected"`
	Action   string `json:"action"` // the strongest on the text, of whatever category
}

// promptResults are the results of a request, which has one prompt.
type promptResults struct {
	Index   int           `json:"prompt_index"`
	Results filterResults `json:"content_filter_results"`
}

// resultsOf returns what a client may see of f in the body.
func resultsOf(f *chat.Filtered) filterResults {
	if f == nil || !f.Show {
		return nil
	}
	r := filterResults{}
	for _, c := range f.Categories {
		r[c] = filterResult{Filtered: f.Action == blocked, Detected: true, Action: f.Action}
	}
	return r
}

func promptResultsOf(f *chat.Filtered) []promptResults {
	if r := resultsOf(f); r != nil {
		return []promptResults{{0, r}}
	}
	return nil
}

// list is names, and [] rather than null where there are none.
func list(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
