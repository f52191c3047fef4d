package main

import (
	"os"
	"runtime/debug"
)

// collectorPercent is how much garbage may come together before it is
// collected, in percent of what is in use. What is in use is mostly the words of
// the filter, some MB; with Go's 100 they are looked through a dozen times a
// second under load.
const collectorPercent = 200

// paceCollector sets the pace of the garbage collector, unless the environment
// does: GOGC, or GOMEMLIMIT for an upper bound.
func paceCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectorPercent)
	}
}
