package models

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// SumsFile is the list of digests in a folder of models, as sha256sum writes
// it.
const SumsFile = "SHA256SUMS"

// A Sum is a file that a list of digests names.
type Sum struct {
	Path string
	Size int64 // bytes; 0 when it could not be read
	Err  error // why the file is not the one meant, or nil
}

// VerifySums compares each file that the SHA256SUMS of dir names with its
// digest. The error is about the list; what is wrong with a file is in its
// Sum.
func VerifySums(dir string) ([]Sum, error) {
	list := filepath.Join(dir, SumsFile)
	f, err := os.Open(list)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var sums []Sum
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if lines.Text() == "" {
			continue
		}
		digest, name, _ := strings.Cut(lines.Text(), " ")
		name = strings.TrimPrefix(strings.TrimPrefix(name, " "), "*") // text or binary, the same to us
		want, err := hex.DecodeString(digest)
		if err != nil || len(want) != sha256.Size || !filepath.IsLocal(name) {
			return nil, fmt.Errorf("%s:%d: want a SHA-256 digest, two spaces and the name of a file in this folder", list, n)
		}
		sums = append(sums, verify(filepath.Join(dir, name), want))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", list, err)
	}
	if len(sums) == 0 {
		return nil, fmt.Errorf("%s names no file", list)
	}
	return sums, nil
}

func verify(path string, want []byte) Sum {
	f, err := os.Open(path)
	if err != nil {
		return Sum{Path: path, Err: err}
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return Sum{Path: path, Err: fmt.Errorf("reading %s: %w", path, err)}
	}
	if got := h.Sum(nil); string(got) != string(want) {
		err = fmt.Errorf("%s is not the file it should be: its %d bytes have the SHA-256 %x, %s says %x; fetch it again", path, size, got, SumsFile, want)
	}
	return Sum{Path: path, Size: size, Err: err}
}
