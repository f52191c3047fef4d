package access

import (
	"context"
	"crypto/rand"
	"fmt"
)

// MinSecretLength is the shortest secret, in bytes, that is accepted for a
// key: below it, guessing over the network is a matter of patience.
const MinSecretLength = 16

// Keys is a set of named API keys. The zero Keys is empty: nobody has a key,
// and [Keys.Check] refuses every secret. A Keys does not change once filled,
// and may then be used concurrently.
type Keys struct {
	pepper pepper // of this process alone
	byHash map[hash]Identity
}

// Add puts the key of who into the set. It refuses an empty name, a secret
// shorter than [MinSecretLength] or longer than [MaxSecretLength], and a name or
// a secret that is there already, so that a secret always belongs to exactly one
// name. Its errors never quote a secret.
func (k *Keys) Add(who Identity, secret string) error {
	if who.Name == "" {
		return fmt.Errorf("an API key needs a name")
	}
	if len(secret) < MinSecretLength || len(secret) > MaxSecretLength {
		return fmt.Errorf("API key %q has %d characters, it needs at least %d and at most %d; make one with: openssl rand -hex 24", who.Name, len(secret), MinSecretLength, MaxSecretLength)
	}
	if k.byHash == nil {
		k.pepper = make(pepper, pepperSize)
		rand.Read(k.pepper)
		k.byHash = make(map[hash]Identity)
	}
	h := k.pepper.hash(secret)
	if have, twice := k.byHash[h]; twice && have.Name != who.Name {
		return fmt.Errorf("API keys %q and %q have the same secret", have.Name, who.Name)
	}
	for _, have := range k.byHash {
		if have.Name == who.Name {
			return fmt.Errorf("two API keys are named %q", who.Name)
		}
	}
	k.byHash[h] = who
	return nil
}

// Len is the number of keys.
func (k *Keys) Len() int { return len(k.byHash) }

// Has reports whether a key has that name.
func (k *Keys) Has(name string) bool {
	for _, who := range k.byHash {
		if who.Name == name {
			return true
		}
	}
	return false
}

// Check returns whose key the secret is. A secret is looked up by its keyed
// hash, so that how long it takes says nothing about any other secret.
func (k *Keys) Check(_ context.Context, secret string) (Identity, error) {
	if len(k.byHash) == 0 || len(secret) > MaxSecretLength {
		return Identity{}, unknown()
	}
	who, ok := k.byHash[k.pepper.hash(secret)]
	if !ok {
		return Identity{}, unknown()
	}
	return who, nil
}

// String tells how many keys there are, and nothing of them.
func (k Keys) String() string { return fmt.Sprintf("%d API keys", len(k.byHash)) }

// GoString is String.
func (k Keys) GoString() string { return k.String() }
