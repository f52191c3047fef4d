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

// brackets writes an object or a list around its contents, which may be
// nothing.
func (e *emitter) brackets(open, end, inner string) string {
	br := e.builtin("break")
	if inner == "" {
		return quote(open) + " " + br + " " + quote(end)
	}
	return quote(open) + " " + br + " " + inner + " " + br + " " + quote(end)
}

// optionalBrackets is like brackets, where the contents may be left out.
func (e *emitter) optionalBrackets(open, end, inner string) string {
	br := e.builtin("break")
	return quote(open) + " " + br + " (" + inner + " " + br + ")? " + quote(end)
}

// optional refuses a place that may be left out and that no value fits, unless
// the schema says so with false: more likely it is a mistake.
func (e *emitter) optional(n *node) {
	if !n.never {
		panic(emitError{n.impossible()})
	}
}
