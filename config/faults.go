package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A Fault is one thing wrong with a configuration.
type Fault struct {
	Source       string // the file, environment variable or flag; may be empty
	Line, Column int    // from 1; 0 where the source is not a file
	Key          string // path of the key, such as routes[1].models[0]; empty for syntax
	Message      string
}

// String is file:line:column: key: message, without the parts that are missing.
func (f Fault) String() string {
	var b strings.Builder
	if f.Source != "" {
		b.WriteString(f.Source)
		if f.Line > 0 {
			b.WriteString(":" + strconv.Itoa(f.Line) + ":" + strconv.Itoa(f.Column))
		}
		b.WriteString(": ")
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Faults are all that is wrong with a configuration, in the order of their
// positions; those outside a file come last.
type Faults []Fault

// Error has one line per fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

func (fs Faults) sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
