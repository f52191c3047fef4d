package ollama

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/ollama/ollama/api"
	ollamamodel "github.com/ollama/ollama/types/model"

	"bendi/chat"
)

// A Progress tells how far a pull has come.
type Progress struct {
	Step  string // in Ollama's words, such as "pulling manifest" or "verifying sha256 digest"
	Layer string // digest of the part of the model that this is about; may be empty

	Completed, Total       int64 // bytes of the layer; 0 where it is about none
	AllCompleted, AllTotal int64 // bytes of all layers that have begun
}

// Pull has the server get a model, under the server's own name for it, and
// tells progress of each step; progress may be nil. It returns when the model
// is installed and its digests are verified.
//
// Ending ctx ends the download within a second, unless somebody else waits for
// it too. The server keeps what has come: the next Pull goes on from there.
//
// The server connects to where the name says. Names with an address rather
// than a domain are refused, so that nobody who may pull can have it look into
// a network that they do not see.
func (m *Model) Pull(ctx context.Context, name string, progress func(Progress)) error {
	if err := m.pull(ctx, name, progress); err != nil {
		return m.failed(ctx, err)
	}
	return nil
}

func (m *Model) pull(ctx context.Context, name string, progress func(Progress)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := pullable(name); err != nil {
		return err
	}
	layers := map[string]api.ProgressResponse{}
	over := false
	for line, err := range m.stream(ctx, "/api/pull", name, api.PullRequest{Model: name, Stream: new(true)}, &over) {
		if err != nil {
			return err
		}
		var step api.ProgressResponse
		if err := json.Unmarshal(line, &step); err != nil {
			return &chat.Error{Kind: chat.BadBackend, Msg: "Ollama sent a line that is not of its protocol", Err: shapeOf(err)}
		}
		if step.Digest != "" {
			layers[step.Digest] = step
		}
		if progress != nil {
			p := Progress{Step: cut(step.Status, maxSaid), Layer: step.Digest, Completed: step.Completed, Total: step.Total}
			for _, l := range layers {
				p.AllCompleted += l.Completed
				p.AllTotal += l.Total
			}
			progress(p)
		}
		if step.Status == "success" {
			over = true
			m.mu.Lock()
			clear(m.facts) // which may know it by several names
			m.mu.Unlock()
			return nil
		}
	}
	return &chat.Error{Kind: chat.BadBackend, Msg: "Ollama broke off before the model was whole; pull it again, and what has come is kept", Err: io.ErrUnexpectedEOF}
}

// pullable returns an error for a name that is not to be pulled.
func pullable(name string) error {
	n := ollamamodel.ParseName(name)
	switch {
	case !n.IsValid() || strings.Contains(name, "://"):
		return chat.BadParam("model", "is not the name of a model; one looks like qwen3:8b or hf.co/user/model:Q4_K_M")
	case cloud(name):
		return elsewhere()
	}
	// A port is none of a registry's that the world can see, and a domain has a
	// last part that begins with a letter; an address, however written, has none.
	labels := strings.Split(strings.ToLower(n.Host), ".")
	last := labels[len(labels)-1]
	if len(labels) < 2 || strings.Contains(n.Host, ":") || last == "" || last[0] < 'a' || last[0] > 'z' || slices.Contains([]string{"local", "localhost", "internal", "lan"}, last) {
		return chat.BadParam("model", "names a registry by an address or a name of a local network; it must be a domain, such as hf.co")
	}
	return nil
}
