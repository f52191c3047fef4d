package chain

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Head is how far a chain has come.
type Head struct {
	Seq  uint64
	Hash string // of that line
}

// String is the head as it is noted elsewhere, and [ParseHead] reads it.
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Hash) }

// ParseHead reads a head that was noted.
func ParseHead(text string) (Head, error) {
	seq, hash, ok := strings.Cut(strings.TrimSpace(text), ":")
	n, err := strconv.ParseUint(seq, 10, 64)
	if raw, hexErr := hex.DecodeString(hash); !ok || err != nil || hexErr != nil || len(raw)*2 != hashSize {
		return Head{}, fmt.Errorf("want a head such as 1234:%s..., as `bendi audit head` prints it", zeros[:8])
	}
	return Head{n, strings.ToLower(hash)}, nil
}

const headName = "head"

// encode returns the text of the file head. It has always the same length, for
// it is written in place.
func (h Head) encode(s *sealer) []byte {
	text := fmt.Sprintf("%020d %s", h.Seq, h.Hash)
	return fmt.Appendf(nil, "%s %x\n", text, s.hash([]byte("head "+text)))
}

// errHead is the error of a file head that nobody has written so.
var errHead = errors.New("the file head was changed")

// readHead reads the file head, by whichever of the keys wrote it.
func readHead(dir string, sealers []*sealer) (h Head, err error) {
	text, err := os.ReadFile(filepath.Join(dir, headName))
	if err != nil {
		return h, err
	}
	fields := strings.Fields(string(text))
	if len(fields) != 3 {
		return h, errHead
	}
	h.Hash = fields[1]
	if h.Seq, err = strconv.ParseUint(fields[0], 10, 64); err != nil {
		return h, errHead
	}
	for _, s := range sealers {
		if string(h.encode(s)) == string(text) {
			return h, nil
		}
	}
	return h, errHead
}

// writeHead writes the file head in place.
func (l *Log) writeHead() error {
	if l.head == nil {
		f, err := os.OpenFile(filepath.Join(l.Dir, headName), os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		l.head = f
	}
	_, err := l.head.WriteAt(l.durable.encode(l.sealer), 0)
	return err
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
