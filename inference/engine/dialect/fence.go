package dialect

// A fence tells whether text is inside a Markdown code fence: from a line that
// begins with three or more backticks or tildes to the next that begins with
// at least as many and has nothing after them. There a model shows what a call
// looks like, and does not make one.
type fence struct {
	size int  // marks of the fence we are inside; 0: outside
	mark byte // ` or ~

	// Of the line so far:
	rest   bool // something other than indentation and marks has come
	run    int  // marks that begin it
	runOf  byte
	opened bool // it opened the fence
	closed int  // it closed a fence of this many marks
}

func (f *fence) inside() bool { return f.size > 0 }

// next takes the next byte of the text.
func (f *fence) next(c byte) {
	switch {
	case c == '\n':
		f.rest, f.run, f.opened, f.closed = false, 0, false, 0
	case !f.rest && f.run == 0 && (c == ' ' || c == '\t'):
		// indentation
	case !f.rest && (c == '`' || c == '~') && (f.run == 0 || c == f.runOf):
		f.run++
		f.runOf = c
		f.mark3()
	default:
		f.rest = true
		switch {
		case f.opened && f.mark == '`' && c == '`': // code within a line
			f.size, f.opened = 0, false
		case f.closed > 0 && !isSpace(c): // a fence ends with marks alone
			f.size, f.closed = f.closed, 0
		}
	}
}

// mark3 looks at a line that begins with marks alone so far.
func (f *fence) mark3() {
	switch {
	case f.run < 3 || f.closed > 0:
	case f.size == 0 || f.opened:
		f.size, f.mark, f.opened = f.run, f.runOf, true
	case f.runOf == f.mark && f.run >= f.size:
		f.closed, f.size = f.size, 0
	}
}
