package grammar

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Parse reads a GBNF grammar and checks that it can be used: the syntax is
// that of llama.cpp 0.5.0, every rule is defined, once, there is a rule named
// root, nothing is left-recursive, and every rule can come to an end.
//
// Parse refuses everything that llama.cpp refuses, and what llama.cpp accepts
// but does not do as written: a second definition of a rule, which replaces
// the first; an upper bound of repetition above 2000, which is ignored; an
// empty or backward character range; a rule that can never end; left recursion
// through rules that are empty in more than one step, which hangs. Tokens,
// such as <think> and <[1000]>, are not supported. The error is a
// [*SyntaxError].
func Parse(gbnf string) (*Grammar, error) {
	p := &parser{src: gbnf, index: map[string]int{}}
	if err := p.parse(); err != nil {
		return nil, err
	}
	return p.compile()
}

// A parser reads GBNF. Its methods panic with a *SyntaxError, which parse
// recovers.
type parser struct {
	src   string
	pos   int
	depth int // of groups
	rules []*rule
	index map[string]int // of rules by name

	// symbols counts the rules as llama.cpp does, with the ones it makes up,
	// because its limit on repetition is in terms of them.
	symbols int
}

// A rule is one rule of the grammar.
type rule struct {
	name    string
	at      int // of the first mention, then of the definition
	defined bool
	body    [][]expr // alternatives
}

type kind uint8

const (
	literal kind = iota // runes
	charset             // set
	reference
	group
	repeat
)

// An expr is one item of a sequence.
type expr struct {
	kind  kind
	at    int      // offset in the source
	runes []rune   // literal
	set   runeSet  // charset
	rule  int      // reference
	alts  [][]expr // group
	item  *expr    // repeat
	min   int
	max   int // -1: no bound

	// weight is the number of rules that llama.cpp would copy for each
	// repetition of the item.
	weight int
}

func (p *parser) fail(at int, format string, args ...any) {
	panic(p.errorAt(at, format, args...))
}

func (p *parser) errorAt(at int, format string, args ...any) *SyntaxError {
	for i, arg := range args {
		if name, ok := arg.(string); ok {
			args[i] = clip(name)
		}
	}
	before := p.src[:min(at, len(p.src))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return &SyntaxError{Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}

func (p *parser) parse() (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *SyntaxError:
			err = r
		default:
			panic(r)
		}
	}()
	if len(p.src) > maxGrammarBytes {
		p.fail(0, "the grammar has %d bytes, over the limit of %d", len(p.src), maxGrammarBytes)
	}
	if i := strings.IndexByte(p.src, 0); i >= 0 {
		p.fail(i, "a zero byte; write it as \\x00 inside a character class")
	}
	for i, r := range p.src {
		if r == utf8.RuneError && !strings.HasPrefix(p.src[i:], "\uFFFD") {
			p.fail(i, "the grammar is not valid UTF-8 here")
		}
	}
	p.space(true)
	for p.pos < len(p.src) {
		p.definition()
	}
	for _, r := range p.rules {
		if !r.defined {
			p.fail(r.at, "the rule %q is used but not defined", r.name)
		}
	}
	if _, ok := p.index["root"]; !ok {
		p.fail(0, "there is no rule named root, which is where an answer starts")
	}
	return nil
}

// definition reads "name ::= alternatives" and the end of its line.
func (p *parser) definition() {
	at := p.pos
	name := p.name()
	r := p.rules[p.lookup(name, at)]
	if r.defined {
		p.fail(at, "the rule %q is defined twice", name)
	}
	r.defined, r.at = true, at
	p.space(false)
	if !strings.HasPrefix(p.src[p.pos:], "::=") {
		p.fail(p.pos, "want ::= after the name of a rule")
	}
	p.pos += len("::=")
	p.space(true)
	r.body = p.alternatives(false)
	switch p.peek() {
	case 0, '\r', '\n':
	default:
		p.fail(p.pos, "want the end of the line, or an item of the rule: a name, \"text\", [characters], ( or .")
	}
	p.space(true)
}

