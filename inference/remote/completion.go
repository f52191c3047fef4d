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

// whole reads a whole answer and emits it.
func (a *answer) whole(body io.Reader, emit func(chat.Event) bool) error {
	text, err := io.ReadAll(io.LimitReader(body, maxEvent+1))
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
