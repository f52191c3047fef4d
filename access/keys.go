package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
)

// MinSecretLength is the shortest secret, in bytes, that is accepted for a
// key: below it, guessing over the network is a matter of patience.
const MinSecretLength = 16

// Keys is a set of named API keys. The zero Keys is empty: nobody has a key,
// and [Keys.Check] refuses every secret. A Keys does not change once filled,
// and may then be used concurrently.
type Keys struct {
	keys []key
}

type key struct {
	name   string
	digest [sha256.Size]byte
}

// Add puts a key into the set. It refuses an empty name, a secret shorter than
// [MinSecretLength], and a name or a secret that is there already, so that a
// secret always belongs to exactly one name. Its errors never quote a secret.
func (k *Keys) Add(name, secret string) error {
	if name == "" {
		return fmt.Errorf("an API key needs a name")
	}
	if len(secret) < MinSecretLength {
		return fmt.Errorf("API key %q has %d characters, it needs at least %d; make one with: openssl rand -hex 24", name, len(secret), MinSecretLength)
	}
	digest := sha256.Sum256([]byte(secret))
	for _, have := range k.keys {
		if have.name == name {
			return fmt.Errorf("two API keys are named %q", name)
		}
		if have.digest == digest {
			return fmt.Errorf("API keys %q and %q have the same secret", have.name, name)
		}
	}
	k.keys = append(k.keys, key{name, digest})
	return nil
}

// Len is the number of keys. A server without any is open to whoever reaches
// it.
func (k *Keys) Len() int { return len(k.keys) }

// Check returns the name of the key whose secret is given. The time it takes
// depends on the length of the secret and the number of keys alone, not on
// which key matches or how nearly.
func (k *Keys) Check(secret string) (name string, ok bool) {
	digest := sha256.Sum256([]byte(secret))
	found := -1
	for i := range k.keys {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(k.keys[i].digest[:], digest[:]), i, found)
	}
	if found < 0 {
		return "", false
	}
	return k.keys[found].name, true
}
