// Package stats decides what an experiment has shown.
//
// A [Tally] holds what is known of one metric in one arm; [Compare] sets an arm
// beside the control. Its intervals and p-values are sequential: they hold at
// every look at once, so that a report may be read as often as anybody likes and
// an experiment stopped at any of them.
//
// What is drawn by lot is a unit, such as a session, and not a request. Requests
// of one unit resemble each other, so every variance here is one between units.
// docs/experiments.md names the methods, their sources and their limits.
//
// The package starts nothing and keeps nothing. A Tally may not be used by several
// goroutines at once.
package stats
