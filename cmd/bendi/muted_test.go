package main

import (
	"bytes"
	"log"
	"log/slog"
	"strings"
	"testing"
)

// What libraries print is told at the level of debugging, without quotations.
func TestMute(t *testing.T) {
	flags, to := log.Flags(), log.Writer()
	defer func() { log.SetFlags(flags); log.SetOutput(to) }()
	var out bytes.Buffer
	mute(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=%v", "HTTP/1.1 200 OK canary", nil)
	if got := out.String(); strings.Contains(got, "canary") || !strings.Contains(got, "Unsolicited response") || !strings.Contains(got, "level=DEBUG") {
		t.Errorf("got %s", got)
	}
}
