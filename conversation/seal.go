package conversation

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// A Sealer encrypts what is stored, by AES-256-GCM. A sealed value names its
// key and is bound to its session and version: changed, or moved to another
// session, it does not open. Neither does what was never sealed, which whoever
// can write to the store could put there. That somebody puts a whole value back
// that was there before, with its version, is not noticed.
//
// A nil Sealer seals nothing.
type Sealer struct {
	ReadPlain bool // what was stored before there was a key is read as well

	keys []sealKey // the first seals, all open
}

type sealKey struct {
	id   string
	aead cipher.AEAD
}

// A SealKey is a key of a [Sealer].
type SealKey struct {
	ID     string // 1 to 64 bytes, which stand before what it seals
	Secret []byte // 32 bytes
}

// NewSealer returns a Sealer. The first key seals; the others open what they
// have sealed before.
func NewSealer(keys ...SealKey) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("a sealer needs at least one key")
	}
	s := new(Sealer)
	for _, k := range keys {
		if len(k.Secret) != 32 {
			return nil, fmt.Errorf("encryption key %q has %d bytes, AES-256 wants 32; make one with: openssl rand -base64 32", k.ID, len(k.Secret))
		}
		if k.ID == "" || len(k.ID) > 64 {
			return nil, fmt.Errorf("the id of an encryption key has 1 to 64 bytes, not %d", len(k.ID))
		}
		if s.key(k.ID) != nil {
			return nil, fmt.Errorf("two encryption keys are called %q", k.ID)
		}
		block, err := aes.NewCipher(k.Secret)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, sealKey{k.ID, aead})
	}
	return s, nil
}

func (s *Sealer) key(id string) *sealKey {
	if s == nil {
		return nil
	}
	for i := range s.keys {
		if s.keys[i].id == id {
			return &s.keys[i]
		}
	}
	return nil
}

// sealed is the first byte of what is sealed; JSON begins otherwise.
const sealed = 1

// seal returns what is to be stored as a version of a session.
func (s *Sealer) seal(key Key, version uint64, text []byte) []byte {
	if s == nil {
		return text
	}
	k := &s.keys[0]
	out := append([]byte{sealed, byte(len(k.id))}, k.id...)
	nonce := make([]byte, k.aead.NonceSize())
	rand.Read(nonce) // never fails
	return k.aead.Seal(append(out, nonce...), nonce, text, bound(key, version))
}

// errPlain is the error of a value that is to be sealed and is not.
var errPlain = errors.New("the session is not encrypted, and sessions.encryption_keys are set: it is not believed. Where it is from before that, set sessions.read_unencrypted until 'bendi sessions reseal' has run; otherwise somebody has written to the store")

// open returns what was sealed, or what never was, where that is read.
func (s *Sealer) open(key Key, version uint64, data []byte) ([]byte, error) {
	id, rest, is, err := sealedBy(data)
	if err == nil && !is && s != nil && !s.ReadPlain {
		err = errPlain
	}
	if err != nil || !is {
		return data, err
	}
	k := s.key(id)
	if k == nil {
		return nil, fmt.Errorf("the session is encrypted with the key %q, which is not configured: add it behind the others in sessions.encryption_keys", id)
	}
	n := k.aead.NonceSize()
	if len(rest) < n {
		return nil, fmt.Errorf("a stored session of %d bytes is damaged: it ends in its nonce", len(data))
	}
	text, err := k.aead.Open(nil, rest[:n], rest[n:], bound(key, version))
	if err != nil {
		return nil, fmt.Errorf("the session does not open with the key %q: it was changed in the store, or that key is not what it was", id)
	}
	return text, nil
}

// current reports whether data is as seal would store it now.
func (s *Sealer) current(data []byte) bool {
	id, _, is, err := sealedBy(data)
	if s == nil {
		return !is
	}
	return err == nil && is && id == s.keys[0].id
}

// sealedBy returns the id of the key that data is sealed with, if it is.
func sealedBy(data []byte) (id string, rest []byte, is bool, err error) {
	if len(data) == 0 || data[0] != sealed {
		return "", nil, false, nil
	}
	if len(data) < 2 || len(data) < 2+int(data[1]) {
		return "", nil, true, fmt.Errorf("a stored session of %d bytes is damaged: it ends in the name of its key", len(data))
	}
	n := 2 + int(data[1])
	return string(data[2:n]), data[n:], true, nil
}

// bound is what a sealed value is bound to.
func bound(key Key, version uint64) []byte {
	b := binary.AppendUvarint(nil, uint64(len(key.Owner)))
	b = append(b, key.Owner...)
	b = binary.AppendUvarint(b, uint64(len(key.ID)))
	b = append(b, key.ID...)
	return binary.BigEndian.AppendUint64(b, version)
}
