package llamacpp

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
)

// maxLook is the most bytes that [Worker.Get] reads.
const maxLook = 4 << 20

// Get returns what the worker serves at a path besides answers, such as
// /metrics and /slots. It does not wait for a worker that is not there.
func (w *Worker) Get(ctx context.Context, path string) ([]byte, error) {
	w.mu.Lock()
	missing := w.condition()
	w.mu.Unlock()
	if missing != nil {
		return nil, missing
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", w.socket)
	}
	// A connection for each: the next process has the same socket.
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("model %s: asking its worker: %w", w.cfg.Name, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxLook+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("model %s: reading its worker's %s: %w", w.cfg.Name, path, err)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("model %s: its worker has no %s: status %d", w.cfg.Name, path, res.StatusCode)
	case len(body) > maxLook:
		return nil, fmt.Errorf("model %s: its worker's %s has more than %d bytes", w.cfg.Name, path, maxLook)
	}
	return body, nil
}

// Restarts returns how often the worker had to be started again.
func (w *Worker) Restarts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.attempt - 1
}
