// Package engine runs one model of llama.cpp in process and answers chat
// requests with it.
//
// An [Engine] is a [chat.Model]. One goroutine, the loop, owns the llama
// context: it takes sequences from a mailbox, puts the next token of every one
// that is being answered and pieces of the waiting prompts into one batch,
// decodes it, has all processors draw the next tokens, and hands each to its
// reader over a bounded ring. A reader who is slow pauses his own sequence.
// Everything that touches text (templates, tokens, stop strings, runes) runs in
// the goroutine of the request, not in the loop.
//
// What has been decoded stays in the KV cache, until room is needed or it has
// cost more than it can save, and serves every later prompt of the same principal
// that begins alike, with the same adapter. A model whose cache cannot be shared
// is served from checkpoints beside it. Where the cache is full, a sequence gives way, of those of the lowest
// priority the youngest, and is decoded again later; nothing is cut off. Who
// gets a free slot, and whose prompt is read first, is a matter of priority, and
// then of which principal was served least. Adapters come and go between two
// steps.
//
// An Engine is a [chat.Embedder], [chat.Reranker] and [chat.Tokenizer] too. The
// embedder has a goroutine and a llama context of its own, made when it is first
// asked, so the loop does not wait for it. A model that was made for embeddings
// or reranking does nothing else.
//
// A seed fixes the draws. The logits themselves may differ in their last bits
// with the shape of the batch they were computed in, so the same request can,
// at a near tie, get another answer in other company.
//
// A C++ exception or a failed assertion in llama.cpp aborts the process, so
// nothing reaches it that has not been checked here, and the program that
// imports this package, bendi-engine, runs as a supervised worker.
//
// How a model writes reasoning and tool calls is package dialect's, and how a
// text is kept to a schema package grammar's. A constraint fails closed: what
// the model drew is kept if the grammar allows it, else the likeliest tokens
// are asked, then all, and without any the request fails. The engine reads text
// parts alone; a request that asks for more is refused by the name of its
// field.
package engine
