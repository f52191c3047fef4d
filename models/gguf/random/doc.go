// Package random makes models of random weights: GGUF files of the llama
// architecture, in any shape, that llama.cpp loads and runs like real ones; and
// of two others, which remember in other ways: see [Memory].
//
// How fast a model is depends on its shape and hardly on its weights, so such a
// model stands in for one of gigabytes wherever time and memory are measured.
// What it says is noise, though as varied as what a real model says: the logits
// have the spread that [Shape.Spread] names.
//
// The vocabulary has a token for every byte, so that any text can be a prompt,
// a token for each role, the control tokens of ChatML, and tokens of plain text
// up to the size asked for. The template is ChatML. With texts of the letters in
// [Letters], the number of tokens is that of letters and can be told
// beforehand: [PromptTokens].
//
// A file is written front to back, in memory that does not grow with it. The
// same shape and seed make the same bytes.
package random
