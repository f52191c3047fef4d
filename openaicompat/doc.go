// Package openaicompat serves models to OpenAI clients over HTTP. It is the
// only package that knows how Bendi looks from there; the JSON is package
// wire's, and everything behind it is a [chat.Model].
//
// A route at path P answers POST at P, P/completions and P/chat/completions,
// and P is a base URL for SDKs: it has P/models and P/models/{id}, and POST at
// P/embeddings, P/rerank, P/tokenize and P/detokenize for the models that can,
// and at P/moderations where a filter judges texts. The Responses protocol is
// at P/responses, and at P/conversations where turns are kept.
// When P ends in "/chat", so is what is before it, which makes /v1/chat serve
// the base URL /v1 as well.
//
// What it promises:
//
//   - Each request ends in exactly one of three ways: a whole answer, one
//     error, or a client that has left. A stream that began and failed ends
//     with an error event and without [DONE]; before its first event, a
//     failure still has its HTTP status.
//   - A client that leaves, or reads nothing for [Options.WriteTimeout], ends
//     the context of its model.
//   - While a stream has no news, comments keep the connection alive, and say
//     where in its model's queue the request is.
//   - Who asks is known by the key alone, never by what a client says of itself;
//     an action of [Options.Actions] is served to whoever may have it done.
//   - Each response has an x-request-id, and each request one line in the log,
//     which holds names, numbers and times but nothing that a user wrote.
//   - Before anything is answered, [Options.Limits] sets aside the most that it
//     can take, and is told in the end what it took, however that comes.
//   - For whoever asks there is what they may use, and nothing else.
//
// It does not end TLS.
package openaicompat
