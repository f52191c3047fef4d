// Package engine runs one model of llama.cpp in process and answers chat
// requests with it.
//
// An [Engine] is a [chat.Model]. One goroutine, the loop, owns the llama
// context: it takes requests from a mailbox, puts the next token of every
// running sequence and a piece of the waiting prompts into one batch, decodes
// it, samples, and hands each token to the request it belongs to. Everything
// that touches text (templates, tokens, stop strings, runes) runs in the
// goroutine of the request, not in the loop.
//
// A C++ exception or a failed assertion in llama.cpp aborts the process, so
// nothing reaches it that has not been checked here, and the program that
// imports this package, bendi-engine, runs as a supervised worker.
//
// The package supports one choice for each request, text parts alone, and
// neither tools nor constrained output; a request that asks for more is
// refused by the name of its field.
package engine
