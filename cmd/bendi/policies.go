package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bendi/config"
	"bendi/filter"
	"bendi/filter/find"
)

// policyOf makes the policy that a part of the configuration describes. What
// that says has been checked.
func policyOf(name string, f config.Filter) (*filter.Policy, error) {
	var errs []error
	action := func(a config.Action) filter.Action {
		parsed, err := filter.ParseAction(string(a))
		errs = append(errs, err)
		return parsed
	}
	levels := func(as config.Actions) (l filter.Levels) {
		for i, a := range as {
			l[i] = action(a)
		}
		return l
	}
	p := &filter.Policy{
		Name:       name,
		Categories: make(map[string]filter.Category),
		Personal:   make(map[string]filter.Personal),
		Forms:      make(map[find.Form]filter.Action),
		Strict:     f.Profile != "default",
		Sound:      f.Profile == "sound",
		Refusal:    f.Refusal,
		Notice:     f.Notice,
		Results:    f.Results,
		Reveal:     f.RevealText,
		Mentions:   filter.Mentions{After: f.Mentions.After, Within: f.Mentions.Within},
		Label: filter.Label{
			Text: f.Label.Text, End: f.Label.Position == "end",
			Metadata: f.Label.Producer != "", Producer: f.Label.Producer, Propagator: f.Label.Producer,
		},
	}
	for category, r := range f.Categories {
		c := filter.Category{Request: levels(r.Request), Answer: levels(r.Answer), Replacement: r.Replacement}
		if len(f.Mentions.After) > 0 {
			c.Mentions = action(f.Mentions.Action)
		}
		p.Categories[category] = c
	}
	for kind, r := range f.Privacy {
		p.Personal[kind] = filter.Personal{Request: action(r.Request), Answer: action(r.Answer), Replacement: r.Replacement}
	}
	for name, a := range f.Forms {
		form, ok := formOf(name)
		if !ok {
			errs = append(errs, fmt.Errorf("%q is no form", name))
		}
		p.Forms[form] = action(a)
	}
	if f.History == "log" {
		p.History = filter.Log
	}
	p.Buffer = map[config.Buffer]filter.Buffer{"none": filter.NoBuffer, "sentence": filter.SentenceBuffer, "full": filter.FullBuffer}[f.Buffer]
	if f.BlockAs == "refusal" {
		p.BlockAs, p.Refusal = filter.AsRefusal, cmp.Or(f.Refusal, refusal)
	}
	if s := f.SecondOpinion; s.Model != "" {
		p.Second = filter.Opinion{
			Mode:    map[config.Mode]filter.OpinionMode{"observe": filter.Observe, "sentence": filter.SentenceOpinion, "full": filter.FullOpinion}[s.Mode],
			Request: true, Answer: true, Model: s.Model, FailOpen: s.OnFailure == "open", Timeout: time.Duration(s.Timeout),
		}
		if s.Style == "yes_no" {
			p.Second.Style = filter.AskYesNo
		}
	}
	return p, errors.Join(errs...)
}

// refusal is what a client is told when the policy has no words of its own.
const refusal = "抱歉，这个问题我不能回答。\nSorry, I cannot answer this."

// fits reports what is wrong with a policy for these rules. That a category of
// the policy is in no rule is no fault here: lexicons come and go.
func fits(p *filter.Policy, rules *filter.Rules) error {
	own := *p
	own.Categories = maps.Clone(p.Categories)
	maps.DeleteFunc(own.Categories, func(name string, _ filter.Category) bool {
		return name != config.Other && !slices.Contains(rules.Categories(), name)
	})
	return own.Validate(rules)
}

// formOf returns the form of a name.
func formOf(name string) (find.Form, bool) {
	for f := find.Plain; f <= find.Sound; f++ {
		if f.String() == name {
			return f, true
		}
	}
	return find.Plain, false
}

// policies makes the policies of a configuration.
func policies(cfg *config.Config) (map[string]*filter.Policy, error) {
	all := make(map[string]*filter.Policy)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Filters)) {
		p, err := policyOf(name, cfg.Filters[name])
		if err == nil {
			err = p.Validate(nil)
		}
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				errs = append(errs, fmt.Errorf("filters.%s: %s", name, strings.TrimRight(line, "\n")))
			}
			continue
		}
		all[name] = p
	}
	return all, errors.Join(errs...)
}

// inForce returns the policies that routes have. That of a route without a
// filter judges what it is asked about.
func inForce(cfg *config.Config, all map[string]*filter.Policy) []*filter.Policy {
	var used []*filter.Policy
	for _, r := range cfg.Routes {
		used = append(used, all[policyName(r)])
	}
	return used
}

// policyName is the policy of a route, or of whoever judges for it.
func policyName(r config.Route) string {
	if r.Filter == config.Off {
		return "default"
	}
	return r.Filter
}

// strangers returns the categories that policies speak of and no rule has,
// which are likely misspelt.
func strangers(cfg *config.Config, rules *filter.Rules) []string {
	var keys []string
	known := rules.Categories()
	for _, name := range slices.Sorted(maps.Keys(cfg.Filters)) {
		for _, category := range slices.Sorted(maps.Keys(cfg.Filters[name].Categories)) {
			if category != config.Other && !strings.HasPrefix(category, "second.") && !slices.Contains(known, category) {
				keys = append(keys, "filters."+name+".categories."+category)
			}
		}
	}
	return keys
}
