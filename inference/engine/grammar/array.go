package grammar

import "fmt"

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
	var items string
	switch {
	case len(prefix) > 0:
		items = e.tuple(prefix, rest, s, hint)
	case rest != nil:
		items = e.node(rest, hint+"-item")
		if most != 1 {
			items += " " + e.repeat(e.more(items, hint), max(0, s.minItems-1), max(-1, most-1))
		}
	default:
		return e.brackets("[", "]", "")
	}
	if s.minItems == 0 {
		return e.optionalBrackets("[", "]", items)
	}
	return e.brackets("[", "]", items)
}

// more returns a rule for one more item, with the comma before it.
func (e *emitter) more(item, hint string) string {
	return e.rule(hint+"-more", e.builtin("comma")+" "+item)
}

// tuple writes the items of a list that begins with items of their own.
func (e *emitter) tuple(prefix []*node, rest *node, s *shape, hint string) string {
	tail := "" // what may follow the items so far, with its comma
	if rest != nil {
		most := -1
		if s.maxItems >= 0 {
			most = s.maxItems - len(prefix)
		}
		tail = " " + e.repeat(e.more(e.node(rest, hint+"-item"), hint), max(0, s.minItems-len(prefix)), most)
	}
	for i := len(prefix) - 1; i > 0; i-- {
		item := e.builtin("comma") + " " + e.node(prefix[i], fmt.Sprintf("%s-%d", hint, i+1)) + tail
		if i < s.minItems {
			tail = " " + item
		} else {
			tail = " " + e.rule(hint+"-tail", item) + "?"
		}
	}
	return e.node(prefix[0], hint+"-1") + tail
}