// name reads the name of a rule. llama.cpp's guide allows underscores, but
// its parser does not.
func (p *parser) name() string {
	start := p.pos
	for isNameByte(p.peek()) {
		p.pos++
	}
	if p.pos == start {
		p.fail(p.pos, "want the name of a rule: letters, digits and dashes")
	}
	if p.pos-start > maxNameBytes {
		p.fail(start, "the name of a rule has %d bytes, over the limit of %d", p.pos-start, maxNameBytes)
	}
	if p.peek() == '_' {
		p.fail(p.pos, "llama.cpp takes no underscore in the name of a rule; use a dash")
	}
	return p.src[start:p.pos]
}

// lookup returns the number of the rule called name.
func (p *parser) lookup(name string, at int) int {
	i, ok := p.index[name]
	if !ok {
		i = len(p.rules)
		p.index[name] = i
		p.rules = append(p.rules, &rule{name: name, at: at})
		p.symbols++
	}
	return i
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '-'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

// space skips blanks and comments, and line ends too where they may stand.
func (p *parser) space(lines bool) {
	for {
		switch c := p.peek(); {
		case c == ' ' || c == '\t' || lines && (c == '\r' || c == '\n'):
			p.pos++
		case c == '#':
			for c := p.peek(); c != 0 && c != '\r' && c != '\n'; c = p.peek() {
				p.pos++
			}
		default:
			return
		}
	}
}

func (p *parser) alternatives(nested bool) [][]expr {
	alts := [][]expr{p.sequence(nested)}
	for p.peek() == '|' {
		p.pos++
		p.space(true)
		alts = append(alts, p.sequence(nested))
	}
	return alts
}

func (p *parser) sequence(nested bool) []expr {
	var seq []expr
	for {
		at := p.pos
		e := expr{at: at, weight: 1}
		switch c := p.peek(); {
		case c == '"':
			e.kind, e.runes = literal, p.literal()
		case c == '[':
			e.kind, e.set = charset, p.class()
		case c == '.':
			p.pos++
			e.kind, e.set = charset, anyRune
		case isNameByte(c):
			e.kind, e.rule = reference, p.lookup(p.name(), at)
		case c == '(':
			e.kind = group
			before := p.symbols
			e.alts = p.group()
			e.weight = max(1, p.symbols-before)
		case c == '*' || c == '+' || c == '?' || c == '{':
			if len(seq) == 0 || seq[len(seq)-1].kind == literal && len(seq[len(seq)-1].runes) == 0 {
				p.fail(at, "nothing stands before %q to repeat", c)
			}
			lo, hi := p.bounds(nested)
			last := &seq[len(seq)-1]
			*last = p.repetition(*last, at, lo, hi)
			p.space(nested)
			continue
		case c == '<' || c == '!':
			p.fail(at, "tokens, such as <think> or !<[1000]>, are not supported; describe the text instead")
		default:
			return seq
		}
		seq = append(seq, e)
		p.space(nested)
	}
}

func (p *parser) group() [][]expr {
	open := p.pos
	if p.depth++; p.depth > maxGroupDepth {
		p.fail(open, "groups are nested more than %d deep; give the inner ones a rule of their own", maxGroupDepth)
	}
	p.symbols++
	p.pos++
	p.space(true)
	alts := p.alternatives(true)
	if p.peek() != ')' {
		p.fail(p.pos, "want an item, | or the ) of the group that opens at byte %d", open)
	}
	p.pos++
	p.depth--
	return alts
}

// bounds reads * + ? or {m}, {m,}, {m,n}. A missing upper bound is -1.
func (p *parser) bounds(nested bool) (lo, hi int) {
	at := p.pos
	p.pos++
	switch p.src[at] {
	case '*':
		return 0, -1
	case '+':
		return 1, -1
	case '?':
		return 0, 1
	}
	p.space(nested)
	lo = p.count()
	hi = lo
	p.space(nested)
	if p.peek() == ',' {
		p.pos++
		p.space(nested)
		hi = -1
		if isDigit(p.peek()) {
			hi = p.count()
			p.space(nested)
		}
	}
	if p.peek() != '}' {
		p.fail(p.pos, "want } or a comma: a repetition is {m}, {m,} or {m,n}")
	}
	p.pos++
	if hi >= 0 && hi < lo {
		p.fail(at, "the repetition {%d,%d} ends before it begins", lo, hi)
	}
	return lo, hi
}

func (p *parser) count() int {
	start, n := p.pos, 0
	for isDigit(p.peek()) {
		if n = n*10 + int(p.peek()-'0'); n > llamaRepeat {
			p.fail(start, "a repetition of more than %d; repeat a rule that is a repetition itself", llamaRepeat)
		}
		p.pos++
	}
	if p.pos == start {
		p.fail(p.pos, "want a number")
	}
	return n
}

func (p *parser) repetition(item expr, at, lo, hi int) expr {
	times := max(1, lo)
	if hi > 0 {
		times = hi
	}
	if item.weight*times >= llamaRepeat {
		p.fail(at, "the repetition makes %d rules, and llama.cpp allows fewer than %d; give the repeated group a rule of its own", item.weight*times, llamaRepeat)
	}
	if hi < 0 {
		p.symbols++
	} else {
		p.symbols += hi - lo
	}
	return expr{kind: repeat, at: at, item: &item, min: lo, max: hi, weight: item.weight * times}
}

func (p *parser) literal() []rune {
	open := p.pos
	p.pos++
	var runes []rune
	for p.peek() != '"' {
		at := p.pos
		if at == len(p.src) {
			p.fail(open, "the text that starts here has no closing quote")
		}
		r := p.char()
		if isSurrogate(r) {
			p.fail(at, "U+%04X is half a character and cannot be written; use \\U with the whole code", r)
		}
		runes = append(runes, r)
	}
	p.pos++
	return runes
}

func (p *parser) class() runeSet {
	open := p.pos
	p.pos++
	negated := p.peek() == '^'
	if negated {
		p.pos++
	}
	var set runeSet
	for p.peek() != ']' {
		at := p.pos
		if at == len(p.src) {
			p.fail(open, "the character class that starts here has no closing bracket")
		}
		lo := p.char()
		hi := lo
		if p.peek() == '-' && p.pos+1 < len(p.src) && p.src[p.pos+1] != ']' {
			p.pos++
			hi = p.char()
		}
		if hi < lo {
			p.fail(at, "the range from U+%04X to U+%04X runs backward", lo, hi)
		}
		set = append(set, runeRange{lo, hi})
	}
	p.pos++
	if len(set) == 0 {
		p.fail(open, "an empty character class")
	}
	set = set.normal()
	if negated {
		set = set.complement()
	}
	return set
}

// char reads one character of a literal or a class.
func (p *parser) char() rune {
	at := p.pos
	if p.pos == len(p.src) {
		p.fail(at, "the grammar ends within a text or a character class")
	}
	r, size := utf8.DecodeRuneInString(p.src[p.pos:])
	p.pos += size
	if r != '\\' {
		return r
	}
	c := p.peek()
	p.pos++
	switch c {
	case 'x':
		return p.hex(at, 2)
	case 'u':
		return p.hex(at, 4)
	case 'U':
		return p.hex(at, 8)
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case 'n':
		return '\n'
	case '\\', '"', '[', ']', '-':
		return rune(c)
	}
	p.fail(at, "unknown escape; there are \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\xHH \\uHHHH and \\UHHHHHHHH")
	return 0
}

func (p *parser) hex(at, digits int) rune {
	var r int64
	for range digits {
		c := p.peek()
		switch {
		case isDigit(c):
			r = r<<4 | int64(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | int64(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | int64(c-'A'+10)
		default:
			p.fail(at, "the escape wants %d hexadecimal digits", digits)
		}
		p.pos++
	}
	if r > utf8.MaxRune {
		p.fail(at, "U+%X is beyond the last character, U+10FFFF", r)
	}
	return rune(r)
}
