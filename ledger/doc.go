// Package ledger keeps what happened: one [Entry] for each request, once it has
// ended, as the client saw it. It never holds a word of a request or an answer.
//
// [Record] makes the entries. Who is told of them, such as the experiments, is
// the caller's choice.
package ledger
