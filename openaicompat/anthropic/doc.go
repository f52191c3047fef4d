// Package anthropic is the JSON of the Anthropic Messages protocol: what a
// client sends becomes a [chat.Request], and [chat.Event] values become what it
// reads, whole or as a stream.
//
// The two protocols do not cut a conversation up alike. Here a tool's result is
// a block of what the user says, and thinking, text and tool calls are blocks of
// one answer in an order of their own; there, a result is a message, and a
// message has its reasoning, its text and its calls. [DecodeRequest] makes as
// many messages of a turn as keep the order of its blocks.
//
// What is meant for Anthropic's own servers is accepted and not passed on:
// cache_control, service_tier and signatures say nothing to any other
// model. What would change the answer and cannot be done is refused.
//
// The package knows the bodies alone. Paths, headers and connections belong to
// its callers.
package anthropic
