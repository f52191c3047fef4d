//go:build race

package link

import (
	"testing"
	"time"
)

// Under the race detector, which breaks where much happens in a bubble of
// synctest (golang/go#78156), time is what it is, and the line short.
func inBubble(t *testing.T, f func(*testing.T)) { f(t) }

const lineDelay = 4 * time.Millisecond
