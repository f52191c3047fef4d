// Package audit keeps a [Record] of each request in a chain of package chain,
// and answers what was asked, by whom, and how much: it finds records and adds
// them up.
//
// A Record has no word of a request or an answer. Of the name that a client
// gives a session it has a hash.
package audit
