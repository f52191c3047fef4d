// Package bank asks a model the questions of a bank and tells how many it
// refused: of those that it should refuse, and of those that it should answer.
//
// [Read] reads a bank from JSON lines or CSV, [Sample] draws questions by a
// seed that can be told, [Run] asks them and [Sum] says what came of it, with
// the confidence intervals that a sample of that size allows.
//
// What a refusal is, [Refusals] decide: an answer that a filter ended, or that
// begins like one. They are wrong at times, so a [Report] lists how each
// question was judged, for a person to look at. It has no words of questions or
// answers but for those it is told to keep.
package bank
