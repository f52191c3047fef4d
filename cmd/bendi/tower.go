package main

import (
	"strings"

	"bendi/chat"
	"bendi/config"
	"bendi/filter"
	"bendi/openaicompat"
	"bendi/router"
)

// tower builds what answers for a route, from the bottom up: what is below is
// asked by what is above. Only here is its shape known.
func (h *house) tower(r config.Route) (openaicompat.Route, error) {
	route, err := h.choose(r) // order of backends, fallback, breakers, egress
	if err != nil {
		return openaicompat.Route{}, err
	}
	split, err := h.split(r, route) // experiments
	if err != nil {
		return openaicompat.Route{}, err
	}
	var judge *filter.Guarded
	t := h.remember(r, split, func(t tower) tower { // the conversation, as the filter lets it pass
		t = passed{told{t}} // what it has found, and let pass
		if judge, err = h.judge(r, t); err != nil || r.Filter == config.Off {
			return t
		}
		return judge // the filter
	})
	if err != nil {
		return openaicompat.Route{}, err
	}
	t = h.shadow(r, judge.Policy, t) // lexicons on trial
	t = h.record(r, t)               // what the client saw
	t = h.keepText(r, t)             // the words of it
	return openaicompat.Route{
		Path: r.Path, Priority: r.Priority,
		Keeps:     r.Session != config.Off,
		Model:     h.gate.guard(t), // the end of the program
		Moderator: moderator{judge},
	}, nil
}

// choose returns the models of a route, with who answers for each.
func (h *house) choose(r config.Route) (*router.Route, error) {
	offers, err := h.choices(r)
	if err != nil {
		return nil, err
	}
	return router.New(offers, "", r.Aliases)
}

// choices returns the models of a route with who answers for them.
func (h *house) choices(r config.Route) ([]router.Offer, error) {
	var offers []router.Offer
	for _, m := range r.Models {
		if h.around.plain(m) {
			offers = append(offers, h.offers(m.ID)...)
			continue
		}
		pool, err := h.around.pool(r, m, h.follow(r.Path))
		if err != nil {
			return nil, err
		}
		offers = append(offers, router.Offer{ModelInfo: pool.ModelInfo, Backend: m.ID, Model: pool})
	}
	return offers, nil
}

// follow counts and logs what the router decides on a route.
func (h *house) follow(route string) func(router.Step) {
	return func(s router.Step) {
		h.measured.Router.Step(route, s)
		tell(h.log, route, s)
	}
}

// offers returns a model that runs here with who serves it.
func (h *house) offers(id string) []router.Offer {
	w := h.local(id)
	if strings.HasSuffix(id, ":*") {
		return []router.Offer{{ModelInfo: chat.ModelInfo{ID: id}, Backend: "llamacpp", Model: w}}
	}
	for _, info := range w.Models() {
		if info.ID == id {
			return []router.Offer{{ModelInfo: info, Backend: "llamacpp", Model: w}}
		}
	}
	return nil
}

// judge returns the route behind its filter. That of a route without a filter
// goes by the default policy, and judges what it is asked about alone.
func (h *house) judge(r config.Route, route tower) (*filter.Guarded, error) {
	o := filter.Options{
		Shelf: h.library.shelf, Policy: h.policies[policyName(r)], Secret: h.secret, Log: h.log,
		Observe: h.findings.observe(r.Path), Held: h.measured.Filter.Held(r.Path),
	}
	if id := o.Policy.Second.Model; id != "" && r.Filter != config.Off {
		second, err := router.New(h.offers(id), "", nil)
		if err != nil {
			return nil, err
		}
		o.Second = second
	}
	return filter.Guard(route, o), nil
}

// shadow has what passes t looked at with the lexicons in the shadow, where
// there are any, as strictly as by a policy.
func (h *house) shadow(r config.Route, p *filter.Policy, t tower) tower {
	if h.library.shadow.Current() == nil {
		return t
	}
	strictest := "default"
	if p.Sound {
		strictest = "sound"
	} else if p.Strict {
		strictest = "strict"
	}
	judge := filter.Guard(t, filter.Options{Shelf: h.library.shadow, Policy: watching(strictest), Cache: -1})
	return shadow{t, r.Path, judge, h.findings}
}
