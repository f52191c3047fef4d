package grammar

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// A writer collects the rules of a grammar. A body that was already written
// keeps its name, so equal parts of a schema are one rule.
type writer struct {
	names  []string // in order of first mention
	bodies map[string]string
	byBody map[string]string
	copies map[string]int // names given for a hint
	size   int
}

func newWriter() *writer {
	return &writer{bodies: map[string]string{}, byBody: map[string]string{}, copies: map[string]int{}}
}

// An emitError carries an error out of the writing of a grammar.
type emitError struct{ error }

// maxHint is how long the name of a rule may be before its number: names of
// nested properties would otherwise take more room than the rules.
const maxHint = 48

// reserve returns a name for a rule whose body comes later.
func (w *writer) reserve(hint string) string {
	if len(hint) > maxHint {
		hint = strings.TrimRight(hint[:maxHint], "-")
	}
	name := hint
	for {
		w.copies[hint]++
		if n := w.copies[hint]; n > 1 {
			name = hint + "-" + strconv.Itoa(n)
		}
		_, taken := w.bodies[name]
		if _, known := builtins[name]; !known && !taken {
			break
		}
	}
	w.announce(name)
	return name
}

func (w *writer) announce(name string) {
	w.names = append(w.names, name)
	w.bodies[name] = ""
}

// define gives a reserved rule its body.
func (w *writer) define(name, body string) {
	if w.size += len(name) + len(body) + len(" ::= \n"); w.size > maxGrammarBytes {
		panic(emitError{unsupported("", "#", "its grammar has more than %d bytes; use fewer properties or shorter lists of values", maxGrammarBytes)})
	}
	w.bodies[name] = body
	if _, ok := w.byBody[body]; !ok {
		w.byBody[body] = name
	}
}

// rule returns the name of a rule with that body, a new one if there is none.
func (w *writer) rule(hint, body string) string {
	if name, ok := w.byBody[body]; ok {
		return name
	}
	name := w.reserve(hint)
	w.define(name, body)
	return name
}

// builtin returns the name of one of the rules that every grammar has the same
// way, with those that it needs.
func (w *writer) builtin(name string) string {
	if _, ok := w.bodies[name]; ok {
		return name
	}
	b, ok := builtins[name]
	if !ok {
		panic("grammar: no rule " + name)
	}
	w.announce(name)
	w.define(name, b.body)
	for needs := range strings.FieldsSeq(b.needs) {
		w.builtin(needs)
	}
	return name
}

func (w *writer) String() string {
	var b strings.Builder
	for _, name := range w.names {
		fmt.Fprintf(&b, "%s ::= %s\n", name, w.bodies[name])
	}
	return b.String()
}

// repeat returns the item, which is one rule, character or class, repeated
// from lo to hi times; hi is -1 for no bound. Long repetitions are made of
// blocks, because llama.cpp makes a rule of each optional item.
func (w *writer) repeat(item string, lo, hi int) string {
	switch {
	case hi == 0:
		return `""`
	case lo == 0 && hi < 0:
		return item + "*"
	case lo == 1 && hi < 0:
		return item + "+"
	case lo == 0 && hi == 1:
		return item + "?"
	case lo == 1 && hi == 1:
		return item
	case hi < 0 && lo <= chunk:
		return fmt.Sprintf("%s{%d,}", item, lo)
	case hi < 0:
		return w.repeat(item, lo, lo) + " " + item + "*"
	case lo == hi && lo <= chunk:
		return fmt.Sprintf("%s{%d}", item, lo)
	case lo == hi:
		size := root(lo)
		block := w.rule("block", w.repeat(item, size, size))
		out := w.repeat(block, lo/size, lo/size)
		if lo%size > 0 {
			out += " " + w.repeat(item, lo%size, lo%size)
		}
		return out
	case hi <= chunk:
		return fmt.Sprintf("%s{%d,%d}", item, lo, hi)
	case lo > 0:
		return w.repeat(item, lo, lo) + " " + w.repeat(item, 0, hi-lo)
	}
	// Up to n blocks, then up to size+rest items: every number from 0 to
	// (n+1)*size+rest, which is hi.
	size := root(hi)
	block := w.rule("block", w.repeat(item, size, size))
	n, rest := hi/size-1, hi%size
	return w.repeat(block, 0, n) + " " + w.repeat(item, 0, size+rest)
}

// root returns the whole number above the square root of n, at most.
func root(n int) int {
	r := 1
	for r*r < n {
		r++
	}
	return r
}

// quote returns text as a GBNF literal.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			writeRune(&b, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// quoteSet returns a set as a GBNF character class.
func quoteSet(set runeSet) string {
	var b strings.Builder
	b.WriteByte('[')
	write := func(r rune) {
		switch {
		case r < 128 && (isNameByte(byte(r)) && r != '-' || strings.ContainsRune(" !#$%&'()*+,./:;<=>?@_`{|}~", r)):
			b.WriteRune(r)
		case r == '\\' || r == ']' || r == '[' || r == '-' || r == '"':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= 128:
			writeRune(&b, r)
		default:
			fmt.Fprintf(&b, `\x%02X`, r)
		}
	}
	for _, r := range set {
		write(r.lo)
		if r.hi > r.lo+1 {
			b.WriteByte('-')
		}
		if r.hi > r.lo {
			write(r.hi)
		}
	}
	b.WriteByte(']')
	return b.String()
}

func writeRune(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\t':
		b.WriteString(`\t`)
	case r == '\r':
		b.WriteString(`\r`)
	case r < 0x20 || r == 0x7F:
		fmt.Fprintf(b, `\x%02X`, r)
	case r < 128 || unicode.IsGraphic(r) && !unicode.IsMark(r) && !unicode.IsSpace(r):
		b.WriteRune(r)
	case r > 0xFFFF:
		fmt.Fprintf(b, `\U%08X`, r)
	default:
		fmt.Fprintf(b, `\u%04X`, r)
	}
}
