package remote

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// isWhole reports whether a response has a whole answer in its body. A server
// may stream what nobody has asked it to.
func isWhole(res *http.Response) bool {
	encoding := res.Header.Get("Content-Encoding")
	return res.StatusCode == http.StatusOK && strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") &&
		(encoding == "" || encoding == "identity")
}

// whole reads a whole answer, of a size if that is known, and emits it.
func (a *answer) whole(body io.Reader, size int64, emit func(chat.Event) bool) error {
	text, err := readAll(body, size)
	switch {
	case err != nil:
		return brokenOff(err)
	case len(text) > maxEvent:
		return brokenOff(fmt.Errorf("an answer of more than %d bytes", maxEvent))
	}
	events, err := wire.DecodeCompletion(text)
	if err != nil && holdsError(text) {
		e := wire.DecodeError(0, text)
		e.Kind = chat.BadBackend // it said that all was well
		return &said{e: e}
	}
	if e, ok := errors.AsType[*chat.Error](err); ok {
		return ours(e)
	}
	if err != nil {
		return err
	}
	for _, ev := range events {
		pass, err := a.take(ev)
		if err != nil {
			return err
		}
		if pass && !emit(ev) {
			return nil
		}
	}
	last, err := a.end()
	if err != nil {
		return err
	}
	emit(last)
	return nil
}

// readAll reads a body, or one byte more of it than an answer may have.
func readAll(body io.Reader, size int64) ([]byte, error) {
	if size < 0 || size > maxAhead {
		return io.ReadAll(io.LimitReader(body, maxEvent+1))
	}
	text := make([]byte, size)
	_, err := io.ReadFull(body, text)
	return text, err
}

const maxAhead = 1 << 20 // bytes that room is made for before they come
