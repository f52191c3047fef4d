package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"bendi/chat"
	"bendi/config"
	"bendi/ledger"
	"bendi/models"
	"bendi/openaicompat"
)

// Paths of what the operator may have done to a running server.
const (
	adaptersPath      = "/admin/adapters"
	loadAdapterPath   = "/admin/adapters/load"
	unloadAdapterPath = "/admin/adapters/unload"
)

// An adapterBody says which adapter to load or unload.
type adapterBody struct {
	ID   string `json:"id"`             // model:adapter
	Path string `json:"path,omitempty"` // of the file; to load alone
}

// actions explain requests, and list, load and unload the adapters of the
// models.
func (h *house) actions() []openaicompat.Action {
	return []openaicompat.Action{
		h.explainAction(),
		{Method: http.MethodGet, Path: adaptersPath, Do: func(context.Context, []byte) (any, error) {
			return map[string]any{"adapters": h.adapters()}, nil
		}},
		{Method: http.MethodPost, Path: loadAdapterPath, Do: about(func(ctx context.Context, in *adapterBody) (any, error) {
			return in, h.loadAdapter(ctx, in)
		})},
		{Method: http.MethodPost, Path: unloadAdapterPath, Do: about(func(ctx context.Context, in *adapterBody) (any, error) {
			model, name, err := h.adapterOf(in.ID)
			if err != nil {
				return nil, err
			}
			return in, h.workers[model].UnloadAdapter(ctx, name)
		})},
	}
}

// doing has an action do what is asked for by a body that is a T.
func doing[T any](do func(ctx context.Context, in *T) (any, error)) func(context.Context, []byte) (any, error) {
	return func(ctx context.Context, body []byte) (any, error) {
		in, err := openaicompat.DecodeAction[T](body)
		if err != nil {
			return nil, err
		}
		return do(ctx, in)
	}
}

// about is doing, of what the ledger is to know by its name.
func about[T any, P interface {
	*T
	about() string
}](do func(ctx context.Context, in P) (any, error)) func(context.Context, []byte) (any, error) {
	return doing(func(ctx context.Context, in *T) (any, error) {
		ledger.About(ctx, P(in).about())
		return do(ctx, in)
	})
}

func (b *adapterBody) about() string { return b.ID }

// adapters lists those of all models.
func (h *house) adapters() []adapterBody {
	all := []adapterBody{}
	for _, id := range slices.Sorted(maps.Keys(h.workers)) {
		files := h.workers[id].Adapters()
		for _, name := range slices.Sorted(maps.Keys(files)) {
			all = append(all, adapterBody{id + ":" + name, files[name]})
		}
	}
	return all
}

// adapterOf takes an id apart.
func (h *house) adapterOf(id string) (model, name string, err error) {
	model, name, ok := strings.Cut(id, ":")
	switch {
	case !ok || !config.IsAdapterName(name):
		return "", "", chat.BadParam("id", "'id' must be a model and an adapter, such as \"qwen:law\"; an adapter's name has small letters, digits and dashes.")
	case h.workers[model] == nil:
		return "", "", &chat.Error{Kind: chat.NotFound, Code: chat.CodeModelNotFound, Param: "id",
			Msg: "There is no such model here; there are: " + strings.Join(slices.Sorted(maps.Keys(h.workers)), ", ") + "."}
	}
	return model, name, nil
}

// loadAdapter loads an adapter from a file in one of the folders that the
// configuration names for it, wherever links lead.
func (h *house) loadAdapter(ctx context.Context, in *adapterBody) error {
	model, name, err := h.adapterOf(in.ID)
	if err != nil {
		return err
	}
	if len(h.cfg.Models[model].AdapterDirs) == 0 {
		return chat.Errorf(chat.Forbidden, "Model %s has no folders to load adapters from: name them in models.%s.adapter_dirs.", model, model)
	}
	real, err := filepath.EvalSymlinks(in.Path)
	if err == nil && !filepath.IsAbs(real) {
		err = fmt.Errorf("the path is not absolute")
	}
	inside := err == nil && slices.ContainsFunc(h.cfg.Models[model].AdapterDirs, func(dir config.Path) bool {
		root, err := filepath.EvalSymlinks(string(dir))
		return err == nil && strings.HasPrefix(real, strings.TrimSuffix(root, "/")+"/")
	})
	if !inside {
		// Whether there is a file outside is nobody's business.
		return &chat.Error{Kind: chat.Forbidden, Param: "path", Err: err,
			Msg: fmt.Sprintf("There is no such file in the folders of models.%s.adapter_dirs; give its absolute path.", model)}
	}
	if err := models.CheckAdapter(real, string(h.cfg.Models[model].Path)); err != nil {
		return chat.BadParam("path", "%v", err)
	}
	return h.workers[model].LoadAdapter(ctx, name, real)
}
