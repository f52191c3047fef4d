// Package pii finds personal data and secrets in a stream of text: telephone
// numbers, identity cards, bank cards, addresses, keys and the like, as they
// are written in China.
//
// A [Detector] knows which types to look for; each stream has a [Scanner] of
// its own, which is a [find.Finder]. What has a check digit is checked, what
// has a date must have one that exists, and what is no more than a number needs
// a word before it that says what it is. So order numbers, timestamps and
// versions are left alone. What is found is a claim about the form of a text,
// not about the world: whether a number is anybody's is not known here.
//
// Digits may be written in full width, in circles or in Chinese, separated as
// people separate them, and with invisible characters between them.
//
// However the stream is cut up, the same is found. Words before a value are
// looked for in what has passed already, so a Scanner holds back no more than
// the beginning of what may yet become a value: nothing of Chinese prose but
// a rune here and there, a word of English. It holds back at most
//
//	an identity or bank card, a telephone number    19 digits with what separates them
//	an email address                                64 bytes, then 253
//	a login in a URL                                256 bytes
//	an address                                      64 runes
//	a plate, a name                                 9 runes
//	a key, a token, a value after "password="       8 KiB; what is longer is told in pieces
//
// The package keeps no state but that of its Scanners, and calls nobody.
package pii
