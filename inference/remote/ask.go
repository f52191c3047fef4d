package remote

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// Probe asks whether the server is there, by a path below its base URL that
// costs nothing, such as "models".
func (m *Model) Probe(ctx context.Context, path string) error {
	_, err := m.get(ctx, path, maxOther)
	return err
}

// Names asks the server for the names of its models.
func (m *Model) Names(ctx context.Context) ([]string, error) {
	text, err := m.get(ctx, "models", maxEvent)
	if err != nil {
		return nil, err
	}
	var list struct {
		Data []struct{ ID string }
	}
	if json.Unmarshal(text, &list) != nil || list.Data == nil {
		return nil, m.failed(chat.Errorf(chat.BadBackend, "the backend's list of models is no such list; is the base URL right?"))
	}
	names := make([]string, len(list.Data))
	for i, d := range list.Data {
		names[i] = d.ID
	}
	return names, nil
}

// get returns the body of an answer, which has at most so many bytes.
func (m *Model) get(ctx context.Context, path string, limit int64) ([]byte, error) {
	text, err := func() ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.base+"/"+strings.TrimPrefix(path, "/"), nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("User-Agent", "bendi")
		m.identify(req.Header)
		res, err := m.client.Do(req)
		if err != nil {
			if e, ok := errors.AsType[*url.Error](err); ok {
				err = e.Err // without the URL, as in post
			}
			return nil, &chat.Error{Kind: chat.Unavailable, Msg: "the backend cannot be reached now; try again later", Err: err}
		}
		defer res.Body.Close()
		text, err := io.ReadAll(io.LimitReader(res.Body, limit))
		switch {
		case err != nil:
			return nil, brokenOff(err)
		case res.StatusCode != http.StatusOK:
			return nil, ours(wire.DecodeError(res.StatusCode, text))
		}
		return text, nil
	}()
	if err == nil {
		return text, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return nil, m.failed(err)
}
