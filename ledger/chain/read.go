package chain

import (
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
)

var errStop = errors.New("stop")

// Lines yields the lines of the chain in a folder, with their texts, from the
// first. It does not verify them; what is no line is an error, after which the
// next one comes. The text is valid until then.
func Lines(dir string) iter.Seq2[Read, error] {
	return func(yield func(Read, error) bool) {
		names, err := Files(dir)
		if err != nil {
			yield(Read{}, err)
			return
		}
		for _, name := range names {
			for r, err := range LinesOf(filepath.Join(dir, name), 0) {
				if !yield(r, err) {
					return
				}
			}
		}
	}
}

// A Read is a line that was read.
type Read struct {
	Line
	Text []byte // without its end
	End  int64  // of the line, in the file
}

// LinesOf yields the whole lines of a file, from an offset on.
func LinesOf(path string, from int64) iter.Seq2[Read, error] {
	return func(yield func(Read, error) bool) {
		f, err := os.Open(path)
		if err == nil {
			defer f.Close()
			_, err = f.Seek(from, io.SeekStart)
		}
		if err != nil {
			yield(Read{}, err)
			return
		}
		name, n := filepath.Base(path), 0
		_, err = readLines(f, func(text []byte) error {
			n++
			from += int64(len(text)) + 1
			l, err := parse(text)
			if err != nil {
				err = errors.New(Problem{name, n, err.Error()}.String())
			}
			if !yield(Read{l, text, from}, err) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Read{}, err)
		}
	}
}
