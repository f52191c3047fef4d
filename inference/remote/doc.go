// Package remote answers from a server that speaks the OpenAI Chat Completions
// protocol: vLLM, SGLang, llama-server, a hosted service, another Bendi, or a
// worker of our own at the other end of a unix socket.
//
// A [Model] asks for a stream and holds the server to the contract of
// [chat.Model]. An answer is whole when each choice has finished and the
// stream has ended with "[DONE]"; anything else that ends a stream is an error,
// so a connection cut anywhere never looks like a short answer. The usage
// comes last whenever the server sends it. From a server that sends none, the
// last event carries what is known: no prompt tokens, and a completion token
// for each delta, of which a server seldom puts several into one.
//
// Failures are of these kinds:
//
//   - Unavailable: no connection to the server could be had.
//   - BadBackend: it broke off, answered something else than a stream, broke
//     the contract, failed inside, or refused the gateway's key, which must
//     not look as if the client's own were refused; that has the code
//     backend_auth.
//   - Timeout: it sent nothing for too long.
//   - Any other is what the server said, by status or within the stream: the
//     request is invalid, the model unknown, the rate too high.
//
// The package follows no redirect, asks for no compression and reads no proxy
// from the environment, so a key goes to the configured server alone. It
// neither retries nor falls back: package router owns that. The one exception
// is net/http's own, which asks a server over the network again when that had
// closed an idle connection and not a byte of an answer has come.
package remote
