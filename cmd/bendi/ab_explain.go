package main

import (
	"slices"

	"bendi/chat"
	"bendi/config"
	"bendi/experiment"
	"bendi/router"
)

// An armChoice says what an experiment does with a request.
type armChoice struct {
	Name   string `json:"name"`
	Arm    string `json:"arm,omitempty"` // that answers; empty: the route as it is
	Counts bool   `json:"counts"`
	Why    string `json:"why"` // who counts as one; or why it does not count
}

// decide says what the experiment of a route does with a request now.
func (h *house) decide(route string, req *chat.Request) (experiment.Decision, bool) {
	for i, s := range h.splits {
		if h.splitOf[i] == route {
			return s.Explain(req)
		}
	}
	return experiment.Decision{}, false
}

// tryArm adds to an explanation what an experiment does with the request, and who
// answers then.
func (n *neighbourhood) tryArm(e *explanation, r config.Route, req *chat.Request, d *router.Decision) error {
	plans, err := n.plans(r, nil)
	if err != nil || len(plans) == 0 {
		return err
	}
	own := *req
	own.Model = e.Model
	decide := n.decide
	if decide == nil {
		decide = func(string, *chat.Request) (experiment.Decision, bool) {
			i := slices.IndexFunc(plans, func(p experiment.Plan) bool { return !p.Manual })
			if i < 0 {
				return experiment.Decision{}, false
			}
			return plans[i].Explain(&own), true
		}
	}
	what, ok := decide(r.Path, &own)
	if !ok {
		return nil
	}
	e.Experiment = &armChoice{what.Experiment, what.Arm, what.Counts, what.Why}
	for _, p := range plans {
		for _, a := range p.Arms {
			if pool, ok := a.Model.(*router.Pool); ok && p.Name == what.Experiment && a.Name == what.Arm {
				own.Model = a.As
				*d = pool.Explain(&own)
			}
		}
	}
	return nil
}

// trialText says in a line what an experiment does with a request.
func (p *program) trialText(t *armChoice) string {
	arm := t.Name + "/" + t.Arm
	switch {
	case t.Counts:
		return p.sayf("%s (by the %s)", "%s（按%s）", arm, p.unitText(t.Why))
	case t.Arm == "":
		return p.sayf("none of %s: %s", "不在实验 %s 中：%s", t.Name, p.excludedText(t.Why))
	}
	return p.sayf("%s, not counted: %s", "%s，不计入：%s", arm, p.excludedText(t.Why))
}

// unitText says who counts as one.
func (p *program) unitText(unit string) string {
	switch experiment.Unit(unit) {
	case experiment.Session:
		return p.say("session", "会话")
	case experiment.User:
		return p.say("user", "用户")
	}
	return p.say("key", "密钥")
}
