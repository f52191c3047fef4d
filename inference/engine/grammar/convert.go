package grammar

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// FromSchema returns a GBNF grammar for values of a JSON Schema. Every text of
// the grammar is JSON that satisfies the schema; what the grammar leaves out
// is listed in the package comment. A schema that cannot be enforced as it
// stands is an [*UnsupportedError], one that makes no sense an
// [*InvalidError].
func FromSchema(raw json.RawMessage) (gbnf string, err error) {
	document, err := decode(raw)
	if err != nil {
		return "", err
	}
	r := &reader{document: document, byPath: map[string]*schema{}}
	root, err := r.read(document, "#")
	if err != nil {
		return "", err
	}
	c := newConverter()
	top, err := c.build(root)
	if err != nil {
		return "", err
	}
	e := &emitter{writer: newWriter(), rules: map[*node]string{}}
	if gbnf, err = e.emit(top); err != nil {
		return "", err
	}
	if _, err := Parse(gbnf); err != nil {
		return "", unsupported("", "#", "its grammar cannot be used: %v", err)
	}
	return gbnf, nil
}

// An emitter writes the rules of nodes. Its methods, and those of its writer,
// panic with an emitError, which emit recovers.
type emitter struct {
	*writer
	rules map[*node]string
}

func (e *emitter) emit(top *node) (gbnf string, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case emitError:
			err = r.error
		default:
			panic(r)
		}
	}()
	if item := e.node(top, "root"); item != "root" {
		e.define("root", item) // which has a name of its own
	}
	e.names = append([]string{"root"}, slices.DeleteFunc(e.names, func(name string) bool { return name == "root" })...)
	return e.String(), nil
}

// node returns the name of the rule of n, or a literal: one item that can
// stand in a sequence and be repeated.
func (e *emitter) node(n *node, hint string) string {
	if name, ok := e.rules[n]; ok {
		return name
	}
	var shapes []*shape
	for _, o := range n.alts {
		for _, s := range o.shapes {
			if s.isFinite() {
				shapes = append(shapes, s)
			}
		}
	}
	if isAny(n) {
		e.rules[n] = e.builtin("value")
		return e.rules[n]
	}
	if len(shapes) == 1 {
		if name, ok := e.plain(shapes[0], hint); ok {
			e.rules[n] = name
			return name
		}
		if v := shapes[0].values; len(v) == 1 && typeOf(v[0])&(tArray|tObject) == 0 {
			e.rules[n] = e.value(v[0])
			return e.rules[n]
		}
	}
	name := ""
	if slices.ContainsFunc(shapes, func(s *shape) bool { return s.typ&(tArray|tObject) != 0 && !s.isPlain() }) {
		name = e.reserve(hint) // it may contain itself
		e.rules[n] = name
	}
	var alts []string
	seen := map[string]bool{}
	for _, s := range shapes {
		body := ""
		if plain, ok := e.plain(s, hint); ok {
			body = plain
		} else if s.values != nil {
			body = e.values(s)
		} else if s.typ == tArray {
			body = e.array(s, hint)
		} else {
			body = e.object(s, hint)
		}
		if !seen[body] {
			seen[body] = true
			alts = append(alts, body)
		}
	}
	if name == "" {
		e.rules[n] = e.rule(hint, either(alts))
		return e.rules[n]
	}
	e.define(name, either(alts))
	return name
}

// isAny reports whether nothing is said about the values of n.
func isAny(n *node) bool {
	if len(n.alts) != 1 || len(n.alts[0].shapes) != 6 || n.alts[0].loose != 0 {
		return false
	}
	for _, s := range n.alts[0].shapes {
		if !s.isPlain() {
			return false
		}
	}
	return true
}

// isPlain reports whether s is all values of its type.
func (s *shape) isPlain() bool {
	switch {
	case s.values != nil:
		return false
	case s.typ == tArray:
		return s.minItems == 0 && s.maxItems < 0 && len(s.prefix) == 0 && len(s.rest.schemas) == 0
	case s.typ == tObject:
		return len(s.members) == 0 && s.extra != nil && len(s.extra.schemas) == 0
	case s.typ == tString:
		return s.minLength == 0 && s.maxLength < 0 && s.format == "" && s.pattern == nil
	case s.typ&tNumber != 0:
		return s.typ == tNumber && s.min == nil && s.max == nil
	}
	return true
}

