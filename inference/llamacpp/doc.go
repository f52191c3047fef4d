// Package llamacpp runs llama.cpp in a process of its own and answers from it.
//
// A failed assertion inside llama.cpp aborts its process, so the gateway never
// loads the library: for each model a [Worker] starts and supervises one
// bendi-engine, speaks the OpenAI wire with it over a unix socket that nobody
// else can reach, and is a [chat.Model].
//
// What it promises:
//
//   - A worker that dies is started again, at once the first time. Requests
//     that come meanwhile wait; those that were being answered end with an
//     error within a second. Other workers do not notice.
//   - A model on demand is loaded once for all who ask at the same time, where
//     [Config.Admit] has room for it, and unloaded only while nobody does. What
//     keeps it from being loaded is told to all of them.
//   - A worker that keeps dying is given up as failed, with the last lines of
//     its log in the error, and tried again once a minute.
//   - No worker outlives its gateway, however that ends: a worker exits when
//     the pipe at its standard input closes. Close ends its whole process group.
//   - A worker sees none of the gateway's environment but what llama.cpp and
//     its drivers need.
//
// It does not notice a worker that lives and hangs after it got ready, and it
// never drains: whoever calls Close has let the answers finish first.
package llamacpp
