package router

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"bendi/chat"
)

// An Offer is a model that a route offers, and who answers for it. An ID that
// ends with ":*" offers whatever the Model, which is a [chat.Lister], lists at
// the time with what is before the star.
type Offer struct {
	chat.ModelInfo            // its ID is the name that requests use
	Backend        string     // names the backend, for headers and logs
	Model          chat.Model // is asked for the ID, adapter and all
}

// A Route answers requests by the models it offers.
type Route struct {
	offers  []Offer
	byName  map[string]*Offer // aliases as well, and without those of a star; "" is the default
	aliases []string          // sorted
}

// New returns a route that offers models in the order given. A request that
// names no model goes to the one called def, or to the first when def is
// empty. An alias is another name of a model; the names of models are not
// changed by it, and [Route.Models] does not list it.
func New(offers []Offer, def string, aliases map[string]string) (*Route, error) {
	if len(offers) == 0 {
		return nil, errors.New("a route needs at least one model")
	}
	r := &Route{
		offers:  slices.Clone(offers),
		byName:  map[string]*Offer{},
		aliases: slices.Sorted(maps.Keys(aliases)),
	}
	var errs []error
	for i := range r.offers {
		o := &r.offers[i]
		switch {
		case o.ID == "" || o.Model == nil:
			errs = append(errs, fmt.Errorf("model %d has no name or nothing that answers", i+1))
		case r.byName[o.ID] != nil:
			errs = append(errs, fmt.Errorf("model %q is offered twice", o.ID))
		}
		if _, star := o.star(); !star {
			r.byName[o.ID] = o
		}
	}
	for _, alias := range r.aliases {
		target := r.byName[aliases[alias]]
		switch {
		case alias == "" || r.byName[alias] != nil:
			errs = append(errs, fmt.Errorf("alias %q is the name of a model, or empty", alias))
		case target == nil || target.ID != aliases[alias]:
			errs = append(errs, fmt.Errorf("alias %q stands for %q, which is not a model of this route", alias, aliases[alias]))
		}
	}
	for _, alias := range r.aliases { // after all were checked: no alias of an alias
		r.byName[alias] = r.byName[aliases[alias]]
	}
	for i := 0; def == "" && i < len(r.offers); i++ {
		if _, star := r.offers[i].star(); !star {
			def = r.offers[i].ID
		}
	}
	if r.byName[def] == nil {
		errs = append(errs, fmt.Errorf("the default model %q is not a model of this route", def))
	}
	r.byName[""] = r.byName[def]
	return r, errors.Join(errs...)
}

// Chat has the model that req names answer it.
func (r *Route) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	o, err := r.offer(req.Model)
	if err != nil {
		return chat.Fail(err)
	}
	own := *req
	own.Model = o.ID
	return func(yield func(chat.Event, error) bool) {
		for ev, err := range o.Model.Chat(ctx, &own) {
			if err == nil && ev.Backend == "" {
				ev.Backend = o.Backend
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

// Models lists what the route offers, without the aliases: each model once, by
// the name that answers carry, and as it is now.
func (r *Route) Models() []chat.ModelInfo {
	var models []chat.ModelInfo
	for i := range r.offers {
		o := &r.offers[i]
		if _, star := o.star(); star {
			for _, m := range o.starred() {
				if r.byName[m.ID] == nil {
					models = append(models, m)
				}
			}
			continue
		}
		if m, ok := o.now(); ok {
			models = append(models, m)
		}
	}
	return models
}

// now returns what is known of the offer's model; ok is false when whoever
// answers for it lists it no more.
func (o *Offer) now() (info chat.ModelInfo, ok bool) {
	l, lists := o.Model.(chat.Lister)
	if !lists {
		return o.ModelInfo, true
	}
	for _, m := range l.Models() {
		if m.ID == o.ID {
			return m, true
		}
	}
	return chat.ModelInfo{}, false
}

// star returns what the names of an offer of many begin with.
func (o *Offer) star() (prefix string, ok bool) {
	prefix, ok = strings.CutSuffix(o.ID, "*")
	return prefix, ok && strings.HasSuffix(prefix, ":")
}

// starred returns the models of an offer of many.
func (o *Offer) starred() []chat.ModelInfo {
	l, ok := o.Model.(chat.Lister)
	if !ok {
		return nil
	}
	prefix, _ := o.star()
	return slices.DeleteFunc(l.Models(), func(m chat.ModelInfo) bool { return !strings.HasPrefix(m.ID, prefix) })
}

// Resolve returns the name of the model that answers a request for name, which
// may be an alias or empty.
func (r *Route) Resolve(name string) (string, error) {
	o, err := r.offer(name)
	if err != nil {
		return "", err
	}
	return o.ID, nil
}