// plain returns the name of a rule for a shape without parts of its own.
func (e *emitter) plain(s *shape, hint string) (string, bool) {
	switch {
	case s.values != nil:
		return "", false
	case s.typ == tNull:
		return e.builtin("null"), true
	case s.typ == tBoolean:
		return e.builtin("boolean"), true
	case s.typ&tNumber != 0:
		return e.numbers(s), true
	case s.typ == tString:
		return e.string(s), true
	case s.typ == tArray && s.isPlain():
		return e.builtin("array"), true
	case s.typ == tObject && s.isPlain():
		return e.builtin("object"), true
	}
	return "", false
}

func (e *emitter) values(s *shape) string {
	var alts []string
	for _, v := range s.values {
		alts = append(alts, e.value(v))
	}
	return either(alts)
}

// value writes one JSON value, with the spaces that any other may have.
func (e *emitter) value(v any) string {
	switch v := v.(type) {
	case nil:
		return quote("null")
	case bool:
		return quote(fmt.Sprint(v))
	case json.Number:
		return quote(string(v))
	case string:
		return quote(quoteJSON(v))
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = e.value(item)
		}
		return e.brackets("[", "]", strings.Join(items, " "+e.builtin("comma")+" "))
	}
	obj := v.(*object)
	items := make([]string, len(obj.keys))
	for i, k := range obj.keys {
		items[i] = e.key(k) + " " + e.value(obj.values[k])
	}
	return e.brackets("{", "}", strings.Join(items, " "+e.builtin("comma")+" "))
}

func (e *emitter) brackets(open, end, inner string) string {
	br := e.builtin("break")
	if inner == "" {
		return quote(open) + " " + br + " " + quote(end)
	}
	return quote(open) + " " + br + " " + inner + " " + br + " " + quote(end)
}

// key writes the name of a property and its colon.
func (e *emitter) key(name string) string {
	return quote(quoteJSON(name)+":") + " " + e.builtin("space")
}

// array writes a list: the items that must be there, then those that may.
func (e *emitter) array(s *shape, hint string) string {
	prefix, rest, most := s.prefix, s.rest, s.maxItems
	for i, p := range prefix {
		if !p.finite {
			e.optional(p)
			prefix, rest = prefix[:i], nil
			break
		}
	}
	if rest != nil && !rest.finite {
		e.optional(rest)
		rest = nil
	}
	if most >= 0 && most <= len(prefix) {
		prefix, rest = prefix[:most], nil
	}
	if len(prefix) == 0 && rest == nil {
		return e.brackets("[", "]", "")
	}
	comma, br := e.builtin("comma"), e.builtin("break")

	// tail is what may follow the items so far, with its comma.
	tail := ""
	if rest != nil {
		item := e.node(rest, hint+"-item")
		lo, hi := max(0, s.minItems-len(prefix)), -1
		if most >= 0 {
			hi = most - len(prefix)
		}
		if len(prefix) == 0 {
			items := item
			switch more := e.rule(hint+"-more", comma+" "+item); {
			case hi < 0:
				items += " " + e.repeat(more, max(0, lo-1), -1)
			case hi > 1:
				items += " " + e.repeat(more, max(0, lo-1), hi-1)
			}
			if lo == 0 {
				return `"[" ` + br + " (" + items + " " + br + `)? "]"`
			}
			return `"[" ` + br + " " + items + " " + br + ` "]"`
		}
		if hi != 0 {
			tail = " " + e.repeat(e.rule(hint+"-more", comma+" "+item), lo, hi)
		}
	}
	for i := len(prefix) - 1; i > 0; i-- {
		item := comma + " " + e.node(prefix[i], fmt.Sprintf("%s-%d", hint, i+1)) + tail
		if i < s.minItems {
			tail = " " + item
		} else {
			tail = " " + e.rule(hint+"-tail", item) + "?"
		}
	}
	items := e.node(prefix[0], hint+"-1") + tail
	if s.minItems == 0 {
		return `"[" ` + br + " (" + items + " " + br + `)? "]"`
	}
	return `"[" ` + br + " " + items + " " + br + ` "]"`
}

// optional refuses a place that may be left out and that no value fits, unless
// the schema says so with false: more likely it is a mistake.
func (e *emitter) optional(n *node) {
	if !n.never {
		panic(emitError{n.impossible()})
	}
}

