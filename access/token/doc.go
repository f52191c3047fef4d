// Package token takes signed tokens (JWT, RFC 7519) for keys.
//
// Each [Issuer] says who signs, with which algorithms, and what its tokens may
// at most open. A [Verifier] takes a token only if all of these hold; of the
// others, who made them learns in a word why, and nothing else:
//
//   - It is signed, not encrypted, has three parts and at most
//     [access.MaxSecretLength] bytes, which is checked before anything is parsed.
//   - No part of it has a name twice, in which two readers could see two tokens.
//   - Its algorithm is one of its issuer's, and the key is of the kind that this
//     algorithm takes: a public key is never taken for a secret.
//   - Its header names a key by kid at most, which is looked up and nothing else.
//     A token that brings its own key (jwk, jku, x5c, x5u) or asks for extensions
//     (crit, b64) is refused.
//   - iss, aud and exp are there and right; nbf and iat are, where they are there.
//     Clocks may differ by the leeway of the issuer.
//   - Its jti is not denied.
//
// What a token claims can narrow what its issuer opens, and never widen it.
package token
