package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"bendi/experiment/metric"
	"bendi/experiment/param"
)

// An Experiment splits the requests of a route between arms.
type Experiment struct {
	Route   string           `yaml:"route"` // its path; the requests for its first model take part
	By      []UnitName       `yaml:"by"`    // who counts as one: the first of these that a request has
	Seed    string           `yaml:"seed"`  // of the assignment; empty: the name of the experiment
	Arms    map[string]Arm   `yaml:"arms"`  // by name
	Control string           `yaml:"control"`
	Guards  Guards           `yaml:"guards"`
	Prices  map[string]Price `yaml:"prices"` // by model, as arms name it
	Start   StartMode        `yaml:"start"`
	Decide  []string         `yaml:"decide"` // metrics that share the chance of a false verdict; empty: all that have a good direction

	KeepComments bool `yaml:"keep_comments"` // of feedback, which are words of users
}

// An Arm is one way to answer.
type Arm struct {
	Weight    int               `yaml:"weight"` // its share in relation to the others'; means nothing for a shadow
	Model     RouteModel        `yaml:"model"`  // who answers, as of a route; empty: the route
	System    string            `yaml:"system"` // put before the request's system message
	Replace   bool              `yaml:"replace_system"`
	Params    map[string]Number `yaml:"params"`
	MaxTokens int               `yaml:"max_tokens"` // most of an answer; 0: as the request says
	Shadow    bool              `yaml:"shadow"`     // it gets copies, and its answers are told to nobody
}

// Guards are limits that an arm is stopped at; 0 is none.
type Guards struct {
	Errors Number   `yaml:"errors"`
	TTFT   Duration `yaml:"ttft_p95"`
	Filter Number   `yaml:"filter"`
	After  int      `yaml:"after"` // requests of an arm before it may be stopped
}

// A Price is for a million tokens, in any currency.
type Price struct {
	Prompt     Number `yaml:"prompt"`
	Completion Number `yaml:"completion"`
}

// A UnitName is session, user or key.
type UnitName string

// A StartMode is auto or manual.
type StartMode string

// Values lists every UnitName.
func (UnitName) Values() []string { return []string{"session", "user", "key"} }

// Values lists every StartMode.
func (StartMode) Values() []string { return []string{"auto", "manual"} }

// A Number is any number.
type Number float64

// UnmarshalText reads a number.
func (n *Number) UnmarshalText(text []byte) error {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || v != v || v > 1e300 || v < -1e300 {
		return fmt.Errorf("want a number such as 0.05, have %q", text)
	}
	*n = Number(v)
	return nil
}

// experimentDefaults is what an experiment has that says nothing else.
func experimentDefaults() Experiment {
	return Experiment{By: []UnitName{"session", "user", "key"}, Start: "auto", Guards: Guards{After: 20}}
}

// completeExperiments fills in what the experiments leave to others.
func (c *Config) completeExperiments() {
	if c.Experiments == nil {
		c.Experiments = map[string]Experiment{}
	}
	for name, e := range c.Experiments {
		if e.Seed == "" {
			e.Seed = name
		}
		if e.Prices == nil {
			e.Prices = map[string]Price{}
		}
		for arm, a := range e.Arms {
			if a.Params == nil {
				a.Params = map[string]Number{}
			}
			a.Model.complete()
			e.Arms[arm] = a
		}
		c.Experiments[name] = e
	}
}

// Named reports whether the arm says who answers.
func (a Arm) Named() bool { return a.Model.ID != "" || len(a.Model.Tiers) > 0 }

const (
	maxArms   = 16
	maxSystem = 64 << 10 // bytes
)

func (c *Config) checkExperiments(bad bad) {
	targets := c.Targets()
	auto := map[string]string{} // experiments that start by themselves, by route
	for _, name := range slices.Sorted(maps.Keys(c.Experiments)) {
		e, key := c.Experiments[name], join("experiments", name)
		if !isName(name, maxID, letters) {
			bad(key, "the name of an experiment has letters, digits, dots, dashes and underscores, at most %d, and begins with a letter or digit", maxID)
		}
		paths := c.Paths()
		at := slices.Index(paths, e.Route)
		switch {
		case e.Route == "":
			bad(key+".route", "is missing: the path of a route")
		case at < 0:
			bad(key+".route", "no route %q%s", e.Route, suggest(e.Route, paths))
		}
		one(bad, key+".start", e.Start)
		if other := auto[e.Route]; e.Start == "auto" && other != "" {
			bad(key+".start", "%s starts by itself on %s as well, and a route has one experiment at a time: make one of them manual", other, e.Route)
		} else if e.Start == "auto" {
			auto[e.Route] = name
		}
		if len(e.By) == 0 {
			bad(key+".by", "needs at least one of session, user, key")
		}
		for i, by := range e.By {
			one(bad, fmt.Sprintf("%s.by[%d]", key, i), by)
			if slices.Contains(e.By[:i], by) {
				bad(fmt.Sprintf("%s.by[%d]", key, i), "names %s a second time", by)
			}
		}
		if len(e.Seed) > maxID {
			bad(key+".seed", "want at most %d bytes, have %d", maxID, len(e.Seed))
		}
		for i, m := range e.Decide {
			key := fmt.Sprintf("%s.decide[%d]", key, i)
			if all := metric.Names(); !slices.Contains(all, m) {
				bad(key, "no metric %q%s", m, suggest(m, all))
			} else if slices.Contains(e.Decide[:i], m) {
				bad(key, "names %s a second time", m)
			}
		}
		c.checkArms(bad, key, e, at, targets)
		e.Guards.check(bad, key+".guards")
		for _, model := range slices.Sorted(maps.Keys(e.Prices)) {
			p, key := e.Prices[model], join(key+".prices", model)
			if !targets[model] {
				bad(key, "no model %q%s", model, suggest(model, slices.Sorted(maps.Keys(targets))))
			}
			if p.Prompt < 0 || p.Completion < 0 {
				bad(key, "a price is for a million tokens, and not below 0")
			}
		}
	}
}

