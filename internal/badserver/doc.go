// Package badserver is a server that misbehaves as it is told: it plays a
// script of bytes, pauses and ways to end a connection to whoever asks it over
// HTTP/1.1, and remembers what it was asked and when it was left. A name server
// of the kind is there as well.
//
// Nothing stands between a script and the socket, so that it can say what no
// HTTP library would. The package is for tests.
package badserver
