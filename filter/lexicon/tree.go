package lexicon

import (
	"fmt"
	"slices"
	"strings"

	"bendi/internal/spelling"
)

// A node is a piece of a document, wherever it was written: YAML and JSON both
// become nodes, and the lexicon is read from those.
type node struct {
	kind kind
	place
	text string // of a text, a number or a truth value
	*children
}

// The children of a list are items; those of a mapping have keys, one each.
type children struct {
	keys  []node
	items []node
}

type kind uint8

const (
	noValue kind = iota
	aText
	aNumber
	aTruth
	aList
	aMapping
	aThing
)

var kindNames = [...]string{"nothing", "a text", "a number", "a truth value", "a list", "a mapping", "something else"}

func (k kind) String() string { return kindNames[k] }

// entries calls f for each entry of a mapping whose key is known, and tells the
// faults of the others.
func (r *reader) entries(n node, key string, known []string, f func(name, key string, value node)) {
	if n.kind != aMapping {
		r.fault(n.place, key, "want a mapping, have %s", n.kind)
		return
	}
	lines := map[string]int32{}
	for i, k := range n.keys {
		name, full := k.text, join(key, k.text)
		if k.kind != aText && k.kind != aNumber && k.kind != aTruth {
			r.fault(k.place, key, "want the name of a key, have %s", k.kind)
			continue
		}
		if line, twice := lines[name]; twice {
			r.fault(k.place, full, "is there twice, the first time on line %d", line)
			continue
		}
		lines[name] = k.line
		if known != nil && !slices.Contains(known, name) {
			if near := spelling.Nearest(name, known); near != "" {
				r.fault(k.place, full, "unknown key; did you mean %s?", near)
			} else {
				r.fault(k.place, full, "unknown key; known here: %s", strings.Join(known, ", "))
			}
			continue
		}
		value := n.items[i]
		if value.kind == noValue {
			value.place = k.place
		}
		f(name, full, value)
	}
}

// join appends name to the path of a key. A name that could be a word or reads
// like several is not shown in full.
func join(key, name string) string {
	if !isName(name) {
		name = fmt.Sprintf("(a key of %d bytes)", len(name))
	}
	if key == "" {
		return name
	}
	return key + "." + name
}

// isName reports whether name can be that of a lexicon or a category, which
// stand in headers, metrics and logs.
func isName(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return name != "" && len(name) <= 64
}
