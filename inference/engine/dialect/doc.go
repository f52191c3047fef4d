// Package dialect knows how model families write conversations, tool calls
// and reasoning.
//
// A [Template] writes a conversation the way a model was trained on, by the
// Jinja template that comes with the model. [Detect] tells from the template
// and the vocabulary which [Dialect] the model answers in. A [Parser] takes
// the answer apart, while it streams, into content, reasoning and tool calls.
//
// What a Parser promises, and the fuzz tests check:
//
//   - However the text is cut up, the pieces are the same once joined.
//   - Nothing is lost. Text that is not a well-formed call is content, to the
//     letter; the exceptions are the tags themselves and the white space that
//     touches them, listed at [Parser].
//   - No text makes it fail, panic or take more than linear time.
//
// Families that write calls in yet other ways are plain text here, calls
// included: Llama 3 (bare JSON), DeepSeek from V3.2 on, Kimi, MiniMax, Mistral.
//
// The package knows no engine: it sees text alone. It keeps no state beside
// its values; a Template may be used concurrently, a Parser by one goroutine.
package dialect
