package grammar

import (
	"strings"
	"unicode/utf8"
)

// A pattern is a regular expression for a whole string, from ^ to $, in the
// part of the ECMAScript syntax that all dialects agree on: characters, ., sets,
// \d \w \s and their opposites, groups, | and greedy or lazy repetition. Where
// dialects differ on which characters . and \s are, it takes the fewer.
type pattern struct {
	text string
	root rx
}

type rxKind uint8

const (
	rxSet rxKind = iota
	rxSequence
	rxEither
	rxRepeat
)

// An rx is a regular expression.
type rx struct {
	kind     rxKind
	set      runeSet // rxSet
	parts    []rx    // rxSequence, rxEither; of rxRepeat the one repeated
	min, max int     // rxRepeat; max -1: no bound
}

// lengths returns the fewest and the most characters that match, -1 for no
// bound. Both stop at a number far above every limit.
func (r rx) lengths() (lo, hi int) {
	const far = 1 << 40
	switch r.kind {
	case rxSet:
		return 1, 1
	case rxSequence:
		for _, p := range r.parts {
			l, h := p.lengths()
			lo = min(lo+l, far)
			if hi >= 0 && h >= 0 {
				hi = min(hi+h, far)
			} else {
				hi = -1
			}
		}
		return lo, hi
	case rxEither:
		lo, hi = r.parts[0].lengths()
		for _, p := range r.parts[1:] {
			l, h := p.lengths()
			lo = min(lo, l)
			if hi >= 0 && h >= 0 {
				hi = max(hi, h)
			} else {
				hi = -1
			}
		}
		return lo, hi
	}
	l, h := r.parts[0].lengths()
	lo = min(l*r.min, far)
	switch {
	case h == 0 || r.max == 0:
		return lo, 0
	case h < 0 || r.max < 0:
		return lo, -1
	}
	return lo, min(h*r.max, far)
}

// within returns the pattern for the strings that also have at least lo and,
// unless hi is -1, at most hi characters.
func (p *pattern) within(lo, hi int, path string) (*pattern, error) {
	shortest, longest := p.root.lengths()
	if shortest >= lo && (hi < 0 || longest >= 0 && longest <= hi) {
		return p, nil
	}
	// Where only one character is repeated, the lengths are bounds on how often.
	parts := []rx{p.root}
	for len(parts) == 1 && parts[0].kind == rxSequence {
		parts = parts[0].parts
	}
	fixed, free := 0, -1
	for i, part := range parts {
		l, h := part.lengths()
		switch {
		case l == h:
			fixed += l
		case free < 0 && part.kind == rxRepeat && part.parts[0].kind == rxSet:
			free = i
		default:
			return nil, unsupported("pattern", path, "next to minLength or maxLength; put the lengths into the pattern")
		}
	}
	if free < 0 {
		return nil, conflicting("pattern", path, "minLength or maxLength excludes every string that matches")
	}
	r := parts[free]
	r.min = max(r.min, lo-fixed)
	if hi >= 0 {
		r.max = tighter(r.max, hi-fixed)
	}
	if hi >= 0 && hi < fixed || r.max >= 0 && r.max < r.min {
		return nil, conflicting("pattern", path, "minLength or maxLength excludes every string that matches")
	}
	root := rx{kind: rxSequence}
	root.parts = append(root.parts, parts[:free]...)
	root.parts = append(root.parts, r)
	root.parts = append(root.parts, parts[free+1:]...)
	return &pattern{text: p.text, root: root}, nil
}

// parsePattern reads the pattern of the schema at path.
func parsePattern(text, path string) (p *pattern, err error) {
	r := &rxReader{text: text, path: path}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case rxError:
			err = e.error
		default:
			panic(e)
		}
	}()
	if len(text) > maxPatternBytes {
		r.unsupported("it has %d bytes, over the limit of %d", len(text), maxPatternBytes)
	}
	if !r.take('^') || !r.anchored() {
		r.unsupported("it has to begin with ^ and end with $; one that may match anywhere needs .* at its ends")
	}
	r.text = r.text[:len(r.text)-1]
	root := r.sequence()
	switch {
	case r.pos == len(r.text):
	case r.text[r.pos] == '|':
		r.unsupported("| outside of a group leaves a part without ^ or $; put the whole between ^( and )$")
	default:
		r.invalid("there is a ) without its (")
	}
	return &pattern{text: text, root: root}, nil
}

