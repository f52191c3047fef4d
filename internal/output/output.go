// Package output reads what the processes write that a gateway starts: line by
// line, with bounds on how much of it is kept.
package output

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Lines is a writer that hands on what is written to it line by line. It
// keeps no more than Max bytes of a line, and says how many it cut off.
type Lines struct {
	Max  int
	Each func(line string)

	part []byte // of the line that is not over yet
	cut  int    // bytes of it beyond Max
}

func (l *Lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		keep := min(len(line), l.Max-len(l.part))
		l.part = append(l.part, line[:keep]...)
		l.cut += len(line) - keep
		if !ended {
			return n, nil
		}
		l.Flush()
		p = rest
	}
}

// Flush ends the line that is not over yet.
func (l *Lines) Flush() {
	line := strings.ToValidUTF8(string(bytes.TrimSuffix(l.part, []byte{'\r'})), "\uFFFD")
	if l.cut > 0 {
		line += fmt.Sprintf(" [%d more bytes cut off]", l.cut)
	}
	l.part, l.cut = l.part[:0], 0
	if line != "" {
		l.Each(line)
	}
}

// A Tail keeps the last lines that it was given.
type Tail struct {
	lines []string
	bytes int
}

const (
	tailLines = 50
	tailBytes = 32 << 10
)

// Add gives the tail a line.
func (t *Tail) Add(line string) {
	t.lines = append(t.lines, line)
	t.bytes += len(line)
	drop := 0
	for len(t.lines)-drop > tailLines || t.bytes > tailBytes {
		t.bytes -= len(t.lines[drop])
		drop++
	}
	t.lines = slices.Delete(t.lines, 0, drop)
}

// Lines returns what the tail has kept, in order.
func (t *Tail) Lines() []string { return t.lines }
