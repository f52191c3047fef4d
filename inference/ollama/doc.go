// Package ollama answers from an Ollama server, over its own protocol and not
// the OpenAI one that it also speaks, which has no num_ctx and cuts a prompt
// without a word.
//
// A [Model] holds the server to the contract of [chat.Model]:
//
//   - Each request says how large the window is, and no part of a prompt is
//     ever left out in silence; window.go tells how that is known.
//   - An answer is whole when the server has sent a line that says so, with a
//     reason; a stream that ends otherwise is an error.
//   - What Ollama cannot do and would change the answer is refused by the name
//     of its field, before anything is asked.
//   - A model that the server itself would have answered elsewhere ("cloud"
//     models) is refused: where a request goes is the configuration's choice.
//
// Failures are of these kinds:
//
//   - Unavailable: no connection could be had, or the server's queue is full.
//   - NotFound: the server has no such model; the message has the command that
//     gets it.
//   - BadBackend: it broke off, failed, or what answered is no Ollama.
//   - Timeout: it fell silent in the midst of an answer.
//   - Invalid: the request does not fit the model or its window.
//
// The types of the protocol are those of Ollama's package api where they hold
// all that is said. Its Client is not used: it takes a stream that broke off,
// or a line of more than 512 KB, for the end of the answer, forgets the status
// of a failed one, reads answers of any size, signs requests with the user's
// private key where an environment variable says so, and its types lose what a
// JSON Schema of a tool says beyond types and descriptions, and the order and
// the digits of a call's arguments.
//
// The package follows no redirect, asks for no compression, reads no proxy
// from the environment unless it is told to, and starts no goroutine that
// outlives a call. It neither retries nor falls back: package router owns that.
package ollama
