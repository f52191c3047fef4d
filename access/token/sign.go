package token

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// Sign returns a token with claims, signed by an algorithm with a secret, or with
// a private key in PEM. The kid may be empty.
func Sign(algorithm string, key []byte, kid string, claims map[string]any) (string, error) {
	method := jwt.GetSigningMethod(algorithm)
	if method == nil || algorithm == "none" {
		return "", fmt.Errorf("there is no algorithm %q; there are: %s", algorithm, strings.Join(Algorithms, ", "))
	}
	t := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	if kid != "" {
		t.Header["kid"] = kid
	}
	if strings.HasPrefix(algorithm, "HS") {
		if len(key) < MinSecret {
			return "", fmt.Errorf("the secret has %d bytes, it needs at least %d; make one with: openssl rand -hex 32", len(key), MinSecret)
		}
		return t.SignedString(key)
	}
	private, err := parsePrivate(key)
	if err != nil {
		return "", err
	}
	if err := fits(algorithm, private.Public()); err != nil {
		return "", err
	}
	return t.SignedString(private)
}

// parsePrivate reads a private key in PEM.
func parsePrivate(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			continue // parameters of a curve, a certificate
		}
		if err != nil {
			return nil, errors.New("the private key is damaged, or of a kind that is not known here")
		}
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
	}
	return nil, errors.New("there is no private key in PEM; make one with: openssl genpkey -algorithm ed25519")
}
