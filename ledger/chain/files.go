package chain

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	fileHead = "ledger-"
	fileTail = ".jsonl"
)

func fileName(first uint64) string { return fmt.Sprintf("%s%012d%s", fileHead, first, fileTail) }

// Files returns the names of the files of a folder, in the order of the chain.
func Files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, fileHead) && strings.HasSuffix(name, fileTail) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b) // more lines than digits were thought of
		}
		return strings.Compare(a, b)
	})
	return names, nil
}

const longestLine = 64 << 20

var errEmpty = errors.New("is empty")

var errLong = fmt.Errorf("has more than %d bytes", longestLine)

// readLines gives each whole line of r to take, without its end, until that
// returns an error, and returns what is behind the last.
func readLines(r io.Reader, take func(text []byte) error) (rest []byte, err error) {
	b := bufio.NewReaderSize(r, 64<<10)
	var long []byte
	for {
		text, err := b.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
			if err := take(text[:len(text)-1]); err != nil {
				return nil, err
			}
		case err == nil:
			long = append(long, text...)
			if err := take(long[:len(long)-1]); err != nil {
				return nil, err
			}
			long = nil
		case errors.Is(err, bufio.ErrBufferFull):
			if long = append(long, text...); len(long) > longestLine {
				return nil, errLong
			}
		case errors.Is(err, io.EOF):
			return append(long, text...), nil
		default:
			return nil, err
		}
	}
}

// A survey is what a Log wants to know of the file that it goes on with.
type survey struct {
	lines int
	size  int64 // of the whole lines
	last  Head
	begun time.Time // of the first
	key   string    // of the file
	rest  []byte    // behind the last whole line

	damage *damaged
	marked string // hash of the line that was asked for
}

// look surveys a file. Of line mark the hash is wanted.
func look(path string, s *sealer, mark uint64) (*survey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v := new(survey)
	v.rest, err = readLines(f, func(text []byte) error {
		v.lines++
		v.size += int64(len(text)) + 1
		l, err := parse(text)
		if err == nil && v.lines == 1 {
			v.begun, v.key = l.Time, keyOf(l)
		} else if err == nil {
			err = l.follows(v.last.Seq, v.last.Hash)
		}
		if err == nil && v.key == s.id {
			err = s.check(text, l)
		}
		if err != nil && v.damage == nil {
			v.damage = &damaged{filepath.Base(path), v.lines, err.Error()}
		}
		if l.Seq > 0 && len(l.Hash) == hashSize {
			v.last = Head{l.Seq, l.Hash}
		}
		if l.Seq == mark {
			v.marked = l.Hash
		}
		return nil
	})
	v.rest = bytes.Clone(v.rest)
	return v, err
}

// lastOf returns the last line of a file that is closed.
func lastOf(path string) (last Line, err error) {
	f, err := os.Open(path)
	if err != nil {
		return last, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	for back := int64(8 << 10); err == nil; back *= 8 {
		from := max(0, size-back)
		tail := make([]byte, size-from)
		if _, err = f.ReadAt(tail, from); err != nil {
			break
		}
		tail = bytes.TrimSuffix(tail, []byte("\n"))
		if i := bytes.LastIndexByte(tail, '\n'); i >= 0 || from == 0 {
			return parse(tail[i+1:])
		}
	}
	return last, err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
