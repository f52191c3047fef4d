// Package access decides who may ask.
//
// [Keys] holds the API keys of a configuration and answers whether a secret
// belongs to one of them. It keeps digests, never the secrets, and takes the
// same time for every answer. [IsLoopback] tells whether a listen address can
// be reached from other machines, which is when a key is required.
//
// The package knows neither HTTP nor where keys are written down.
package access