// object writes an object. Its members come in the order of the schema, then
// those that the schema does not name.
//
// After the first member, each further one is a comma and itself, and may be
// missing if it is optional. As long as no member is required the first one
// can be any, so the rests after each become rules, one longer than the next.
func (e *emitter) object(s *shape, hint string) string {
	var members []member
	for _, m := range s.members {
		if !m.node.finite {
			e.optional(m.node)
			continue
		}
		members = append(members, m)
	}
	if len(members) == 0 && s.extra == nil {
		return e.brackets("{", "}", "")
	}
	comma := e.builtin("comma")
	texts := make([]string, len(members))
	first := len(members) // the first required member
	for i, m := range members {
		if m.required {
			first = min(first, i)
		}
		texts[i] = e.key(m.name) + " " + e.node(m.node, hint+"-"+slug(m.name))
	}
	extra := ""
	if s.extra != nil {
		if !s.extra.finite {
			e.optional(s.extra)
		} else {
			extra = e.rule(hint+"-other", e.otherKey(s, hint)+" "+e.builtin("colon")+" "+e.node(s.extra, hint+"-value"))
		}
	}
	follow := ""
	if extra != "" {
		follow = " " + e.repeat(e.rule(hint+"-others", comma+" "+extra), 0, -1)
	}
	for i := len(members) - 1; i > first; i-- {
		if members[i].required {
			follow = " " + comma + " " + texts[i] + follow
		} else {
			follow = " (" + comma + " " + texts[i] + ")?" + follow
		}
	}
	br := e.builtin("break")
	if first == 0 && len(members) > 0 {
		return `"{" ` + br + " " + texts[0] + follow + " " + br + ` "}"`
	}
	var starts []string
	if first < len(members) {
		starts = append(starts, texts[first]+follow)
		follow = " " + e.rule(hint+"-rest", strings.TrimSpace(comma+" "+texts[first]+follow))
	} else if extra != "" {
		starts = append(starts, extra+follow)
	}
	for i := first - 1; i >= 0; i-- {
		starts = append([]string{texts[i] + follow}, starts...)
		if i > 0 {
			follow = " " + e.rule(hint+"-rest", strings.TrimSpace("("+comma+" "+texts[i]+")?"+follow))
		}
	}
	if len(starts) == 0 {
		return e.brackets("{", "}", "")
	}
	start := starts[0]
	if len(starts) > 1 {
		start = e.rule(hint+"-first", either(starts))
	}
	if first < len(members) {
		return `"{" ` + br + " " + start + " " + br + ` "}"`
	}
	return `"{" ` + br + " (" + start + " " + br + `)? "}"`
}

// otherKey writes the names that no member has: a walk down the tree of those
// names that leaves it somewhere.
func (e *emitter) otherKey(s *shape, hint string) string {
	if len(s.members) == 0 {
		return e.rule("key", `"\"" `+e.builtin("key-char")+`* "\""`)
	}
	tree := &keyTree{}
	for _, m := range s.members {
		tree.add(m.name)
	}
	return e.rule(hint+"-key", `"\"" `+e.keyRest(tree, hint)+` "\""`)
}

// A keyTree is a tree of names by their characters.
type keyTree struct {
	end   bool // a name ends here
	next  map[rune]*keyTree
	order []rune
}

func (t *keyTree) add(name string) {
	for _, r := range name {
		if t.next == nil {
			t.next = map[rune]*keyTree{}
		}
		if t.next[r] == nil {
			t.next[r] = &keyTree{}
			t.order = append(t.order, r)
		}
		t = t.next[r]
	}
	t.end = true
}

// keyRest returns a rule for what may follow the characters on the way to t.
func (e *emitter) keyRest(t *keyTree, hint string) string {
	any := e.builtin("key-char") + "*"
	if len(t.order) == 0 {
		return e.rule("key-more", e.builtin("key-char")+"+")
	}
	var alts []string
	if !t.end {
		alts = append(alts, `""`)
	}
	var taken runeSet
	for _, r := range t.order {
		alts = append(alts, quote(quoteRune(r))+" "+e.keyRest(t.next[r], hint))
		taken = append(taken, runeRange{r, r})
	}
	free := keyRunes.intersect(taken.normal().complement())
	for _, single := range e.spellings(free) {
		alts = append(alts, single+" "+any)
	}
	return e.rule(hint+"-key-rest", either(alts))
}

// keyRunes are the characters of key-char.
var keyRunes = runeSet{{'\b', '\n'}, {'\f', '\r'}, {' ', 0xD7FF}, {0xE000, 0x10FFFF}}

// slug returns the letters and digits of a name, for the name of a rule.
func slug(name string) string {
	var b strings.Builder
	for i := 0; i < len(name) && b.Len() < 24; i++ {
		switch c := name[i]; {
		case isNameByte(c) && c != '-':
			b.WriteByte(c)
		case c < 0x80 && b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "property"
}
