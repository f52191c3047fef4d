package filter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bendi/filter/find"
	"bendi/filter/fold"
	"bendi/filter/lexicon"
	"bendi/filter/match"
	"bendi/filter/pii"
)

// Compile makes rules of lexicons, with those for personal data. Its error
// names a lexicon and a line for each pattern that cannot be looked for; it
// does not quote them.
//
// The rules are for the policies, which need not look with all there is: the
// disguises of a hundred thousand words take their time. Without policies, the
// rules are for any.
func Compile(lexicons []*lexicon.Lexicon, policies ...*Policy) (*Rules, error) {
	words, err := lexicon.Rules(lexicons...)
	if err != nil {
		return nil, err
	}
	r := &Rules{version: versionOf(lexicons)}
	for _, w := range words {
		r.rules = append(r.rules, Rule{w.ID, w.Category, w.Level, w.Risk})
	}
	var errs []error
	for kind, profile := range map[sourceKind]match.Profile{plainSource: match.Default, strictSource: match.Strict, soundSource: match.Sound} {
		if len(policies) > 0 && !slices.ContainsFunc(policies, func(p *Policy) bool { return p.looksWith(kind) }) {
			continue
		}
		patterns, err := lexicon.Patterns(profile, lexicons...)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(patterns) == 0 {
			continue
		}
		for _, patterns := range apart(patterns) {
			a, err := match.Compile(patterns, profile)
			if err != nil {
				errs = append(errs, located(err, patterns, words))
				continue
			}
			r.sources = append(r.sources, source{kind: kind, open: func() find.Finder { return a.Scanner() }, rules: rulesIn(patterns)})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortStableFunc(r.sources, func(a, b source) int { return cmp.Compare(a.kind, b.kind) })
	r.learn(lexicons)
	r.addPersonal()
	r.finish()
	return r, nil
}

// apart parts the combinations from the words, with the allow words for both. A
// combination keeps a text waiting for as long as it may span; where it is only
// watched for, nothing waits.
func apart(patterns []match.Pattern) [][]match.Pattern {
	words, combinations := patterns, []match.Pattern(nil)
	if slices.ContainsFunc(patterns, func(p match.Pattern) bool { return p.All != nil }) {
		words, combinations = parted(patterns)
	}
	var groups [][]match.Pattern
	for _, group := range [][]match.Pattern{words, combinations} {
		if slices.ContainsFunc(group, func(p match.Pattern) bool { return !p.Allow }) {
			groups = append(groups, group)
		}
	}
	return groups
}

func parted(patterns []match.Pattern) (words, combinations []match.Pattern) {
	for _, p := range patterns {
		if p.All == nil {
			words = append(words, p)
		}
		if p.All != nil || p.Allow {
			combinations = append(combinations, p)
		}
	}
	return words, combinations
}

// rulesIn lists the rules that patterns are of, each once.
func rulesIn(patterns []match.Pattern) []int {
	var rules []int
	for _, p := range patterns {
		if !p.Allow {
			rules = append(rules, p.Rule)
		}
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// located says where the patterns stand that could not be compiled.
func located(err error, patterns []match.Pattern, words []lexicon.Rule) error {
	faults := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		faults = joined.Unwrap()
	}
	for i, err := range faults {
		e, ok := errors.AsType[*match.PatternError](err)
		switch {
		case !ok:
		case patterns[e.Index].Allow:
			faults[i] = fmt.Errorf("an allow word: %s", e.Reason)
		default:
			w := words[patterns[e.Index].Rule]
			faults[i] = fmt.Errorf("lexicon %s, line %d: %s", w.Lexicon, w.Line, e.Reason)
		}
	}
	return errors.Join(faults...)
}

// versionOf names lexicons by their versions and what they say.
func versionOf(lexicons []*lexicon.Lexicon) string {
	var names []string
	for _, l := range lexicons {
		name := l.Name
		if l.Version != "" {
			name += " " + l.Version
		}
		digest := strings.TrimPrefix(l.Digest(), "sha256:")
		names = append(names, name+" ("+digest[:min(8, len(digest))]+")")
	}
	if names == nil {
		return "no lexicon"
	}
	return strings.Join(names, ", ")
}

// addPersonal adds the rules for personal data, which are always the same.
func (r *Rules) addPersonal() {
	src := source{kind: personalSource, first: len(r.rules)}
	for _, k := range pii.Types() {
		level := 2
		if k.Sensitive {
			level = 3
		}
		src.rules = append(src.rules, len(r.rules))
		r.rules = append(r.rules, Rule{ID: personal + k.Name, Category: personal + k.Name, Level: level})
	}
	detector := pii.New()
	src.open = func() find.Finder { return detector.Scanner() }
	r.sources = append(r.sources, src)
}

// finish works out what follows from the rules.
func (r *Rules) finish() {
	for _, rule := range r.rules {
		r.categories = append(r.categories, rule.Category)
	}
	slices.Sort(r.categories)
	r.categories = slices.Compact(r.categories)
}

// learn notes the characters that words consist of.
func (r *Rules) learn(lexicons []*lexicon.Lexicon) {
	r.known = map[rune]bool{}
	add := func(text string) {
		for _, c := range text {
			r.known[fold.Rune(c)] = true
		}
	}
	for _, l := range lexicons {
		for i := range l.Words {
			add(l.Words[i].Text)
			for _, part := range l.Words[i].All {
				add(part)
			}
		}
		for _, a := range l.Allow {
			add(a)
		}
		for _, c := range l.Categories {
			for _, a := range c.Allow {
				add(a)
			}
		}
	}
}
