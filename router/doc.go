// Package router picks the model that answers a request.
//
// A [Route] is what a path offers: models by name, the one that answers when
// the request names none, and aliases. It is a [chat.Model] over the models it
// was given and passes their events on as they are, with the name of the
// backend that answers.
//
// A Route keeps no state and starts no goroutines. Its methods may be called
// concurrently.
package router
