package chain

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"time"
)

// A Line is a line of a chain.
type Line struct {
	Seq  uint64          `json:"seq"`  // from 1
	Time time.Time       `json:"time"` // when it was written
	Prev string          `json:"prev"` // hash of the line before; zeros before the first
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
	Hash string          `json:"hash"`
}

// Kinds of lines of the chain's own. The others are those of what is kept.
const (
	kindOpen    = "open"    // the first of a file
	kindTorn    = "torn"    // the line before it had been torn, by the end of the program
	kindLost    = "lost"    // what could not be kept
	kindRetired = "retired" // a file was removed because of its age
	kindShort   = "short"   // the end of the chain was missing when the program started
	kindDamaged = "damaged" // the file before it was not whole when the program started
)

const version = 1

type opening struct {
	Version int    `json:"version"`
	Key     string `json:"key,omitempty"` // which one, see keyID; empty: none
}

type torn struct {
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
	Kept   string `json:"kept"` // name of the file that has them
}

type lost struct {
	Lines   uint64    `json:"lines"`   // that were given and are not here
	Refused uint64    `json:"refused"` // requests that were turned away for want of a place for their line
	Since   time.Time `json:"since"`
	Why     string    `json:"why"`
}

type retired struct {
	File  string `json:"file"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	Hash  string `json:"hash"` // of the last line
}

type short struct {
	Missing uint64 `json:"missing"` // lines
	Seq     uint64 `json:"seq"`     // the last that there had been
	Hash    string `json:"hash"`    // likewise
}

type damaged struct {
	File string `json:"file"`
	Line int    `json:"line"`
	What string `json:"what"`
}

// A sealer makes the hashes of lines.
type sealer struct {
	mac hash.Hash
	id  string // of the key
	sum [sha256.Size]byte
}

func newSealer(key []byte) *sealer {
	if len(key) == 0 {
		return &sealer{mac: sha256.New()}
	}
	return &sealer{mac: hmac.New(sha256.New, key), id: keyID(key)}
}

// keyID names a key without telling anything about it.
func keyID(key []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("the name of this key"))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (s *sealer) hash(text []byte) []byte {
	s.mac.Reset()
	s.mac.Write(text)
	return s.mac.Sum(s.sum[:0])
}

const (
	hashSize = 2 * sha256.Size
	hashHead = `,"hash":"`
	hashTail = `"}`
	tailSize = len(hashHead) + hashSize + len(hashTail)
)

// zeros stand for the hash of the line before the first.
var zeros = string(bytes.Repeat([]byte("0"), hashSize))

// appendLine appends a line with its end, and returns its hash.
func (s *sealer) appendLine(b []byte, seq uint64, at time.Time, prev, kind string, data []byte) ([]byte, string) {
	begin := len(b)
	b = append(b, `{"seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, `,"time":"`...)
	b = at.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(append(append(b, `","prev":"`...), prev...), `","kind":"`...)
	b = append(append(append(b, kind...), `","data":`...), data...)
	sum := s.hash(b[begin:])
	b = append(b, hashHead...)
	b = hex.AppendEncode(b, sum)
	text := string(b[len(b)-hashSize:])
	return append(b, hashTail+"\n"...), text
}

// parse reads a line without its end.
func parse(text []byte) (l Line, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return l, errors.New("is no line of a ledger")
	}
	if l.Seq == 0 || l.Kind == "" || len(l.Hash) != hashSize || len(l.Prev) != hashSize || len(text) < tailSize || string(text[len(text)-tailSize:]) != hashHead+l.Hash+hashTail {
		return l, errors.New("is no line as a ledger writes them")
	}
	return l, nil
}

// check reports why a line's hash is wrong.
func (s *sealer) check(text []byte, l Line) error {
	if want := hex.EncodeToString(s.hash(text[:len(text)-tailSize])); !hmac.Equal([]byte(want), []byte(l.Hash)) {
		return errors.New("its hash is not that of its text: it was changed")
	}
	return nil
}

// follows reports why a line cannot come behind another.
func (l Line) follows(seq uint64, prev string) error {
	switch {
	case l.Seq > seq+1:
		return fmt.Errorf("lines %d to %d before it are missing", seq+1, l.Seq-1)
	case l.Seq <= seq:
		return fmt.Errorf("is line %d behind line %d: it was repeated or put here", l.Seq, seq)
	case l.Prev != prev:
		return errors.New("does not link to the line before it: one of them was replaced")
	}
	return nil
}
