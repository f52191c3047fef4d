// Package responses is the JSON of the OpenAI Responses protocol: what a client
// sends becomes a [chat.Request], and [chat.Event] values become what it reads,
// whole or as a stream of events.
//
// A conversation is a list of items here: messages, reasoning, calls of
// functions and what those gave. [chat.Message] has the first three in one. An
// answer's items come in the order in which it was generated.
//
// A response that is kept is a turn of a session, and its [ID] says of which
// one. What the client is told of it later is made of the turn, as the filter
// let it pass; see [Turn]. Items have ids that follow from that of their
// response, so that none has to be stored.
//
// What is meant for OpenAI's own servers and would not change the answer is
// accepted and not passed on. What would change it and cannot be done is
// refused: tools that a server runs, background work, stored prompts and files.
//
// The package knows the bodies alone. Paths, headers and connections belong to
// its callers.
package responses
