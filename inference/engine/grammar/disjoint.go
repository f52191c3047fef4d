package grammar

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// maxProof is how deep into two values a proof that they differ looks.
const maxProof = 6

// checkChoices proves for every oneOf that no generated value satisfies two of
// its branches, or reports that it cannot.
func (c *converter) checkChoices() error {
	for _, n := range c.built {
		if !slices.ContainsFunc(n.alts, func(o *option) bool {
			return slices.ContainsFunc(o.picks, func(p pick) bool { return p.choice.exactly })
		}) {
			continue
		}
		for i, a := range n.alts {
			for j, b := range n.alts {
				if i == j {
					continue
				}
				if err := c.spend(1+len(a.picks)*len(b.picks), n.path); err != nil {
					return err
				}
				k, ok := differs(a.picks, b.picks)
				if !ok {
					continue
				}
				for _, s := range a.shapes {
					apart, err := c.apartOption(s, b, 0)
					if err != nil {
						return err
					}
					if !apart {
						p, q := branchOf(a.picks, k), branchOf(b.picks, k)
						return unsupported("oneOf", k.path, "it is not certain that no value satisfies both branch %d and branch %d; use anyOf, or give each branch a required property with a const of its own", min(p, q), max(p, q))
					}
				}
			}
		}
	}
	return nil
}

// differs returns the oneOf in which two alternatives differ, if that is the
// only choice of those both have made in which they do.
func differs(a, b []pick) (*choice, bool) {
	var found *choice
	for _, p := range a {
		for _, q := range b {
			if p.choice != q.choice || p.branch == q.branch {
				continue
			}
			if found != nil || !p.choice.exactly {
				return nil, false
			}
			found = p.choice
		}
	}
	return found, found != nil
}

func branchOf(picks []pick, c *choice) int {
	for _, p := range picks {
		if p.choice == c {
			return p.branch
		}
	}
	return -1
}

// The functions below return true only when it is certain that no value that
// is generated for a satisfies the schema of b. They are not symmetric: what
// is generated for a is less than what its schema allows.

func (c *converter) apartNode(a, b *node, depth int) (bool, error) {
	if depth > maxProof {
		return false, nil
	}
	for _, x := range a.alts {
		for _, s := range x.shapes {
			for _, o := range b.alts {
				if apart, err := c.apartOption(s, o, depth); !apart || err != nil {
					return false, err
				}
			}
		}
	}
	return true, nil
}

func (c *converter) apartOption(a *shape, o *option, depth int) (bool, error) {
	if a.values != nil {
		for _, v := range a.values {
			if ok, err := c.excludesOption(o, v, depth); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	if o.loose&a.typ != 0 {
		return false, nil
	}
	for _, b := range o.shapes {
		if apart, err := c.apart(a, b, depth); !apart || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (c *converter) apart(a, b *shape, depth int) (bool, error) {
	if err := c.spend(1, "#"); err != nil {
		return false, err
	}
	switch {
	case b.values != nil:
		for _, v := range b.values {
			if ok, err := c.excludes(a, v, depth); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case a.typ&b.typ == 0:
		return true, nil
	case a.typ&tNumber != 0:
		return below(a.max, b.min) || below(b.max, a.min), nil
	case a.typ == tString:
		return a.maxLength >= 0 && a.maxLength < b.minLength || b.maxLength >= 0 && b.maxLength < a.minLength, nil
	case a.typ == tArray:
		return c.apartArrays(a, b, depth)
	case a.typ == tObject:
		return c.apartObjects(a, b, depth)
	}
	return false, nil
}

// below reports whether every number under the upper bound hi is under the
// lower bound lo.
func below(hi, lo *bound) bool {
	if hi == nil || lo == nil {
		return false
	}
	c := hi.cmp(lo.decimal)
	return c < 0 || c == 0 && (hi.exclusive || lo.exclusive)
}

func (c *converter) apartArrays(a, b *shape, depth int) (bool, error) {
	if a.maxItems >= 0 && a.maxItems < b.minItems || b.maxItems >= 0 && b.maxItems < a.minItems {
		return true, nil
	}
	for i := range min(a.minItems, max(len(a.prefix), len(b.prefix))+1) {
		x, y := a.item(i), b.item(i)
		if x == nil {
			return true, nil // nothing is generated that is long enough
		}
		if y == nil {
			continue // open: anything
		}
		if apart, err := c.apartNode(x, y, depth+1); apart || err != nil {
			return apart, err
		}
	}
	return false, nil
}

func (s *shape) item(i int) *node {
	if i < len(s.prefix) {
		return s.prefix[i]
	}
	return s.rest
}

func (c *converter) apartObjects(a, b *shape, depth int) (bool, error) {
	for _, m := range a.members {
		if !m.required {
			continue
		}
		other := b.extra // nil: open
		if same := b.byName[m.name]; same != nil {
			other = same.node
		}
		if other == nil {
			continue
		}
		if apart, err := c.apartNode(m.node, other, depth+1); apart || err != nil {
			return apart, err
		}
	}
	for _, m := range b.members {
		if !m.required {
			continue
		}
		own := a.extra
		if same := a.byName[m.name]; same != nil {
			own = same.node
		}
		if own == nil {
			return true, nil // never generated
		}
		if apart, err := c.apartNode(own, m.node, depth+1); apart || err != nil {
			return apart, err
		}
	}
	return false, nil
}

func (c *converter) excludesNode(n *node, v any, depth int) (bool, error) {
	if depth > maxProof {
		return false, nil
	}
	for _, o := range n.alts {
		if ok, err := c.excludesOption(o, v, depth); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (c *converter) excludesOption(o *option, v any, depth int) (bool, error) {
	if o.loose&typeOf(v) != 0 {
		return false, nil
	}
	for _, s := range o.shapes {
		if ok, err := c.excludes(s, v, depth); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// excludes reports whether it is certain that v does not satisfy the schema of
// s.
func (c *converter) excludes(s *shape, v any, depth int) (bool, error) {
	if err := c.spend(1+len(s.values), "#"); err != nil {
		return false, err
	}
	if s.values != nil {
		for _, w := range s.values {
			if equalJSON(v, w) {
				return false, nil
			}
		}
		return true, nil
	}
	t := typeOf(v)
	if t&s.typ == 0 {
		// A number too long to tell may be an integer after all.
		return t != tFraction || s.typ != tInteger || knownFraction(v), nil
	}
	switch v := v.(type) {
	case json.Number:
		if _, err := parseDecimal(v); err != nil {
			return false, nil
		}
		return s.outside(v), nil
	case string:
		n := utf8.RuneCountInString(v)
		return n < s.minLength || s.maxLength >= 0 && n > s.maxLength, nil
	case []any:
		if len(v) < s.minItems || s.maxItems >= 0 && len(v) > s.maxItems {
			return true, nil
		}
		for i, w := range v {
			if n := s.item(i); n != nil {
				if ok, err := c.excludesNode(n, w, depth+1); ok || err != nil {
					return ok, err
				}
			}
		}
	case *object:
		for _, m := range s.members {
			if _, ok := v.values[m.name]; !ok && m.required {
				return true, nil
			}
		}
		for _, k := range v.keys {
			n := s.extra
			if m := s.byName[k]; m != nil {
				n = m.node
			}
			if n == nil {
				continue
			}
			if ok, err := c.excludesNode(n, v.values[k], depth+1); ok || err != nil {
				return ok, err
			}
		}
	}
	return false, nil
}

func knownFraction(v any) bool {
	n, ok := v.(json.Number)
	if !ok {
		return true
	}
	_, err := parseDecimal(n)
	return err == nil
}
