// Package report tells what an experiment has shown, to people and to programs.
//
// [New] compares the arms of an [Experiment] with its control and gives a
// [Report], which is JSON by itself. [Report.Markdown] and [Report.SVG] say the
// same in English or Chinese; a picture needs no script, font or network.
//
// The package decides nothing itself: that is done by experiment/stats.
package report
