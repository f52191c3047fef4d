package main

import (
	"bytes"
	"log"
	"log/slog"
)

// mute has what libraries print on their own go to a log, without the words
// that they quote: net/http prints what a backend sends by an idle connection,
// which may be anybody's answer, and keys.
func mute(to *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(muted{to})
}

type muted struct{ log *slog.Logger }

func (m muted) Write(line []byte) (int, error) {
	said, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(`"`))
	m.log.Debug("a library: " + string(said))
	return len(line), nil
}
