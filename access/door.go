package access

import (
	"context"
	"errors"
	"strings"
)

// A Door is all by which somebody may be known: the keys of a configuration,
// those of a store, and signed tokens.
type Door struct {
	Closed bool   // nobody passes without a secret, whether there is any or not
	Keys   *Keys  // of the configuration
	Store  *Store // nil: there is none
	Tokens Tokens // nil: none is taken
	Roll   *Roll  // of those who have passed; nil: there is none
}

// Tokens checks signed tokens.
type Tokens interface {
	Check(ctx context.Context, token string) (Identity, error)
	// Takes reports whether tokens of an issuer are taken, by its name.
	Takes(issuer string) bool
}

// Needed reports whether a secret is needed: once there is any key or token, or
// has been, it is.
func (d *Door) Needed() bool {
	return d.Closed || d.Keys.Len() > 0 || d.Tokens != nil || d.Store != nil && d.Store.Any()
}

// Check returns who a secret shows to be asking. What the Store knows about it
// comes first: a key that was revoked there opens nothing, wherever else it stands.
func (d *Door) Check(ctx context.Context, secret string) (Identity, error) {
	var known error = unknown()
	if d.Store != nil {
		who, err := d.Store.Check(ctx, secret)
		if err == nil {
			return who, nil
		}
		known = err
		if r, ok := errors.AsType[*Refusal](err); ok && r.Code != invalidKey {
			return Identity{}, err
		}
	}
	if who, err := d.Keys.Check(ctx, secret); err == nil {
		return who, nil
	}
	if d.Tokens != nil && looksSigned(secret) {
		return d.Tokens.Check(ctx, secret)
	}
	return Identity{}, known
}

// Still returns why somebody who was let in would not be any more: the key or the
// token was revoked, or what it was known by is gone from the configuration. A key
// or a token that has only expired since, or a secret that was changed, is no
// reason: what began in time may finish.
func (d *Door) Still(who Identity) error {
	switch p := who.Proof; {
	case p.Issuer != "":
		if d.Tokens == nil || !d.Tokens.Takes(p.Issuer) || d.Store != nil && d.Store.Denied(who.Name, p) {
			return &Refusal{Code: revokedToken, Text: "The token was revoked while this was being answered. Get another where you got it."}
		}
		return nil
	case p.Made && d.Store != nil && d.Store.stands(who.Name), !p.Made && d.Keys.Has(who.Name):
		return nil
	}
	return &Refusal{Code: revokedKey, Text: "The API key was revoked while this was being answered. Ask whoever runs this server for another."}
}

// Enter notes that who is being answered, see [Roll.Enter].
func (d *Door) Enter(who Identity, end func(error)) (leave func()) {
	if d.Roll == nil || who.Name == "" {
		return func() {}
	}
	return d.Roll.Enter(who, end)
}

// looksSigned reports whether a secret is of the shape of a signed token, and of
// no key that is made here.
func looksSigned(secret string) bool {
	return strings.Contains(secret, ".") && !strings.HasPrefix(secret, SecretPrefix)
}
