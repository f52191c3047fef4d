package lexicon

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Fault is one thing wrong with a file of words.
type Fault struct {
	Source       string // the file
	Line, Column int    // from 1, the column in runes; 0 where it is the file as a whole
	Key          string // such as categories.fraud.words[3]; may be empty
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

// Faults are all that is wrong with a file, in the order of their positions.
type Faults []Fault

// mostTold is how many faults the text of an error has; the number of the others
// is told.
const mostTold = 100

// Error has one line per fault.
func (fs Faults) Error() string {
	var lines []string
	for i, f := range fs {
		if i == mostTold {
			lines = append(lines, fmt.Sprintf("and %d faults more in this file", len(fs)-i))
			break
		}
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

func (fs Faults) sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
