// Package chat is the vocabulary of Bendi: what a request, an answer and a
// failure are, and the one interface everything speaks.
//
// A [Model] answers one [Request] with a stream of [Event] values. A model on
// this machine's GPU is a Model, so is a remote upstream, and so is everything
// that adds something to one: a route, a fallback, the content filter and the
// conversation memory each take a Model and are one.
//
// The package knows neither HTTP nor any engine. It imports the standard
// library alone, and every other package of Bendi may import it.
package chat
