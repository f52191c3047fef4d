//go:build !race

package link

import (
	"testing"
	"testing/synctest"
	"time"
)

func inBubble(t *testing.T, f func(*testing.T)) { synctest.Test(t, f) }

const (
	lineDelay = 80 * time.Millisecond
	realTime  = false
)
