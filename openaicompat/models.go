package openaicompat

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"bendi/chat"
	"bendi/openaicompat/anthropic"
	"bendi/openaicompat/wire"
)

// bases returns the base URLs that the routes serve, each once.
func bases(routes []Route) []string {
	var paths []string
	for _, rt := range routes {
		for _, base := range basesOf(rt) {
			if !slices.Contains(paths, base) {
				paths = append(paths, base)
			}
		}
	}
	return paths
}

func basesOf(rt Route) []string {
	if parent, ok := strings.CutSuffix(rt.Path, "/chat"); ok {
		return []string{rt.Path, parent}
	}
	return []string{rt.Path}
}

// A catalogue is the models of the routes that share a base URL.
type catalogue struct {
	server *server
	routes []Route
}

// union returns the catalogue of a base URL.
func (s *server) union(base string) *catalogue {
	cat := &catalogue{server: s}
	for _, rt := range s.Routes {
		if slices.Contains(basesOf(rt), base) {
			cat.routes = append(cat.routes, rt)
		}
	}
	return cat
}

// models lists the models that whoever asks may use. Of two by one name, the
// first is meant.
func (cat *catalogue) models(x *exchange) []chat.ModelInfo {
	var all []chat.ModelInfo
	for _, rt := range cat.routes {
		l, ok := rt.Model.(chat.Lister)
		if !ok || !x.who.Scopes.Route(rt.Path) {
			continue
		}
		for _, m := range l.Models() {
			if x.who.Scopes.Model(m.ID) && !slices.ContainsFunc(all, func(have chat.ModelInfo) bool { return have.ID == m.ID }) {
				all = append(all, m)
			}
		}
	}
	return all
}

func (cat *catalogue) list(c *gin.Context, x *exchange) error {
	if asksAsAnthropic(c) {
		return cat.server.json(c, http.StatusOK, anthropic.EncodeModels(cat.models(x)))
	}
	body, err := wire.EncodeModels(cat.models(x))
	if err != nil {
		return err
	}
	return cat.server.json(c, http.StatusOK, body)
}

func (cat *catalogue) get(c *gin.Context, x *exchange) error {
	id := strings.Trim(c.Param("id"), "/")
	if id == "" {
		return cat.list(c, x)
	}
	m, err := cat.find(x, id)
	if err != nil {
		return err
	}
	if asksAsAnthropic(c) {
		return cat.server.json(c, http.StatusOK, anthropic.EncodeModel(m))
	}
	body, err := wire.EncodeModel(m)
	if err != nil {
		return err
	}
	return cat.server.json(c, http.StatusOK, body)
}

// find returns the model that a request for id would reach.
func (cat *catalogue) find(x *exchange, id string) (chat.ModelInfo, error) {
	var unknown error = &chat.Error{Kind: chat.NotFound, Code: chat.CodeModelNotFound, Param: "model", Msg: "There is no model of that name here."}
	for _, rt := range cat.routes {
		if !x.who.Scopes.Route(rt.Path) {
			continue
		}
		name, err := x.resolve(rt, id)
		if err != nil {
			unknown = err
			continue
		}
		for _, m := range cat.models(x) {
			if m.ID == name {
				return m, nil
			}
		}
	}
	return chat.ModelInfo{}, unknown
}
