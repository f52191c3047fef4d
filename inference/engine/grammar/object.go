package grammar

import (
	"slices"
	"strings"
)

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
	texts := make([]string, len(members))
	first := len(members) // the first required member
	for i, m := range members {
		if m.required {
			first = min(first, i)
		}
		texts[i] = e.key(m.name) + " " + e.node(m.node, hint+"-"+slug(m.name))
	}
	other := e.other(s, hint)
	if len(members) == 0 && other == "" {
		return e.brackets("{", "}", "")
	}

	comma := e.builtin("comma")
	follow := "" // what may come after the members from i up, with its comma
	if other != "" {
		follow = " " + e.rule(hint+"-others", comma+" "+other) + "*"
	}
	for i := len(members) - 1; i > first; i-- {
		if members[i].required {
			follow = " " + comma + " " + texts[i] + follow
		} else {
			follow = " (" + comma + " " + texts[i] + ")?" + follow
		}
	}
	var starts []string
	switch {
	case first == 0 && len(members) > 0:
		return e.brackets("{", "}", texts[0]+follow)
	case first < len(members):
		starts = append(starts, texts[first]+follow)
		follow = " " + e.rule(hint+"-rest", comma+" "+texts[first]+follow)
	case other != "":
		starts = append(starts, other+follow)
	}
	for i := first - 1; i >= 0; i-- {
		starts = append(starts, texts[i]+follow)
		if i > 0 {
			follow = " " + e.rule(hint+"-rest", "("+comma+" "+texts[i]+")?"+follow)
		}
	}
	slices.Reverse(starts)
	start := starts[0]
	if len(starts) > 1 {
		start = e.rule(hint+"-first", either(starts))
	}
	if first < len(members) {
		return e.brackets("{", "}", start)
	}
	return e.optionalBrackets("{", "}", start)
}

// key writes the name of a property and its colon.
func (e *emitter) key(name string) string {
	return quote(quoteJSON(name)+":") + " " + e.builtin("space")
}

// other returns a rule for a member that the schema does not name, "" where
// there is none.
func (e *emitter) other(s *shape, hint string) string {
	switch {
	case s.extra == nil:
		return ""
	case !s.extra.finite:
		e.optional(s.extra)
		return ""
	}
	return e.rule(hint+"-other", e.otherKey(s, hint)+" "+e.builtin("colon")+" "+e.node(s.extra, hint+"-value"))
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
