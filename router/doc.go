// Package router decides who answers a request.
//
// A [Route] is what a path offers: models by name, the one that answers when
// the request names none, and aliases. Behind a name stands a [chat.Model],
// which may be a [Pool]: several backends that can answer for one another.
//
// A Pool picks a [Backend] by load, weight or the prompt's beginning, keeps
// away from those whose breaker is open, and moves on where one fails. It moves
// on only while nothing real has been said: from the first token on an answer
// belongs to its backend, and trying elsewhere would repeat text. Its [Egress]
// says what may be asked of a backend outside of the house; no retry, fallback
// or hedge gets around that, since all of them pick from the same candidates.
//
// What a Pool promises of an answer is what [chat.Model] promises. A backend
// that ends early or goes on for too long is a failure, and what a client is
// told was a whole answer was one. A client that leaves is neither a failure of
// the backend nor a success.
//
// Nothing here is retried without a bound: there is a limit to the tries of a
// request, to the time until its first token, and to the part of all requests
// that may be retries at a time.
//
// There are no goroutines but the one of a hedge, which ends with its answer,
// and those of [Watch] while that runs. All methods may be called concurrently.
package router