// An rxReader reads a regular expression. Its methods panic with an rxError.
type rxReader struct {
	text  string
	pos   int
	path  string
	depth int
}

type rxError struct{ error }

func (r *rxReader) invalid(format string, args ...any) {
	panic(rxError{invalid("pattern", r.path, "at byte %d: "+format, append([]any{r.pos}, args...)...)})
}

func (r *rxReader) unsupported(format string, args ...any) {
	panic(rxError{unsupported("pattern", r.path, "at byte %d: "+format, append([]any{r.pos}, args...)...)})
}

func (r *rxReader) take(c byte) bool {
	if r.pos < len(r.text) && r.text[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

// anchored reports whether the text ends with a $ that no backslash escapes.
func (r *rxReader) anchored() bool {
	body, ok := strings.CutSuffix(r.text, "$")
	return ok && len(body) > 0 && (len(body)-len(strings.TrimRight(body, `\`)))%2 == 0
}

func (r *rxReader) rune() rune {
	c, size := utf8.DecodeRuneInString(r.text[r.pos:])
	r.pos += size
	return c
}

func (r *rxReader) either() rx {
	alts := []rx{r.sequence()}
	for r.take('|') {
		alts = append(alts, r.sequence())
	}
	if len(alts) == 1 {
		return alts[0]
	}
	return rx{kind: rxEither, parts: alts}
}

// sequence reads up to the end, a | or a ).
func (r *rxReader) sequence() rx {
	seq := rx{kind: rxSequence}
	for r.pos < len(r.text) && r.text[r.pos] != '|' && r.text[r.pos] != ')' {
		item := r.item()
		if lo, hi, ok := r.quantifier(); ok {
			if l, _ := item.lengths(); l == 0 && hi < 0 {
				r.unsupported("a part that may be empty is repeated without end")
			}
			item = rx{kind: rxRepeat, parts: []rx{item}, min: lo, max: hi}
			r.take('?') // a lazy repetition matches the same strings
			if r.pos < len(r.text) && strings.IndexByte("*+?{", r.text[r.pos]) >= 0 {
				r.invalid("a repetition of a repetition; put the inner one into a group")
			}
		}
		seq.parts = append(seq.parts, item)
	}
	return seq
}

func (r *rxReader) item() rx {
	switch c := r.rune(); c {
	case '(':
		return r.group()
	case '[':
		return r.one(r.class())
	case '.':
		return r.one(runeSet{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}.complement())
	case '\\':
		set, _ := r.escape(false)
		return r.one(set)
	case '^', '$':
		r.unsupported("an anchor within the pattern")
	case '*', '+', '?', '{':
		r.invalid("there is nothing to repeat; a literal character needs a backslash")
	default:
		return r.one(runeSet{{c, c}})
	}
	return rx{}
}

func (r *rxReader) one(set runeSet) rx {
	if !set.writable() {
		r.invalid("a set that no character is in")
	}
	return rx{kind: rxSet, set: set}
}

func (r *rxReader) group() rx {
	if r.depth++; r.depth > maxPatternDepth {
		r.unsupported("groups are nested more than %d deep", maxPatternDepth)
	}
	if r.take('?') && !r.take(':') {
		r.unsupported("of the groups that begin with (? only (?: can be enforced")
	}
	e := r.either()
	if !r.take(')') {
		r.invalid("a group without its )")
	}
	r.depth--
	return e
}

// quantifier reads *, +, ?, {m}, {m,} or {m,n}, if one is next.
func (r *rxReader) quantifier() (lo, hi int, ok bool) {
	switch {
	case r.take('*'):
		return 0, -1, true
	case r.take('+'):
		return 1, -1, true
	case r.take('?'):
		return 0, 1, true
	case !r.take('{'):
		return 0, 0, false
	}
	lo = r.count()
	hi = lo
	if r.take(',') {
		hi = -1
		if r.pos < len(r.text) && isDigit(r.text[r.pos]) {
			hi = r.count()
		}
	}
	if !r.take('}') {
		r.invalid("a repetition is {m}, {m,} or {m,n}")
	}
	if hi >= 0 && hi < lo {
		r.invalid("the repetition ends before it begins")
	}
	return lo, hi, true
}

func (r *rxReader) count() int {
	n, start := 0, r.pos
	for r.pos < len(r.text) && isDigit(r.text[r.pos]) {
		if n = n*10 + int(r.text[r.pos]-'0'); n > maxRepeat {
			r.unsupported("a repetition over the limit of %d", maxRepeat)
		}
		r.pos++
	}
	if r.pos == start {
		r.invalid("a repetition is {m}, {m,} or {m,n}")
	}
	return n
}

// class reads a set from after its [.
func (r *rxReader) class() runeSet {
	negated := r.take('^')
	var set runeSet
	for !r.take(']') {
		if r.pos == len(r.text) {
			r.invalid("a set without its ]")
		}
		part, single := r.classChar(negated)
		if r.pos+1 < len(r.text) && r.text[r.pos] == '-' && r.text[r.pos+1] != ']' {
			r.pos++
			end, singleEnd := r.classChar(negated)
			if !single || !singleEnd {
				r.invalid("a range from or to a set")
			}
			if end[0].lo < part[0].lo {
				r.invalid("a range that runs backward")
			}
			part = runeSet{{part[0].lo, end[0].lo}}
		}
		set = append(set, part...)
	}
	set = set.normal()
	if negated {
		set = set.complement()
	}
	return set
}

func (r *rxReader) classChar(negated bool) (set runeSet, single bool) {
	c := r.rune()
	switch {
	case c == '\\':
		if r.take('b') {
			return runeSet{{'\b', '\b'}}, true
		}
		return r.escape(negated)
	case c == '[' || c == '&' && strings.HasPrefix(r.text[r.pos:], "&"):
		r.unsupported("a [ or && within a set, which dialects read differently; use a backslash")
	}
	return runeSet{{c, c}}, true
}

var (
	digitRunes = runeSet{{'0', '9'}}
	wordRunes  = runeSet{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}
	// Which characters are space depends on the dialect: these are in all, and
	// those in some.
	spaceRunes     = runeSet{{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}
	wideSpaceRunes = runeSet{
		{'\t', '\r'}, {0x1C, 0x20}, {0x85, 0x85}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x180E, 0x180E},
		{0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
	}
)

// escape reads what follows a backslash: a set, or a single character. In a
// negated set, a set that depends on the dialect is the greater one.
func (r *rxReader) escape(negated bool) (set runeSet, single bool) {
	if r.pos == len(r.text) {
		r.invalid("a backslash at the end")
	}
	space, notSpace := spaceRunes, wideSpaceRunes.complement()
	if negated {
		space, notSpace = wideSpaceRunes, spaceRunes.complement()
	}
	c := r.rune()
	switch c {
	case 'd':
		return digitRunes, false
	case 'D':
		return digitRunes.complement(), false
	case 'w':
		return wordRunes, false
	case 'W':
		return wordRunes.complement(), false
	case 's':
		return space, false
	case 'S':
		return notSpace, false
	case 't':
		c = '\t'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 'f':
		c = '\f'
	case 'v':
		c = '\v'
	case 'x':
		c = r.hex(2)
	case 'u':
		c = r.hex(4)
	default:
		if c >= utf8.RuneSelf || isNameByte(byte(c)) && c != '-' || c == '_' {
			r.unsupported("this escape; there are \\d \\w \\s \\D \\W \\S \\t \\n \\r \\f \\v \\xHH \\uHHHH and punctuation")
		}
	}
	return runeSet{{c, c}}, true
}

func (r *rxReader) hex(digits int) rune {
	var c rune
	for range digits {
		var d byte
		if r.pos < len(r.text) {
			d = r.text[r.pos]
		}
		switch letter := d | 0x20; {
		case isDigit(d):
			c = c<<4 | rune(d-'0')
		case 'a' <= letter && letter <= 'f':
			c = c<<4 | rune(letter-'a'+10)
		default:
			r.invalid("an escape with too few hexadecimal digits")
		}
		r.pos++
	}
	if isSurrogate(c) {
		r.unsupported("half of a surrogate pair; write the character itself")
	}
	return c
}
