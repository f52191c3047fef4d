package llamacpp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// lines is a writer that hands on what is written to it line by line. It
// keeps no more than max bytes of a line, and says how many it cut off.
type lines struct {
	max  int
	each func(line string)

	part []byte // of the line that is not over yet
	cut  int    // bytes of it beyond max
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		keep := min(len(line), l.max-len(l.part))
		l.part = append(l.part, line[:keep]...)
		l.cut += len(line) - keep
		if !ended {
			return n, nil
		}
		l.flush()
		p = rest
	}
}

// flush ends the line that is not over yet.
func (l *lines) flush() {
	line := strings.ToValidUTF8(string(bytes.TrimSuffix(l.part, []byte{'\r'})), "\uFFFD")
	if l.cut > 0 {
		line += fmt.Sprintf(" [%d more bytes cut off]", l.cut)
	}
	l.part, l.cut = l.part[:0], 0
	if line != "" {
		l.each(line)
	}
}

// A tail keeps the last lines of a worker's log.
type tail struct {
	lines []string
	bytes int
}

const (
	tailLines = 50
	tailBytes = 32 << 10
	maxLine   = 2 << 10 // bytes of a line of the log
)

func (t *tail) add(line string) {
	t.lines = append(t.lines, line)
	t.bytes += len(line)
	drop := 0
	for len(t.lines)-drop > tailLines || t.bytes > tailBytes {
		t.bytes -= len(t.lines[drop])
		drop++
	}
	t.lines = slices.Delete(t.lines, 0, drop)
}
