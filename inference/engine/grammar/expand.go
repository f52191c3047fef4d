package grammar

import "slices"

// An alternative is one way to satisfy a schema: the own constraints of all
// its parts together, with a branch picked of every choice.
type alternative struct {
	parts []*schema
	picks []pick
}

type pick struct {
	choice *choice
	branch int
}

// An expander turns schemas into alternatives: $ref and allOf add parts, anyOf
// and oneOf multiply.
type expander struct {
	known map[*schema][]alternative
	open  map[*schema]bool
	work  *int
}

// expand returns the alternatives of s, in order.
func (x *expander) expand(s *schema) ([]alternative, error) {
	if alts, ok := x.known[s]; ok {
		return alts, nil
	}
	if x.open[s] {
		return nil, invalid("$ref", s.path, "the schema leads back to itself without a property or an item in between")
	}
	x.open[s] = true
	defer delete(x.open, s)

	own := []alternative{{parts: []*schema{s}}}
	alts := []alternative{{}}
	if !s.ownLast {
		alts = own
	}
	all := s.allOf
	if s.ref != nil {
		all = append([]*schema{s.ref}, all...)
	}
	for _, part := range all {
		more, err := x.expand(part)
		if err != nil {
			return nil, err
		}
		if alts, err = x.product(alts, more, s.path); err != nil {
			return nil, err
		}
	}
	for _, c := range s.choices {
		var more []alternative
		for i, branch := range c.branches {
			expanded, err := x.expand(branch)
			if err != nil {
				return nil, err
			}
			for _, a := range expanded {
				more = append(more, alternative{a.parts, append(slices.Clone(a.picks), pick{c, i})})
			}
			if len(more) > maxAlternatives {
				return nil, tooMany(s.path)
			}
		}
		var err error
		if alts, err = x.product(alts, more, s.path); err != nil {
			return nil, err
		}
	}
	if s.ownLast {
		var err error
		if alts, err = x.product(alts, own, s.path); err != nil {
			return nil, err
		}
	}
	x.known[s] = alts
	return alts, nil
}

func tooMany(path string) error {
	return unsupported("", path, "anyOf, oneOf and allOf multiply out to more than %d alternatives here", maxAlternatives)
}

// product returns every pair of an alternative of a and one of b, as one. A
// choice that both have made, because both lead to the same schema, must have
// been made alike.
func (x *expander) product(a, b []alternative, path string) ([]alternative, error) {
	var out []alternative
	for _, p := range a {
		for _, q := range b {
			if *x.work += 1 + len(p.parts)*len(q.parts) + len(p.picks)*len(q.picks); *x.work > maxWork {
				return nil, tooMuch(path)
			}
			if slices.ContainsFunc(p.picks, func(k pick) bool {
				return slices.ContainsFunc(q.picks, func(l pick) bool { return k.choice == l.choice && k.branch != l.branch })
			}) {
				continue
			}
			if len(out) == maxAlternatives {
				return nil, tooMany(path)
			}
			out = append(out, alternative{join(p.parts, q.parts), join(p.picks, q.picks)})
		}
	}
	return out, nil
}

func tooMuch(path string) error {
	return unsupported("", path, "the schema takes more than %d steps to combine; use fewer anyOf, oneOf and allOf", maxWork)
}

// join returns a followed by what b has that a has not.
func join[T comparable](a, b []T) []T {
	out := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
