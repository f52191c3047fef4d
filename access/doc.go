// Package access decides who may ask, what for, and how much.
//
// An [Identity] is who asks. [Keys] holds the API keys that a configuration
// names, and a [Store] those that are made while the server runs: it keeps
// keyed hashes in a file, never a secret, and takes over within a moment what
// other processes change in it. [Scopes] are the routes and models an Identity
// may use, [Limits] how much of them. [IsLoopback] tells whether a listen
// address can be reached from other machines, which is when a key is required.
//
// Package token makes an Identity of a signed token, package limit counts, and
// package redis counts for several gateways together.
//
// The package knows no HTTP.
package access
