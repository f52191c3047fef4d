package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SecretPrefix is what the secrets that are made here begin with, by which
// those that look for leaked secrets know them. Behind it are 26 random
// characters and 7 of a checksum, all of them from A to Z and 2 to 7.
const SecretPrefix = "sk-bendi-"

const randomSize, checksumSize = 26, 7 // characters of a secret

// newSecret makes a secret of 130 random bits.
func newSecret() string {
	random := rand.Text()[:randomSize]
	return SecretPrefix + random + checksum(random)
}

func checksum(random string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(random)))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])
}

// isMistyped reports whether a secret was once made here and is not what it was:
// its checksum says so.
func isMistyped(secret string) bool {
	rest, ours := strings.CutPrefix(secret, SecretPrefix)
	if !ours {
		return false
	}
	return len(rest) != randomSize+checksumSize || checksum(rest[:randomSize]) != rest[randomSize:]
}

// hint is by what people tell secrets from each other: the end of the random
// part, of which it keeps 110 bits to itself.
func hint(secret string) string {
	return secret[len(secret)-checksumSize-4 : len(secret)-checksumSize]
}

// A hash is what is kept of a secret.
type hash [sha256.Size]byte

func (h hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

func (h *hash) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(h) {
		return fmt.Errorf("want %d bytes in hexadecimal digits, have %d characters", len(h), len(text))
	}
	copy(h[:], b)
	return nil
}

// A pepper is the key of the hashes: without it, a stolen file of hashes tells
// nothing, not even whether a guess was right.
type pepper []byte

const pepperSize = 32 // bytes

func (p pepper) hash(secret string) (h hash) {
	mac := hmac.New(sha256.New, p)
	mac.Write([]byte(secret))
	mac.Sum(h[:0])
	return h
}

// readPepper reads the pepper in a folder. There is none yet where its error is
// fs.ErrNotExist.
func readPepper(dir string) (pepper, error) {
	path := filepath.Join(dir, pepperFile)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("others may read %s (mode %#o), which protects the API keys: run chmod 600 on it", path, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(p) != pepperSize {
		return nil, fmt.Errorf("%s does not hold %d bytes in hexadecimal digits: restore it, or remove it and %s and make all API keys anew", path, pepperSize, keysFile)
	}
	return p, nil
}

// makePepper reads the pepper in a folder, and makes it where there is none.
func makePepper(dir string) (pepper, error) {
	p, err := readPepper(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	p = make(pepper, pepperSize)
	rand.Read(p)
	return p, replace(filepath.Join(dir, pepperFile), []byte(hex.EncodeToString(p)+"\n"))
}

// readOwn reads a file that others may not write: who could would make an
// operator's key of any.
func readOwn(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return nil, fmt.Errorf("others may write %s (mode %#o), and so make themselves keys: see who has, and run chmod 600 on it", path, mode)
	}
	return io.ReadAll(f)
}

// replace puts a file in place of another, or of none, so that there is the old
// one or the new one, whole, at any time and after any crash.
func replace(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
