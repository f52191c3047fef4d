package grammar

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A node is what may stand in one place of the answer: any of its shapes.
// Places with the same schemas share a node, which is how recursion ends.
type node struct {
	path    string // of the first schema, for errors and names
	schemas []*schema
	never   bool // the schema false is a part of every alternative
	alts    []*option
	why     error // why an alternative has no shape
	users   []*node
	finite  bool // some value is finite
}

// An option is one alternative of a node, merged.
type option struct {
	picks  []pick
	shapes []*shape
	loose  typeSet // types that the schema allows, strictly, but that are not generated
}

// A shape is a set of values of one type, or a list of values.
type shape struct {
	typ    typeSet // one type; tInteger, tFraction or both for numbers
	values []any   // not nil: exactly these, and typ is 0

	min, max *bound // numbers

	minLength, maxLength int // strings, in characters; maxLength -1: no bound
	format               string
	pattern              *pattern

	minItems, maxItems int // arrays; maxItems -1: no bound
	prefix             []*node
	rest               *node // nil: no items after prefix

	members []member // objects
	byName  map[string]*member
	extra   *node // nil: no other members are generated

	// open says that a missing rest or extra is our choice: the schema would
	// allow anything.
	open bool
}

type member struct {
	name     string
	node     *node
	required bool
}

// A converter builds the nodes of a schema.
type converter struct {
	expander expander
	nodes    map[string]*node
	todo     []*node
	built    []*node
	work     int
}

func newConverter() *converter {
	c := &converter{nodes: map[string]*node{}}
	c.expander = expander{known: map[*schema][]alternative{}, open: map[*schema]bool{}, work: &c.work}
	return c
}

func (c *converter) spend(n int, path string) error {
	if c.work += n; c.work > maxWork {
		return tooMuch(path)
	}
	return nil
}

