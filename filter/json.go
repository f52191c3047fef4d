package filter

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A lexer reads JSON as it streams by, cut at any byte, and shows it with its
// strings unescaped. It knows where what it shows lies in the JSON, so that a
// part of a string can be rewritten and the rest stays byte for byte.
//
// From where the text stops being JSON it is shown as it stands, but for
// escapes of the form \u0000.
type lexer struct {
	bare bool // a number, true, false or null may be rewritten, as a string

	state   lexState
	key     bool   // the string is a key
	stack   []byte // the objects and arrays that are open
	literal string // what is left of true, false or null; "#" in a number
	kind    segKind
	segs    []seg // from the one that holds what was not forgotten
	seen    int   // bytes shown
	done    int   // bytes of JSON that are shown
	held    []byte
	heldAt  int // where held begins
	bareAt  int // where the number or literal begins that is not over; -1: none
	escape  [12]byte
	escaped int // bytes of an escape that is not over

	view []byte // what the piece shows, where that is not the piece itself
	same bool   // it is
}

type lexState uint8

const (
	wantValue lexState = iota
	wantFirst          // a value, or the end of the array
	wantKey
	wantFirstKey // or the end of the object
	wantColon
	wantComma // or the end of what is open
	wantNothing
	inString
	inBare
	broken
)

// A seg is a stretch of the text that is all of one kind. It shows byte for
// byte, but for an escape, which shows one rune.
type seg struct {
	view, at int
	kind     segKind
}

type segKind uint8

const (
	noSeg segKind = iota
	structure
	stringSeg
	escapeSeg
	bareSeg
	proseSeg // what is no JSON
)

// Bounds of what is kept of JSON.
const (
	mostBare = 64     // bytes of a number; what is longer stays what it is
	mostOpen = 10_000 // objects and arrays within each other; what goes deeper is no JSON
)

func newLexer(bare bool) *lexer { return &lexer{bare: bare, bareAt: -1} }

// read returns what the next piece shows.
func (l *lexer) read(piece string, last bool) string {
	l.held = append(l.held, piece...)
	l.same = l.escaped == 0
	l.view = l.view[:0]
	for i := 0; i < len(piece); i++ {
		if n := l.run(piece[i:]); n > 0 {
			i += n - 1
			continue
		}
		if l.same && piece[i] == '\\' {
			l.same = false
			l.view = append(l.view, piece[:i]...)
		}
		l.step(piece[i])
	}
	if last {
		l.end()
	}
	if l.same {
		return piece
	}
	return string(l.view)
}

// run shows what goes on in a string at once, and returns how long that is.
func (l *lexer) run(piece string) int {
	if l.state != inString || l.kind != stringSeg || l.escaped > 0 {
		return 0
	}
	n := 0
	for n < len(piece) && piece[n] != '"' && piece[n] != '\\' {
		n++
	}
	if !l.same {
		l.view = append(l.view, piece[:n]...)
	}
	l.seen += n
	l.done += n
	return n
}

// end takes leave of what cannot go on.
func (l *lexer) end() {
	for l.escaped > 0 {
		l.unescape(true)
	}
	if l.state == inBare {
		if l.literal != "" && l.literal != "#" {
			l.breakOff()
		}
		l.bareAt = -1
	}
}

func (l *lexer) step(c byte) {
	if l.escaped > 0 {
		l.escape[l.escaped] = c
		l.escaped++
		l.unescape(false)
		return
	}
	switch l.state {
	case inString:
		switch c {
		case '"':
			l.show(c, structure)
			l.after()
			if l.key {
				l.state = wantColon
			}
		case '\\':
			l.escape[0], l.escaped = c, 1
		default:
			l.show(c, stringSeg)
		}
	case inBare:
		if l.bareAt >= 0 && l.seen-l.bareAt >= mostBare {
			l.segs[len(l.segs)-1].kind, l.kind, l.bareAt = structure, structure, -1
		}
		switch {
		case strings.IndexByte(" \t\r\n,]}:", c) >= 0 && (l.literal == "" || l.literal == "#"):
			l.bareAt = -1
			l.after()
			l.step(c)
		case l.literal == "#" && strings.IndexByte("0123456789+-.eE", c) >= 0:
			l.show(c, l.kind)
		case l.literal != "" && l.literal[0] == c:
			l.literal = l.literal[1:]
			l.show(c, l.kind)
		default:
			l.breakOff()
			l.step(c)
		}
	case broken:
		if c == '\\' {
			l.escape[0], l.escaped = c, 1
			return
		}
		l.show(c, proseSeg)
	default:
		l.structure(c)
	}
}

