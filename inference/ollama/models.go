package ollama

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/ollama/ollama/api"
	ollamamodel "github.com/ollama/ollama/types/model"

	"bendi/chat"
)

// Models lists what is offered, as the last [Model.Refresh] found it. Before
// one, it lists what is configured.
func (m *Model) Models() []chat.ModelInfo {
	if listed := m.listed.Load(); listed != nil {
		return append([]chat.ModelInfo(nil), *listed...)
	}
	var all []chat.ModelInfo
	for _, o := range m.cfg.Models {
		all = append(all, chat.ModelInfo{ID: cmp.Or(o.ID, o.Model), OwnedBy: "local", Context: cmp.Or(o.Context, m.cfg.Context)})
	}
	return all
}

// Refresh asks the server what is installed and loaded, and how large the
// windows are. It loads no model. Whoever owns m calls it, now and then.
func (m *Model) Refresh(ctx context.Context) error {
	all, err := m.look(ctx)
	if err != nil {
		return m.failed(ctx, err)
	}
	m.listed.Store(&all)
	return nil
}

func (m *Model) look(ctx context.Context) ([]chat.ModelInfo, error) {
	installed, err := whole[struct {
		Models []struct {
			api.ListModelResponse
			RemoteHost string `json:"remote_host"`
		} `json:"models"`
	}](ctx, m, http.MethodGet, "/api/tags", "", nil)
	if err != nil {
		return nil, err
	}
	running, err := whole[api.ProcessResponse](ctx, m, http.MethodGet, "/api/ps", "", nil)
	if err != nil {
		return nil, err
	}
	loaded := map[string]bool{}
	for _, r := range running.Models {
		loaded[full(r.Name)] = true
	}
	created, offers := map[string]int64{}, m.cfg.Models
	for _, i := range installed.Models {
		if i.RemoteHost != "" || cloud(i.Name) {
			continue
		}
		created[full(i.Name)] = i.ModifiedAt.Unix()
		if len(m.cfg.Models) == 0 {
			offers = append(offers, Offer{ID: i.Name, Model: i.Name})
		}
	}
	var all []chat.ModelInfo
	for _, o := range offers {
		info := chat.ModelInfo{ID: cmp.Or(o.ID, o.Model), OwnedBy: "local", State: "unloaded"}
		at, there := created[full(o.Model)]
		switch {
		case !there:
			info.State = "failed" // it is offered and not installed
		case loaded[full(o.Model)]:
			info.State = "loaded"
		}
		if there {
			info.Created = at
			f, err := m.about(ctx, o.Model)
			if ctx.Err() != nil {
				return nil, err
			}
			if err == nil { // one that the server cannot read must not hide the others
				info.Context = m.window(o, f)
			}
		}
		all = append(all, info)
	}
	return all, nil
}

// full returns a model's name with all its parts, as names are compared.
func full(name string) string { return strings.ToLower(ollamamodel.ParseName(name).String()) }

// Probe reports whether the server is there. It costs the server nothing and
// loads no model.
func (m *Model) Probe(ctx context.Context) error {
	if _, err := m.version(ctx); err != nil {
		return m.failed(ctx, err)
	}
	return nil
}
