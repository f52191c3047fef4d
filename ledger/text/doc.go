// Package text keeps the words of requests and answers, where an operator wants
// them kept, in a chain of package chain that has nothing else. Records never have
// a word: what is here is found by the ID that a record has, and when these files
// are removed, sooner than the records or by hand, nothing is missing there.
//
// [Keep] hears what a client was told, [Passed] what the filter let pass of its
// request. Of a request that the filter refused there are no words.
package text
