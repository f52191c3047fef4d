// Package wire is the JSON of the OpenAI Chat Completions protocol, both ways:
// what a client sends becomes a [chat.Request], [chat.Event] values become
// what a client reads, and the other way round for a client of our own.
//
// Beside it, in the same way, are embeddings, reranking in the shape of Jina
// and Cohere, the tokens of texts in the shape of llama.cpp's server, and
// moderations.
//
// The server half is [DecodeRequest], [Stream], [Completion] and
// [EncodeError]; the client half is [EncodeRequest], [Chunks] and
// [DecodeError]. Either half reads what the other writes, and what the usual
// SDKs and servers write as well.
//
// Bodies are taken apart by package body, which says what gets through and how
// faults are named.
//
// The package knows the bodies alone. Paths, headers and connections belong to
// its callers.
package wire
