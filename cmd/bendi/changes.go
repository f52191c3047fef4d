package main

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"bendi/access/token"
	"bendi/config"
	"bendi/inference/llamacpp"
)

// A change is something in which one house differs from another.
type change struct {
	What string `json:"what"` // route, model, backend, filter, experiment, lexicons, key, issuer or setting
	Name string `json:"name,omitempty"`
	How  string `json:"how"` // added, removed or changed
}

func (c change) String() string {
	if c.Name == "" {
		return c.What + " " + c.How
	}
	return c.What + " " + c.Name + " " + c.How
}

// changes returns in what two houses differ.
func changes(old, next *house) []change {
	a, b := old.cfg, next.cfg
	all := slices.Concat(
		differ("route", routesByPath(a), routesByPath(b), alike),
		differ("model", old.workers, next.workers, func(_ string, a, b *llamacpp.Worker) bool { return a == b }),
		differ("backend", a.Backends, b.Backends, func(name string, a, b config.Backend) bool {
			return alike(name, a, b) && old.around.servers[name] == next.around.servers[name]
		}),
		differ("filter", a.Filters, b.Filters, alike),
		differ("experiment", a.Experiments, b.Experiments, alike),
	)
	if !reflect.DeepEqual(a.Lexicons, b.Lexicons) || !slices.Equal(old.library.stampsRead(), next.library.stampsRead()) {
		all = append(all, change{What: "lexicons", How: "changed"})
	}
	all = slices.Concat(all,
		differ("key", keysByName(a), keysByName(b), alike),
		differ("issuer", issuersByName(old), issuersByName(next), alike),
		differ("setting", settingsOf(a), settingsOf(b), alike))
	if !old.identity.Equal(next.identity) && reflect.DeepEqual(a.Server.TLS, b.Server.TLS) {
		all = append(all, change{What: "certificate", How: "changed"})
	}
	return append([]change{}, all...) // where there are none, JSON has a list all the same
}

// differ compares what two configurations have by the same names.
func differ[T any](what string, old, next map[string]T, alike func(name string, a, b T) bool) []change {
	var all []change
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if now, is := next[name]; !is {
			all = append(all, change{what, name, "removed"})
		} else if !alike(name, old[name], now) {
			all = append(all, change{what, name, "changed"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if _, was := old[name]; !was {
			all = append(all, change{what, name, "added"})
		}
	}
	return all
}

func alike[T any](_ string, a, b T) bool { return reflect.DeepEqual(a, b) }

func routesByPath(cfg *config.Config) map[string]config.Route {
	all := make(map[string]config.Route)
	for _, r := range cfg.Routes {
		all[r.Path] = r
	}
	return all
}

func keysByName(cfg *config.Config) map[string]config.Key {
	all := make(map[string]config.Key)
	for _, k := range cfg.Access.Keys {
		all[k.Name] = k
	}
	return all
}

func issuersByName(h *house) map[string]token.Issuer {
	all := make(map[string]token.Issuer)
	for _, i := range h.issuers {
		all[i.Name] = i
	}
	return all
}

// settingsOf returns what else a configuration says, by key.
func settingsOf(cfg *config.Config) map[string]string {
	named := []string{"models", "routes", "backends", "filters", "experiments", "lexicons"}
	all := make(map[string]string)
	for _, s := range new(config.Origins).Settings(cfg) {
		if strings.HasPrefix(s.Key, "access.keys") || strings.HasPrefix(s.Key, "access.jwt") {
			continue
		}
		if top, _, _ := strings.Cut(s.Key, "."); !slices.ContainsFunc(named, func(name string) bool { return strings.HasPrefix(top, name) }) {
			all[s.Key] = s.Value
		}
	}
	return all
}