// structure takes a byte outside of strings, numbers and literals.
func (l *lexer) structure(c byte) {
	value := l.state == wantValue || l.state == wantFirst
	switch {
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
	case c == '"' && (value || l.state == wantKey || l.state == wantFirstKey):
		l.key = !value
		l.state = inString
	case (c == '{' || c == '[') && len(l.stack) == mostOpen:
		l.breakOff()
		l.step(c)
		return
	case c == '{' && value:
		l.stack = append(l.stack, c)
		l.state = wantFirstKey
	case c == '[' && value:
		l.stack = append(l.stack, c)
		l.state = wantFirst
	case c == '}' && (l.state == wantFirstKey || l.state == wantComma && l.open() == '{'),
		c == ']' && (l.state == wantFirst || l.state == wantComma && l.open() == '['):
		l.stack = l.stack[:len(l.stack)-1]
		l.after()
	case c == ':' && l.state == wantColon:
		l.state = wantValue
	case c == ',' && l.state == wantComma:
		l.state = wantValue
		if l.open() == '{' {
			l.state = wantKey
		}
	case value && strings.IndexByte("-0123456789tfn", c) >= 0:
		switch c {
		case 't':
			l.literal = "rue"
		case 'f':
			l.literal = "alse"
		case 'n':
			l.literal = "ull"
		default:
			l.literal = "#"
		}
		l.state, l.bareAt = inBare, l.seen
		l.show(c, bareSeg)
		return
	default:
		l.breakOff()
		l.step(c)
		return
	}
	l.show(c, structure)
}

func (l *lexer) open() byte {
	if len(l.stack) == 0 {
		return 0
	}
	return l.stack[len(l.stack)-1]
}

// after is the state behind a value.
func (l *lexer) after() {
	l.state = wantComma
	if len(l.stack) == 0 {
		l.state = wantNothing
	}
}

// breakOff gives the text up as JSON.
func (l *lexer) breakOff() {
	if l.bareAt >= 0 {
		l.segs[len(l.segs)-1].kind, l.kind = proseSeg, proseSeg
		l.bareAt = -1
	}
	l.state, l.stack = broken, nil
}

func (l *lexer) show(c byte, kind segKind) {
	if kind != l.kind {
		l.segs, l.kind = append(l.segs, seg{l.seen, l.done, kind}), kind
	}
	if !l.same {
		l.view = append(l.view, c)
	}
	l.seen++
	l.done++
}

// unescape shows the escape that was begun, if it is whole or cannot be one.
func (l *lexer) unescape(last bool) {
	r, size, more := l.parseEscape()
	if more && !last {
		return
	}
	var rest [12]byte
	n := copy(rest[:], l.escape[:l.escaped])
	l.escaped = 0
	switch {
	case size > 0:
		l.segs, l.kind = append(l.segs, seg{l.seen, l.done, escapeSeg}), escapeSeg
		was := len(l.view)
		l.view = utf8.AppendRune(l.view, r)
		l.seen += len(l.view) - was
		l.done += size
	default:
		l.state, l.stack = broken, nil
		l.show(rest[0], proseSeg)
		size = 1
	}
	for _, c := range rest[size:n] {
		l.step(c)
	}
}

