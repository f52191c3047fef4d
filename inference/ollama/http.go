package ollama

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"time"

	"bendi/chat"
	"bendi/internal/upstream"
)

const (
	maxLine   = 16 << 20  // bytes of one line of an answer
	maxWhole  = 256 << 20 // bytes of an answer that is one body
	maxOther  = 64 << 10  // bytes read of an answer that is a failure
	drainTime = 100 * time.Millisecond
)

// whole asks for an answer that is one JSON value.
func whole[T any](ctx context.Context, m *Model, method, path, model string, in any) (*T, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errLeft)
	res, err := m.send(ctx, method, path, in)
	if err != nil {
		return nil, causeOf(ctx, err)
	}
	defer res.Body.Close()
	body := newIdleReader(res.Body, m.cfg.IdleTimeout, cancel)
	if err := check(res, body, model); err != nil {
		return nil, causeOf(ctx, err)
	}
	text, err := io.ReadAll(io.LimitReader(body, maxWhole+1))
	switch {
	case err != nil:
		return nil, causeOf(ctx, brokenOff(err))
	case len(text) > maxWhole:
		return nil, chat.Errorf(chat.BadBackend, "Ollama sent more than %d bytes", maxWhole)
	}
	out := new(T)
	if err := json.Unmarshal(text, out); err != nil {
		return nil, &chat.Error{Kind: chat.BadBackend, Msg: fmt.Sprintf("what answered %s sent no JSON of Ollama's; see whether the URL is that of an Ollama server", path), Err: shapeOf(err)}
	}
	return out, nil
}

// stream posts a request and yields the lines of the answer, each without an
// error in it. It ends with the stream, however that ended. A consumer that
// leaves because the answer is over sets over, and the connection is kept.
func (m *Model) stream(ctx context.Context, path, model string, in any, over *bool) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(errLeft) // on break, return and panic alike
		res, err := m.send(ctx, http.MethodPost, path, in)
		if err != nil {
			yield(nil, causeOf(ctx, err))
			return
		}
		defer res.Body.Close()
		body := newIdleReader(res.Body, m.cfg.IdleTimeout, cancel)
		if err := check(res, body, model); err != nil {
			yield(nil, causeOf(ctx, err))
			return
		}
		for line, err := range lines(body, maxLine) {
			if err == nil {
				err = inBand(line, model)
			} else if _, ours := errors.AsType[*chat.Error](err); !ours {
				err = brokenOff(err)
			}
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(line, nil) {
				break
			}
		}
		if *over {
			// What is left of the body is read, or net/http closes the
			// connection. The server gets a moment for it, not more.
			timer := time.AfterFunc(drainTime, func() { cancel(errLeft) })
			defer timer.Stop()
			io.CopyN(io.Discard, body, maxOther)
		}
	}
}

// causeOf returns why ctx ended where it has, since that is why anything broke.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// send sends a request and returns the response, whatever its status.
func (m *Model) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encoding the request for %s: %w", path, shapeOf(err))
		}
		if m.cfg.Sent != nil && asks(path) {
			m.cfg.Sent(ctx, text)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, m.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/x-ndjson, application/json")
	req.Header.Set("User-Agent", "bendi")
	if m.cfg.Key != "" {
		req.Header.Set("Authorization", "Bearer "+m.cfg.Key)
	}
	req.Header["Idempotency-Key"] = nil // not sent; net/http wants to see it before it replaces a stale connection

	res, connected, err := upstream.Do(m.client, req)
	if err == nil {
		return res, nil
	}
	if !connected {
		return nil, &chat.Error{Kind: chat.Unavailable, Msg: "Ollama cannot be reached; start it with `ollama serve`, or correct the backend's url or socket", Err: err}
	}
	return nil, brokenOff(err)
}

// asks reports whether what is sent to a path has words of users.
func asks(path string) bool {
	return path == "/api/chat" || path == "/api/generate" || path == "/api/embed"
}

// check returns an error unless res begins an answer of Ollama's.
func check(res *http.Response, body io.Reader, model string) error {
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	encoding := res.Header.Get("Content-Encoding")
	isJSON := media == "application/x-ndjson" || media == "application/json"
	switch {
	case encoding != "" && encoding != "identity":
		return chat.Errorf(chat.BadBackend, "what answered for Ollama packed its answer as %q, which nobody asked for; see whether a proxy does that", cut(encoding, 32))
	case res.StatusCode == http.StatusOK && isJSON:
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(body, maxOther))
	if err != nil && len(text) == 0 {
		return brokenOff(err)
	}
	if res.StatusCode == http.StatusOK || !isJSON {
		return stranger(res.StatusCode, media)
	}
	err = refusal(res.StatusCode, message(text), model)
	if e, ok := errors.AsType[*chat.Error](err); ok {
		e.RetryAfter = max(e.RetryAfter, upstream.RetryAfter(res.Header.Get("Retry-After"), time.Now()))
	}
	return err
}