// checkArms checks the arms of an experiment on the route with that index, or on
// none that there is.
func (c *Config) checkArms(bad bad, key string, e Experiment, route int, targets map[string]bool) {
	names := slices.Sorted(maps.Keys(e.Arms))
	answering, weight := 0, 0
	for _, name := range names {
		a, key := e.Arms[name], join(key+".arms", name)
		if !isName(name, maxID, letters) {
			bad(key, "the name of an arm has letters, digits, dots, dashes and underscores, at most %d, and begins with a letter or digit", maxID)
		}
		if a.Weight < 0 || a.Weight > maxWeight {
			bad(key+".weight", "want 0 to %d, have %d", maxWeight, a.Weight)
		}
		if !a.Shadow {
			answering++
			weight += a.Weight
		}
		if len(a.System) > maxSystem {
			bad(key+".system", "has %d bytes, at most %d are taken", len(a.System), maxSystem)
		}
		if a.Replace && a.System == "" {
			bad(key+".replace_system", "needs a system message to put in the place of the request's")
		}
		for _, p := range slices.Sorted(maps.Keys(a.Params)) {
			if err := param.Check(p, float64(a.Params[p])); err != nil {
				bad(join(key+".params", p), "%v", err)
			}
		}
		if a.MaxTokens < 0 || a.MaxTokens > maxContext {
			bad(key+".max_tokens", "want 0 (as the request says) to %d, have %d", maxContext, a.MaxTokens)
		}
		if route >= 0 && a.Named() {
			c.checkArmModel(bad, key+".model", c.Routes[route], a.Model, targets)
		} else if route >= 0 && a.Shadow && len(c.Routes[route].Models) > 0 {
			c.checkArmEgress(bad, key+".shadow", c.Routes[route], c.Routes[route].Models[0])
		}
	}
	switch control, ok := e.Arms[e.Control]; {
	case len(names) < 2 || len(names) > maxArms:
		bad(key+".arms", "want 2 to %d arms, have %d", maxArms, len(names))
	case answering == 0:
		bad(key+".arms", "all are shadows: nobody answers")
	case weight == 0:
		bad(key+".arms", "no arm has a weight above 0: nobody answers")
	case e.Control == "":
		bad(key+".control", "is missing: the arm that the others are compared with, of %s", strings.Join(names, ", "))
	case !ok:
		bad(key+".control", "no arm %q%s", e.Control, suggest(e.Control, names))
	case control.Shadow:
		bad(key+".control", "%s is a shadow, which answers nobody", e.Control)
	}
}

// checkArmModel checks who answers for an arm.
func (c *Config) checkArmModel(bad bad, key string, r Route, m RouteModel, targets map[string]bool) {
	switch {
	case len(m.Tiers) > 0:
		if c.checkTiers(bad, key, m, targets) {
			return
		}
	case m.Hedge || m.Continue || m.Balance != "":
		bad(key+".tiers", "is missing: the models to choose from, such as [[%s]]", firstID(c.Models))
		return
	case !targets[m.ID] && (!slices.Contains(r.IDs(), m.ID) || strings.HasSuffix(m.ID, ":*")):
		bad(key, "no model %q%s", m.ID, suggest(m.ID, slices.Sorted(maps.Keys(targets))))
		return
	}
	c.checkArmEgress(bad, key, r, c.ArmModel(r, m))
}

// ArmModel returns the model of an arm: where it only has the name of one of the
// route's, that one.
func (c *Config) ArmModel(r Route, m RouteModel) RouteModel {
	if i := slices.Index(r.IDs(), m.ID); i >= 0 && len(m.Tiers) == 0 {
		return r.Models[i]
	}
	return m
}

// checkArmEgress checks that all who may answer for an arm may be asked at all.
func (c *Config) checkArmEgress(bad bad, key string, r Route, m RouteModel) {
	for _, target := range m.Targets() {
		c.checkWay(bad, key, r, target)
	}
}

func (g Guards) check(bad bad, key string) {
	share := func(name string, n Number) {
		if n < 0 || n >= 1 {
			bad(key+"."+name, "want a share from 0 (no limit) to below 1, such as 0.05 for 5 %%, have %v", n)
		}
	}
	share("errors", g.Errors)
	share("filter", g.Filter)
	if d := time.Duration(g.TTFT); d < 0 || d > time.Hour {
		bad(key+".ttft_p95", "want 0s (no limit) to 1h, have %v", g.TTFT)
	}
	if g.After < 1 || g.After > 1e6 {
		bad(key+".after", "want 1 to 1000000 requests, have %d", g.After)
	}
}
