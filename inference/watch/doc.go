// Package watch is what can be seen of a running engine: how far a request has
// come, what a step cost, who sits in which slot. It never holds a text or a
// token.
//
// The engine tells an [Observer] what happens and keeps a [View] of what is.
// Whoever makes metrics of them needs neither the engine nor llama.cpp, and the
// engine needs no library for metrics.
package watch
