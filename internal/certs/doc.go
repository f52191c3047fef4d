// Package certs is how a server proves who it is, and whom it lets in: it reads
// certificates and their keys, says what is wrong with them and what to do
// about it, serves them, and makes some.
//
// What it promises:
//
//   - [Load] takes nothing that a client would refuse: a chain without one of
//     its intermediates, a key of another certificate, a key that others on
//     this machine can read, a certificate that has expired or names no host.
//   - A [Keeper] changes what is served from one handshake to the next, and
//     whole. Connections that are open go on.
//   - Nothing that is fetched, such as what a CA says about a certificate, is
//     waited for by a handshake.
//   - Where clients have to show a certificate, a file that cannot be read lets
//     nobody in; and who was let in by a CA before is not let in by that alone
//     once the CA has changed.
//
// Where [Settings] say so it orders its certificates by ACME, in the background.
//
// It reads no lists of revoked client certificates: take a client's CA away
// instead.
package certs
