//go:build race

package link

import (
	"testing"
	"time"
)

// The race detector breaks where much happens in a bubble of synctest
// (golang/go#78156). Under it time is what it is, and the line short; what would
// take minutes is left to runs without it.
func inBubble(t *testing.T, f func(*testing.T)) { f(t) }

const (
	lineDelay = 4 * time.Millisecond
	realTime  = true
)