// parseEscape returns the rune of the escape that was begun and its size: 0
// where it is none. More says that the next byte can change that.
func (l *lexer) parseEscape() (r rune, size int, more bool) {
	esc := l.escape[:l.escaped]
	if len(esc) < 2 {
		return 0, 0, true
	}
	if esc[1] != 'u' {
		if l.state == inString {
			if i := strings.IndexByte(`"\/bfnrt`, esc[1]); i >= 0 {
				return rune("\"\\/\b\f\n\r\t"[i]), 2, false
			}
		}
		return 0, 0, false
	}
	first, n := hex4(esc)
	switch {
	case n < len(esc) && n < 6:
		return 0, 0, false
	case n < 6:
		return 0, 0, true
	case !utf16.IsSurrogate(first) || first >= 0xDC00:
		return first, 6, false // of a lone surrogate, AppendRune makes U+FFFD
	}
	low := esc[6:]
	second, n := hex4(low)
	switch {
	case n < len(low):
	case n < 6:
		return utf8.RuneError, 6, true
	default:
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return r, 12, false
		}
	}
	return utf8.RuneError, 6, false
}

// hex4 reads \u and four hexadecimal digits, and returns how many bytes of that
// were there.
func hex4(b []byte) (r rune, n int) {
	for i, c := range b[:min(len(b), 6)] {
		switch {
		case i == 0 && c == '\\', i == 1 && c == 'u':
			continue
		case i < 2:
			return 0, i
		}
		d, err := strconv.ParseUint(string(rune(c)), 16, 8)
		if err != nil {
			return 0, i
		}
		r = r<<4 | rune(d)
	}
	return r, min(len(b), 6)
}

// holds reports whether all that the lexer holds are the last n bytes, and all
// of them are shown.
func (l *lexer) holds(n int) bool { return len(l.held) == n && l.escaped == 0 && l.same }

// at returns the index of the segment that an offset lies in.
func (l *lexer) at(view int) int {
	i, _ := slices.BinarySearchFunc(l.segs, view, func(s seg, view int) int { return cmp.Compare(s.view, view+1) })
	return i - 1
}

// whole returns the largest offset up to view that is not within a number or a
// literal.
func (l *lexer) whole(view int) int {
	if l.bareAt >= 0 {
		return min(view, l.bareAt)
	}
	if i := l.at(view); i >= 0 && view < l.seen && l.segs[i].kind == bareSeg {
		return l.segs[i].view
	}
	return view
}

// written returns where an offset lies in the JSON.
func (l *lexer) written(view int) int {
	if view >= l.seen {
		return l.done
	}
	s := l.segs[l.at(view)]
	if s.kind == escapeSeg {
		return s.at
	}
	return s.at + view - s.view
}

// text returns the JSON of a stretch.
func (l *lexer) text(start, end int) []byte {
	return l.held[l.written(start)-l.heldAt : l.written(end)-l.heldAt]
}

// fit returns what has to be rewritten for a stretch, and whether that can be
// done without harm to the structure.
func (l *lexer) fit(start, end int) (int, int, bool) {
	i := l.at(start)
	if l.segs[i].kind == bareSeg {
		next := l.seen
		if i+1 < len(l.segs) {
			next = l.segs[i+1].view
		}
		return l.segs[i].view, next, l.bare && end <= next
	}
	for ; i < len(l.segs) && l.segs[i].view < end; i++ {
		if k := l.segs[i].kind; k == structure || k == bareSeg {
			return start, end, false
		}
	}
	return start, end, true
}

// quote returns what is written where a stretch from an offset on becomes text.
func (l *lexer) quote(start int, text string) string {
	switch l.segs[l.at(start)].kind {
	case proseSeg:
		return text
	case bareSeg:
		return `"` + escapeJSON(text) + `"`
	}
	return escapeJSON(text)
}

// escapeJSON returns text as it is written in a JSON string.
func escapeJSON(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) < 0 {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ':
			b.WriteString(`\u00`)
			b.WriteByte("0123456789abcdef"[c>>4])
			b.WriteByte("0123456789abcdef"[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// forget drops what lies before an offset, which nobody will ask about.
func (l *lexer) forget(view int) {
	at := l.written(view)
	l.held = l.held[:copy(l.held, l.held[at-l.heldAt:])]
	l.heldAt = at
	if i := l.at(view); i > 0 {
		l.segs = l.segs[:copy(l.segs, l.segs[i:])]
	}
}
