package gguf

import (
	"fmt"
	"path/filepath"
	"strings"
)

// part returns which file of how many f is, both from 1; zeros for a whole
// model.
func (f *File) part() (part, parts int) {
	no, _ := f.Uint("split.no")
	count, ok := f.Uint("split.count")
	if !ok || count < 2 || count > 1<<16 || no >= count {
		return 0, 0
	}
	return int(no) + 1, int(count)
}

// OpenParts opens the files that hold the rest of a model in several files, of
// which f must be the first; none for a whole model. llama.cpp finds them by
// their names, which end in -00001-of-00003.gguf and so on, and so does this.
// The caller closes them.
func (f *File) OpenParts() (parts []*File, err error) {
	part, count := f.part()
	if count == 0 {
		return nil, nil
	}
	stem, ok := strings.CutSuffix(f.Path, fmt.Sprintf("-%05d-of-%05d.gguf", 1, count))
	if part != 1 || !ok {
		return nil, fmt.Errorf("%s: is part %d of a model in %d files; name the first file, which ends in -%05d-of-%05d.gguf, and leave the names as they were", f.name(), part, count, 1, count)
	}
	defer func() {
		if err != nil {
			closeAll(parts)
			parts = nil
		}
	}()
	tensors := len(f.Tensors)
	for i := 2; i <= count; i++ {
		next, err := Open(fmt.Sprintf("%s-%05d-of-%05d.gguf", stem, i, count))
		if err != nil {
			return parts, fmt.Errorf("%s: part %d of %d: %w", filepath.Base(f.Path), i, count, err)
		}
		parts = append(parts, next)
		if p, n := next.part(); p != i || n != count {
			return parts, fmt.Errorf("%s: says it is part %d of %d, its name says %d of %d; download the parts again", next.Path, p, n, i, count)
		}
		tensors += len(next.Tensors)
	}
	if want, ok := f.Uint("split.tensors.count"); ok && want != uint64(tensors) {
		return parts, fmt.Errorf("%s: its %d files hold %d tensors, it needs %d; download the parts again", f.Path, count, tensors, want)
	}
	return parts, nil
}

func closeAll(files []*File) {
	for _, f := range files {
		f.Close()
	}
}
