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
}

// Tokens checks signed tokens.
type Tokens interface {
	Check(ctx context.Context, token string) (Identity, error)
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

// looksSigned reports whether a secret is of the shape of a signed token, and of
// no key that is made here.
func looksSigned(secret string) bool {
	return strings.Contains(secret, ".") && !strings.HasPrefix(secret, SecretPrefix)
}
