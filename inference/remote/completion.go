package remote

import (
	"errors"
	"fmt"
	"io"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

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
	if err != nil {
		if said := inBand(text); said != nil {
			return said
		}
		if e, ok := errors.AsType[*chat.Error](err); ok {
			return ours(e)
		}
		return err
	}
	if more, err := a.pass(events, emit); !more {
		return err
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