// node returns the node for values that satisfy all of schemas; of none, any
// value does.
func (c *converter) node(path string, schemas ...*schema) *node {
	ids := make([]int, 0, len(schemas))
	for _, s := range schemas {
		ids = append(ids, s.id)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var key strings.Builder
	for _, id := range ids {
		key.WriteString(strconv.Itoa(id))
		key.WriteByte(' ')
	}
	n, ok := c.nodes[key.String()]
	if !ok {
		n = &node{path: path, schemas: join(nil, schemas)}
		c.nodes[key.String()] = n
		c.todo = append(c.todo, n)
	}
	return n
}

// build makes the node of a root schema and every node under it.
func (c *converter) build(root *schema) (*node, error) {
	top := c.node("#", root)
	for len(c.todo) > 0 {
		n := c.todo[0]
		c.todo = c.todo[1:]
		if err := c.fill(n); err != nil {
			return nil, err
		}
		c.built = append(c.built, n)
	}
	c.findFinite()
	if !top.finite {
		return nil, top.impossible()
	}
	return top, c.checkChoices()
}

// fill gives n its shapes.
func (c *converter) fill(n *node) error {
	alts := []alternative{{}}
	for _, s := range n.schemas {
		more, err := c.expander.expand(s)
		if err != nil {
			return err
		}
		if alts, err = c.expander.product(alts, more, n.path); err != nil {
			return err
		}
	}
	n.never = len(alts) > 0
	for _, a := range alts {
		n.never = n.never && slices.ContainsFunc(a.parts, func(p *schema) bool { return p.never })
		o, err := c.merge(n, a)
		if _, ok := errors.AsType[*conflict](err); ok {
			n.why = err
		} else if err != nil {
			return err
		}
		o.picks = a.picks
		n.alts = append(n.alts, o)
		for _, s := range o.shapes {
			s.eachNode(func(child *node) { child.users = append(child.users, n) })
		}
	}
	return nil
}

func (s *shape) eachNode(f func(*node)) {
	for _, p := range s.prefix {
		f(p)
	}
	if s.rest != nil {
		f(s.rest)
	}
	for _, m := range s.members {
		f(m.node)
	}
	if s.extra != nil {
		f(s.extra)
	}
}

// A conflict says that constraints of one alternative exclude each other. It
// becomes an InvalidError where a value is needed.
type conflict struct{ InvalidError }

func conflicting(keyword, path, message string) error {
	return &conflict{InvalidError{keyword, clipPath(path), message}}
}

// impossible returns the error for a place where a value is needed and none
// can be.
func (n *node) impossible() error {
	if c, ok := errors.AsType[*conflict](n.why); ok {
		return &c.InvalidError
	}
	if n.never {
		return invalid("", n.path, "the schema false allows no value here, and one is needed")
	}
	return invalid("", n.path, "every value would have to contain another of the same kind, without end")
}

// findFinite finds the nodes that have a finite value.
func (c *converter) findFinite() {
	todo := slices.Clone(c.built)
	slices.Reverse(todo)
	for len(todo) > 0 {
		n := todo[0]
		todo = todo[1:]
		if n.finite || !slices.ContainsFunc(n.alts, func(o *option) bool { return slices.ContainsFunc(o.shapes, (*shape).isFinite) }) {
			continue
		}
		n.finite = true
		todo = append(todo, n.users...)
	}
}

func (s *shape) isFinite() bool {
	for i := range s.minItems {
		switch {
		case i < len(s.prefix):
			if !s.prefix[i].finite {
				return false
			}
		default:
			return s.rest != nil && s.rest.finite
		}
	}
	return !slices.ContainsFunc(s.members, func(m member) bool { return m.required && !m.node.finite })
}

// merge turns an alternative into an option. The option is valid, and has no
// shapes, when the error is a conflict.
func (c *converter) merge(n *node, a alternative) (*option, error) {
	o := &option{}
	types, about, said, whole := tAny, typeSet(0), false, false
	var values []any
	listed := false
	for _, p := range a.parts {
		if err := c.spend(1+len(p.properties)+len(p.required)+len(p.values)*max(1, len(values)), n.path); err != nil {
			return nil, err
		}
		if p.never {
			return o, conflicting("", p.path, "the schema false allows no value here, and one is needed")
		}
		if p.types != 0 {
			types, said = types&p.types, true
		}
		about |= p.about
		whole = whole || p.whole
		if p.listed {
			if listed {
				values = slices.DeleteFunc(slices.Clone(values), func(v any) bool {
					return !slices.ContainsFunc(p.values, func(w any) bool { return equalJSON(v, w) })
				})
			} else {
				values, listed = p.values, true
			}
		}
	}
	if whole {
		types &^= tFraction
	}
	if listed {
		return o, c.mergeValues(n, o, a.parts, values, types)
	}
	if !said && about != 0 {
		o.loose = types &^ about
		types &= about
	}
	for _, t := range []typeSet{tObject, tArray, tString, tNumber, tBoolean, tNull} {
		if types&t == 0 {
			continue
		}
		s, err := c.mergeType(types&t, a.parts, n)
		if err != nil {
			if _, ok := errors.AsType[*conflict](err); ok {
				n.why = err
				continue
			}
			return nil, err
		}
		o.shapes = append(o.shapes, s)
	}
	if len(o.shapes) == 0 && n.why == nil {
		return o, conflicting("type", n.path, "no type satisfies all the schemas that apply here")
	}
	return o, nil
}

// mergeType returns the shape of one type.
func (c *converter) mergeType(t typeSet, parts []*schema, n *node) (*shape, error) {
	s := &shape{typ: t, maxLength: -1, maxItems: -1}
	switch {
	case t&tNumber != 0:
		return s, s.mergeNumber(parts, n)
	case t == tString:
		return s, s.mergeString(parts, n)
	case t == tArray:
		return s, c.mergeArray(s, parts, n)
	case t == tObject:
		return s, c.mergeObject(s, parts, n)
	}
	return s, nil
}

// mergeValues keeps the values of an enum that the other constraints allow.
func (c *converter) mergeValues(n *node, o *option, parts []*schema, values []any, types typeSet) error {
	s := &shape{values: []any{}}
	texts := map[string]bool{} // the strings among them
	for _, v := range values {
		t := typeOf(v)
		if t&types == 0 {
			continue
		}
		if text, ok := v.(string); ok {
			if texts[text] {
				continue
			}
			texts[text] = true
		} else {
			if err := c.spend(len(s.values), n.path); err != nil {
				return err
			}
			if slices.ContainsFunc(s.values, func(w any) bool { return equalJSON(v, w) }) {
				continue
			}
		}
		for _, p := range parts {
			if p.about&t == 0 || t&(tNumber|tString) != 0 && p.format == "" && p.pattern == nil {
				continue
			}
			return unsupported("enum", p.path, "next to other constraints on values of the same type; list only the values that satisfy them")
		}
		switch v := v.(type) {
		case json.Number:
			num := &shape{typ: tNumber}
			if num.mergeNumber(parts, n) != nil || num.outside(v) {
				continue
			}
		case string:
			if count := utf8.RuneCountInString(v); slices.ContainsFunc(parts, func(p *schema) bool {
				return count < p.minLength || p.maxLength >= 0 && count > p.maxLength
			}) {
				continue
			}
		}
		s.values = append(s.values, v)
	}
	if len(s.values) == 0 {
		return conflicting("enum", n.path, "no listed value satisfies all the schemas that apply here")
	}
	o.shapes = []*shape{s}
	return nil
}

// outside reports whether v is out of the bounds, or so long that this is not
// known.
func (s *shape) outside(v json.Number) bool {
	d, err := parseDecimal(v)
	if err != nil {
		return s.min != nil || s.max != nil
	}
	return s.min != nil && (d.cmp(s.min.decimal) < 0 || s.min.exclusive && d.cmp(s.min.decimal) == 0) ||
		s.max != nil && (d.cmp(s.max.decimal) > 0 || s.max.exclusive && d.cmp(s.max.decimal) == 0)
}

func (s *shape) mergeNumber(parts []*schema, n *node) error {
	for _, p := range parts {
		s.min, s.max = stricter(s.min, p.min, 1), stricter(s.max, p.max, -1)
	}
	if s.typ == tInteger {
		if s.min != nil {
			lo := s.min.ceil()
			if s.min.exclusive && s.min.isInteger() {
				lo = lo.next(1)
			}
			s.min = &bound{decimal: lo}
		}
		if s.max != nil {
			hi := s.max.floor()
			if s.max.exclusive && s.max.isInteger() {
				hi = hi.next(-1)
			}
			s.max = &bound{decimal: hi}
		}
	}
	if s.min != nil && s.max != nil {
		if c := s.min.cmp(s.max.decimal); c > 0 || c == 0 && (s.min.exclusive || s.max.exclusive) {
			return conflicting("minimum", n.path, "no number is within the bounds")
		}
	}
	return nil
}

func (s *shape) mergeString(parts []*schema, n *node) error {
	for _, p := range parts {
		s.minLength = max(s.minLength, p.minLength)
		s.maxLength = tighter(s.maxLength, p.maxLength)
		if p.format != "" && p.format != s.format {
			if s.format != "" {
				return unsupported("format", p.path, "next to another format")
			}
			s.format = p.format
		}
		if p.pattern != nil {
			if s.pattern != nil && s.pattern.text != p.pattern.text {
				return unsupported("pattern", p.path, "next to another pattern; write one that says both")
			}
			s.pattern = p.pattern
		}
	}
	if s.maxLength >= 0 && s.minLength > s.maxLength {
		return conflicting("minLength", n.path, "minLength is above maxLength")
	}
	switch {
	case s.format != "" && s.pattern != nil:
		return unsupported("pattern", n.path, "next to format; write one pattern that says both")
	case s.format != "":
		f := formats[s.format]
		if f.min < s.minLength || s.maxLength >= 0 && f.max > s.maxLength {
			return unsupported("format", n.path, "next to minLength or maxLength that are not sure to hold: %s has %d to %d characters", s.format, f.min, f.max)
		}
	case s.pattern != nil:
		p, err := s.pattern.within(s.minLength, s.maxLength, n.path)
		s.pattern = p
		return err
	}
	return nil
}

// tighter returns the smaller of two upper bounds, where -1 is none.
func tighter(a, b int) int {
	if a < 0 || b < 0 {
		return max(a, b)
	}
	return min(a, b)
}

func (c *converter) mergeArray(s *shape, parts []*schema, n *node) error {
	said := false
	prefix := 0
	for _, p := range parts {
		s.minItems = max(s.minItems, p.minItems)
		s.maxItems = tighter(s.maxItems, p.maxItems)
		prefix = max(prefix, len(p.prefix))
		said = said || p.items != nil
	}
	if s.maxItems >= 0 && s.minItems > s.maxItems {
		return conflicting("minItems", n.path, "minItems is above maxItems")
	}
	at := func(i int) *node {
		var schemas []*schema
		for _, p := range parts {
			switch {
			case i < len(p.prefix):
				schemas = append(schemas, p.prefix[i])
			case p.items != nil:
				schemas = append(schemas, p.items)
			}
		}
		return c.node(placeOf(schemas, n.path), schemas...)
	}
	for i := range prefix {
		if err := c.spend(len(parts), n.path); err != nil {
			return err
		}
		s.prefix = append(s.prefix, at(i))
	}
	if said || prefix == 0 || s.minItems > prefix {
		s.rest = at(prefix)
	} else {
		s.open = true
	}
	return nil
}

// placeOf returns the path of the first of schemas, or that of their parent.
func placeOf(schemas []*schema, parent string) string {
	if len(schemas) > 0 {
		return schemas[0].path
	}
	return parent
}

func (c *converter) mergeObject(s *shape, parts []*schema, n *node) error {
	s.byName = map[string]*member{}
	var names []string
	add := func(name string) {
		if s.byName[name] == nil {
			s.byName[name] = &member{}
			names = append(names, name)
		}
	}
	var extras []*schema
	described := false
	for _, p := range parts {
		described = described || p.byName != nil
		for _, prop := range p.properties {
			add(prop.name)
		}
		if p.extra != nil {
			extras = append(extras, p.extra)
		}
	}
	if extras != nil || !described {
		s.extra = c.node(placeOf(extras, n.path), extras...)
	} else {
		s.open = true
	}
	required := map[string]bool{}
	for _, p := range parts {
		for _, name := range p.required {
			required[name] = true
			if s.byName[name] == nil {
				if s.extra == nil {
					return invalid("required", p.path, "it names the property %q, which properties does not describe", clip(name))
				}
				add(name)
			}
		}
	}
	for _, name := range names {
		if err := c.spend(len(parts), n.path); err != nil {
			return err
		}
		var schemas []*schema
		for _, p := range parts {
			if prop := p.byName[name]; prop != nil {
				schemas = append(schemas, prop)
			} else if p.extra != nil {
				schemas = append(schemas, p.extra)
			}
		}
		s.members = append(s.members, member{name, c.node(placeOf(schemas, n.path), schemas...), required[name]})
	}
	for i := range s.members {
		s.byName[s.members[i].name] = &s.members[i]
	}
	return nil
}
