package llamacpp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"time"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// Paths at which a worker loads and unloads adapters, with vLLM's fields.
const (
	LoadAdapterPath   = "/v1/load_lora_adapter"
	UnloadAdapterPath = "/v1/unload_lora_adapter"
)

// An AdapterChange is the body of a request to either path.
type AdapterChange struct {
	Name string `json:"lora_name"`
	Path string `json:"lora_path,omitempty"` // of the file; to load alone
}

// Adapters returns the files of the adapters that the model has, by name.
func (w *Worker) Adapters() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.cfg.Adapters)
}

// LoadAdapter adds an adapter to the model, and to every process to come. The
// file must have been inspected. It waits for a process that is being started.
func (w *Worker) LoadAdapter(ctx context.Context, name, path string) error {
	if _, there := w.Adapters()[name]; there {
		return chat.Errorf(chat.Conflict, "model %s has an adapter %s already: unload it first, or choose another name", w.cfg.Name, name)
	}
	return w.changeAdapters(ctx, LoadAdapterPath, AdapterChange{name, path}, func(all map[string]string) { all[name] = path })
}

// UnloadAdapter removes an adapter from the model, and from every process to
// come. It waits for the answers that are being given with it.
func (w *Worker) UnloadAdapter(ctx context.Context, name string) error {
	if _, there := w.Adapters()[name]; !there {
		return &chat.Error{Kind: chat.NotFound, Code: chat.CodeModelNotFound, Msg: fmt.Sprintf("model %s has no adapter %s", w.cfg.Name, name)}
	}
	return w.changeAdapters(ctx, UnloadAdapterPath, AdapterChange{Name: name}, func(all map[string]string) { delete(all, name) })
}

// changeAdapters has the process that there is make a change, and notes it.
// From its beginning on an adapter to be unloaded is not listed any more.
func (w *Worker) changeAdapters(ctx context.Context, path string, c AdapterChange, change func(map[string]string)) error {
	w.changing.Lock()
	defer w.changing.Unlock()
	note := func() { // w.mu is held
		all := maps.Clone(w.cfg.Adapters)
		if all == nil {
			all = make(map[string]string)
		}
		change(all)
		w.cfg.Adapters = all
		w.models = w.cfg.models()
	}
	for {
		w.mu.Lock()
		state, changed := w.state, w.changed
		switch state {
		case closed:
			defer w.mu.Unlock()
			return w.refusal()
		case unloaded, failed:
			defer w.mu.Unlock()
			note() // the next process is started so
			return nil
		case ready:
			if path == UnloadAdapterPath {
				note()
			}
			w.mu.Unlock()
			err := w.post(ctx, path, c)
			if err == nil && path == LoadAdapterPath {
				w.mu.Lock()
				note()
				w.mu.Unlock()
			}
			return err
		}
		w.mu.Unlock()
		select { // it was begun with what there was then
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// post has the process do something.
func (w *Worker) post(ctx context.Context, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", w.socket)
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: 10 * time.Minute}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return &chat.Error{Kind: chat.Unavailable, Msg: fmt.Sprintf("the engine of model %s did not answer: try again", w.cfg.Name), Err: err}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxLook))
	if err != nil || res.StatusCode == http.StatusOK {
		return err
	}
	return wire.DecodeError(res.StatusCode, answer)
}
