// Package faults says what is wrong with a file that a person wrote, and where:
// everything at once, so that one look mends it.
package faults

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Fault is one thing wrong with a file or a setting.
type Fault struct {
	Source       string // the file, environment variable or flag; may be empty
	Line, Column int    // from 1, the column in runes; 0 where the source is no file, or it is the file as a whole
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

// Faults are all that is wrong, in the order of their positions once they are
// sorted.
type Faults []Fault

// mostTold is how many faults the text of an error has; the number of the others
// is told.
const mostTold = 100

// Error has one line per fault.
func (fs Faults) Error() string {
	var lines []string
	for i, f := range fs {
		if i == mostTold {
			lines = append(lines, fmt.Sprintf("and %d faults more", len(fs)-i))
			break
		}
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// Sort brings faults into the order of their positions; those without one come
// last.
func (fs Faults) Sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
